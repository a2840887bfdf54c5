//! Simulation: recorded decisions are asked again, with the rules in force and with a candidate among them, as a stored
//! operation. Never: a decision, a count below five, or a pseudonym that means anything outside its report.

mod report;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use linli_access::Target;
use linli_kernel::{AreaId, Lang, Name};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::operation::{Job, OperationRow, Progress};
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::booking::booking_service_client::BookingServiceClient;
use linli_proto::deliberation::deliberation_service_client::DeliberationServiceClient;
use linli_proto::google::longrunning::Operation;
use linli_proto::points::points_service_client::PointsServiceClient;
use linli_proto::rules as pb;
use prost::Message as _;
use tokio::time::Instant;

use super::App;
use super::answers::{self, Case, NoAnswer};
use super::effective::{Bound, Effective, on_fault, subject};
use super::evaluate::{Ready, SLICE};
use super::facts;
use crate::domain::effective::{applies, place};
use crate::domain::said::Said;
use crate::engine::{Engine, Fact, Hook};
use crate::store;
use report::Report;

/// Kind of the operation.
pub(super) const KIND: &str = "simulate-rule";
const DEFAULT_CASES: i32 = 10_000;
const MAX_CASES: i64 = 100_000;
/// So many decisions fewer than wanted are replayed at most.
const LOT: usize = 10;
/// Decisions of one page.
const PAGE: i32 = 500;
/// What one page, or one evaluation, may take.
const BUDGET: Duration = Duration::from_secs(20);
/// In whose name simulations take their turn: as one area among those that ask.
const TURN: &str = "~simulation";
/// Simulations of an area that have not ended at most: they share their places with validations.
const MAX_OPEN: i64 = 2;

impl App {
    /// Starts a simulation.
    pub(crate) async fn simulate_rule(&self, ctx: &Arc<Ctx>, r: pb::SimulateRuleRequest) -> Result<Operation> {
        let area = check::area("parent", &r.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let mut wanted = r.clone();
        let candidate = wanted.rule_binding.get_or_insert_default();
        if candidate.name.is_empty() {
            candidate.name = format!("{}/ruleBindings/candidate", area.name());
        }
        wanted.end_time.get_or_insert(check::timestamp(ctx.now()));
        if wanted.max_cases == 0 {
            wanted.max_cases = DEFAULT_CASES;
        }
        self.check_simulation(ctx, &area, &wanted).await?;
        wanted.request_id = String::new();
        let hash = self.hash(ctx, &pb::SimulateRuleRequest { request_id: String::new(), ..r.clone() });
        let bytes = wanted.encode_to_vec();
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.simulate_rule", |tx| {
                let (area, bytes) = (&area, &bytes);
                Box::pin(async move {
                    store::lock_area(tx, area.as_str()).await?;
                    if self.operations.unfinished(tx, area, KIND).await? >= MAX_OPEN {
                        let full = Error::new(ErrorCode::ResourceExhausted, "SIMULATIONS_FULL");
                        return Err(full.with("area", area.name()).with("max", MAX_OPEN));
                    }
                    let name = self.operations.start(tx, ctx, area, KIND, bytes.clone()).await?;
                    Ok((name.clone(), name))
                })
            })
            .await?;
        let (Once::Done(name) | Once::Repeat(name)) = done;
        let mut found = self.operations.get(&name).await?.to_proto(self.parts.kit.service, ctx.lang);
        found.metadata.get_or_insert_with(|| metadata(&wanted.parent, 0));
        Ok(found)
    }

    async fn check_simulation(&self, ctx: &Ctx, area: &AreaId, r: &pb::SimulateRuleRequest) -> Result<()> {
        let mut bad = Violations::new();
        let candidate = r.rule_binding.clone().unwrap_or_default();
        match Name::parse(&candidate.name, "ruleBindings") {
            Ok(name)
                if self.access.snapshot().ancestors(area.as_str()).iter().any(|slug| slug == name.area().as_str()) =>
            {
                for mut violation in self.check_binding(ctx, name.area(), &candidate).await? {
                    violation.field = format!("rule_binding.{}", violation.field);
                    bad.push(violation);
                }
            }
            Ok(_) => bad.push(FieldViolation::new("rule_binding.name", "AREA_MISMATCH").arg("area", area.name())),
            Err(problem) => {
                bad.push(FieldViolation::new("rule_binding.name", "NAME_INVALID").arg("detail", problem));
            }
        }
        for (field, text) in [("hook", &candidate.hook), ("plugin_version", &candidate.plugin_version)] {
            if text.is_empty() {
                bad.bad(format!("rule_binding.{field}"), "FIELD_REQUIRED");
            }
        }
        bad.range("max_cases", r.max_cases.into(), 1, MAX_CASES);
        let instant = |time: &Option<prost_types::Timestamp>| time.as_ref().map(check::instant);
        match (instant(&r.start_time), instant(&r.end_time)) {
            (None, _) => bad.bad("start_time", "FIELD_REQUIRED"),
            (Some(start), Some(end)) if start >= end => bad.bad("end_time", "WINDOW_EMPTY"),
            _ => {}
        }
        bad.finish()
    }

    /// The rules of a place with and without the candidate; what is on trial is left out of both.
    async fn both(&self, area: &AreaId, kind: &str, candidate: &pb::RuleBinding) -> Result<[Arc<Effective>; 2]> {
        let hook = Hook::from_code(&candidate.hook).ok_or_else(|| Error::internal("the hook is gone"))?;
        let found = self.in_force(area, hook, kind).await?;
        let name = Name::parse(&candidate.name, "ruleBindings").map_err(Error::internal)?;
        let chain = self.access.snapshot().ancestors(area.as_str());
        let active = || found.rules.iter().filter(|rule| rule.active.is_some());
        let without = active().map(Bound::untried).collect();
        let mut with: Vec<Bound> =
            active().filter(|rule| rule.binding.name != candidate.name).map(Bound::untried).collect();
        if !candidate.disabled
            && applies(&candidate.kinds, kind)
            && chain.iter().any(|slug| slug == name.area().as_str())
        {
            let versions = self.versions_by_name(&chain, std::iter::once(candidate.plugin_version.as_str())).await?;
            with.push(Bound {
                binding: candidate.clone(),
                area: name.area().as_str().to_owned(),
                on_fault: on_fault(candidate),
                active: Some(subject(candidate, &versions)),
                ..Bound::default()
            });
        }
        let id = |rule: &Bound| rule.binding.name.rsplit('/').next().unwrap_or_default().to_owned();
        with.sort_by(|a, b| place(&chain, &a.area, &id(a)).cmp(&place(&chain, &b.area, &id(b))));
        let effective = |rules| Arc::new(Effective { rules, revision: String::new() });
        Ok([effective(without), effective(with)])
    }
}

/// The job; the service itself stops it.
pub(super) struct Simulation(pub(super) Weak<App>);

/// One place and what of its decisions was read.
struct Source {
    area: AreaId,
    page: VecDeque<pb::DecisionCase>,
    /// `None` when there is no further page.
    next: Option<String>,
}

#[async_trait]
impl Job for Simulation {
    async fn run(&self, op: &OperationRow, progress: &Progress) -> Result<prost_types::Any> {
        let app = self.0.upgrade().ok_or_else(|| Error::new(ErrorCode::Unavailable, "SHUTTING_DOWN"))?;
        let wanted = pb::SimulateRuleRequest::decode(op.request.as_slice()).map_err(Error::internal)?;
        let _turn = app.simulations.take(&wanted.parent).await;
        let mut run = Run::new(&app, &wanted)?;
        let report = run.through(progress).await?;
        Ok(any("linli.rules.v1.SimulationReport", &report))
    }
}

/// One simulation under way.
struct Run<'a> {
    app: &'a App,
    wanted: &'a pb::SimulateRuleRequest,
    candidate: pb::RuleBinding,
    sources: Vec<Source>,
    /// By area and kind.
    rules: HashMap<(String, String), [Arc<Effective>; 2]>,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(app: &'a App, wanted: &'a pb::SimulateRuleRequest) -> Result<Self> {
        let area = check::area("parent", &wanted.parent)?;
        let snapshot = app.access.snapshot();
        let mut slugs: Vec<String> =
            snapshot.areas().filter(|slug| snapshot.below(slug, area.as_str())).map(str::to_owned).collect();
        slugs.push(area.as_str().to_owned());
        slugs.sort();
        slugs.dedup();
        let mut sources = Vec::with_capacity(slugs.len());
        for slug in slugs {
            let area = AreaId::new(slug).map_err(Error::internal)?;
            sources.push(Source { area, page: VecDeque::new(), next: Some(String::new()) });
        }
        let candidate = wanted.rule_binding.clone().unwrap_or_default();
        let report = Report::new(uuid::Uuid::new_v4());
        Ok(Self { app, wanted, candidate, sources, rules: HashMap::new(), report })
    }

    /// The newest decisions of all places first, as many as are wanted.
    async fn through(&mut self, progress: &Progress) -> Result<pb::SimulationReport> {
        let most = usize::try_from(self.wanted.max_cases).unwrap_or_default();
        // Whoever knows how many were replayed could work out a hidden group: where there are more, a few fewer are, by lot.
        let most = most - self.report.lot(LOT.min(most / 2));
        let (mut seen, mut batch, mut told) = (0, Vec::new(), Instant::now());
        loop {
            progress.checkpoint()?;
            let next = if seen < most { self.next().await? } else { None };
            let is_over = next.is_none();
            if let Some((area, case)) = next {
                seen += 1;
                batch.extend(self.ready(&area, case).await?);
            }
            if is_over || batch.len() >= usize::try_from(PAGE).unwrap_or(1) {
                self.compare(std::mem::take(&mut batch)).await?;
            }
            if is_over || told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                progress.set(&metadata(&self.wanted.parent, hundreds(seen))).await?;
            }
            if is_over {
                break;
            }
        }
        let truncated = seen >= most && self.next().await?.is_some();
        Ok(self.report.message(truncated))
    }

    /// The newest decision that was not read yet, of any place.
    async fn next(&mut self) -> Result<Option<(AreaId, pb::DecisionCase)>> {
        for source in &mut self.sources {
            while let (true, Some(token)) = (source.page.is_empty(), source.next.clone()) {
                let page = read(self.app, self.wanted, &self.candidate, &source.area, token).await?;
                source.next = Some(page.next_page_token).filter(|token| !token.is_empty());
                source.page = page.cases.into();
            }
        }
        let time = |case: &pb::DecisionCase| case.time.as_ref().map(check::instant);
        let newest = self.sources.iter_mut().filter(|source| !source.page.is_empty());
        let newest = newest.max_by_key(|source| source.page.front().and_then(time));
        Ok(newest.and_then(|source| source.page.pop_front().map(|case| (source.area.clone(), case))))
    }

    /// The rules of a place with and without the candidate, as they were when the simulation came by first.
    async fn both(&mut self, area: &AreaId, kind: &str) -> Result<[Arc<Effective>; 2]> {
        let key = (area.as_str().to_owned(), kind.to_owned());
        if let Some(known) = self.rules.get(&key) {
            return Ok(known.clone());
        }
        let found = self.app.both(area, kind, &self.candidate).await?;
        self.rules.insert(key, found.clone());
        Ok(found)
    }

    /// A decision ready to be asked twice; `None` when it cannot be.
    async fn ready(&mut self, area: &AreaId, case: pb::DecisionCase) -> Result<Option<Pair>> {
        let subject = format!("{} {}", area.as_str(), case.subject);
        let Some(request) = case.request else {
            self.report.not_replayable(&subject);
            return Ok(None);
        };
        let mut bad = Violations::new();
        let read = facts::read(&request, format_args!(""), &mut bad)
            .filter(|(_, question)| question.hook().code() == self.candidate.hook);
        let (Some((context, question)), true) = (read, bad.into_vec().is_empty()) else {
            self.report.not_replayable(&subject);
            return Ok(None);
        };
        let [without, with] = self.both(area, &request.kind).await?;
        // What was not asked for then is empty in the receipt, and an answer to it would be about somebody else.
        let is_resolved = |fact: Fact| request.facts.iter().any(|known| known == fact.code());
        let mut asked = with.rules.iter().chain(&without.rules).filter_map(|rule| rule.active.as_ref());
        if is_about_people(question.hook()) && !asked.all(|rule| rule.facts.iter().all(is_resolved)) {
            self.report.not_replayable(&subject);
            return Ok(None);
        }
        let local_us = case.time.as_ref().map_or(0, |time| check::instant(time).micros())
            + i64::from(request.utc_offset_min) * 60_000_000;
        let mut both = Vec::with_capacity(2);
        for in_force in [without, with] {
            let plugins = self.app.plugins_of(&in_force).await?;
            let (context, question) = (context.clone(), question.clone());
            both.push(Ready { context, question, bucket: request.bucket, in_force, plugins });
        }
        Ok(Some(Pair { subject, local_us, both }))
    }

    /// Asks in slices: after each, those who wait for a real answer have their turn.
    async fn compare(&mut self, pairs: Vec<Pair>) -> Result<()> {
        let mut left = VecDeque::from(pairs);
        while !left.is_empty() {
            let work = move |engine: &Engine| slice(engine, left);
            let (compared, rest) = self.app.evaluator.run(TURN, work).await?;
            for (pair, was, would) in compared {
                let (Some(was), Some(would)) = (was, would) else {
                    return Err(Error::new(ErrorCode::Unavailable, "OVERLOADED"));
                };
                self.report.add(&pair.subject, pair.local_us, was, would);
            }
            left = rest;
        }
        Ok(())
    }
}

/// Whether a hook asks about people, whose facts have to be declared; of a topic everything is told.
fn is_about_people(hook: Hook) -> bool {
    match hook {
        Hook::Eligibility | Hook::Price | Hook::Priority | Hook::Award => true,
        Hook::Track | Hook::Thresholds => false,
    }
}

/// How far it is, too coarse to work out a hidden number from.
fn hundreds(seen: usize) -> i32 {
    i32::try_from(seen / 100 * 100).unwrap_or(i32::MAX)
}

/// One decision with the rules in force and with the candidate.
struct Pair {
    subject: String,
    /// When, by the clock of the place.
    local_us: i64,
    both: Vec<Ready>,
}

type Compared = Vec<(Pair, Option<Said>, Option<Said>)>;

fn slice(engine: &Engine, mut left: VecDeque<Pair>) -> (Compared, VecDeque<Pair>) {
    let begun = Instant::now();
    let mut compared = Vec::new();
    while let Some(pair) = left.pop_front() {
        let mut said = pair.both.iter().map(|ready| said(engine, ready));
        let (was, would) = (said.next().flatten(), said.next().flatten());
        drop(said);
        compared.push((pair, was, would));
        if begun.elapsed() >= SLICE {
            break;
        }
    }
    (compared, left)
}

/// What the rules say together; `None` where there was no room. Faults are not counted against versions.
fn said(engine: &Engine, ready: &Ready) -> Option<Said> {
    let (answer, _) =
        answers::answer(engine, &Case { is_measured: false, ..ready.case(Lang::En, Instant::now() + BUDGET) });
    match answer {
        Ok(answer) => Some(report::said(&answer)),
        Err(NoAnswer::Fault { code, .. }) => Some(Said::fault(code)),
        Err(NoAnswer::Missing { .. }) => Some(Said::fault("missing-fact")),
        Err(NoAnswer::Busy | NoAnswer::Late) => None,
    }
}

/// One page of an area's decisions, from the service that made them.
async fn read(
    app: &App,
    wanted: &pb::SimulateRuleRequest,
    candidate: &pb::RuleBinding,
    area: &AreaId,
    page_token: String,
) -> Result<pb::ReadDecisionsResponse> {
    let ctx = app.parts.background(BUDGET);
    let request = pb::ReadDecisionsRequest {
        parent: area.name(),
        hook: candidate.hook.clone(),
        kinds: candidate.kinds.clone(),
        start_time: wanted.start_time,
        end_time: wanted.end_time,
        page_size: PAGE,
        page_token,
    };
    let peers = &app.parts.peers;
    let page = match candidate.hook.split('-').next() {
        Some("points") => PointsServiceClient::new(peers.to("points", &ctx)).read_decisions(request).await,
        Some("deliberation") => {
            DeliberationServiceClient::new(peers.to("deliberation", &ctx)).read_decisions(request).await
        }
        _ => BookingServiceClient::new(peers.to("booking", &ctx)).read_decisions(request).await,
    };
    page.map(tonic::Response::into_inner).map_err(Error::from_peer)
}

fn metadata(parent: &str, cases: i32) -> prost_types::Any {
    any("linli.rules.v1.SimulateRuleMetadata", &pb::SimulateRuleMetadata { parent: parent.to_owned(), cases })
}

fn any(kind: &str, message: &impl prost::Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{kind}"), value: message.encode_to_vec() }
}
