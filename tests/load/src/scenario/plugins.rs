//! The way to a rule inside one process, past all sockets: one question and a hundred as RPCs through the full stack, against the
//! bare evaluation of the same facts; and how long an upload takes to be in force.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use linli::suite::{Role, Suite};
use linli_harness::Actor;
use linli_kit::stack::Stack;
use linli_proto::rules as pb;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_rules_engine::types::{Context, EligibilityRequest, Member, Slot, Usage};
use linli_rules_engine::{Engine, EngineConfig, Question};
use tonic::metadata::{Ascii, MetadataValue};

use super::attack::Attack;
use super::rules::{bind, question, rebind};
use super::{AREA, OPERATOR, people, request};
use crate::drive::connect;
use crate::play;
use crate::report::{median, say};

/// What an RPC in the process may cost, of the evaluation alone.
const RPC: f64 = 3.0;
/// What one of a hundred in one call may cost.
const ITEM: f64 = 1.2;
/// What a neighbour's question may cost while another area attacks, of what it costs otherwise.
const ATTACKED: f64 = 1.5;
/// From the first byte of an upload to the first answer by it.
const IN_FORCE: Duration = Duration::from_secs(2);
const CALLS: usize = 2_000;
const BATCH: usize = 100;
const BATCHES: usize = 40;
const UPLOADS: usize = 5;

type Client = RulesServiceClient<Stack>;

/// Measures; says which targets were missed.
pub(crate) async fn measure(rounds: usize) -> Result<Vec<String>> {
    let dir = tempfile::Builder::new().prefix("linli-load-").tempdir()?;
    let config = play::config(dir.path(), None)?;
    let suite = Suite::start(&config, &Role::all()).await.map_err(|e| anyhow!("{e}"))?;
    let gateway = connect(suite.gateway.context("a gateway")?, 1).await?.remove(0);
    let operator = Actor::new(gateway, &suite.token(OPERATOR).map_err(|e| anyhow!("{e}"))?);
    people(&operator, 2).await?;
    let component = bind(&operator).await?;
    let identity = suite.keys.identity("booking").map_err(|e| anyhow!("{e}"))?;
    let token = format!("Bearer {}", identity.token().map_err(|e| anyhow!("{e}"))?).parse()?;
    let mut client = Client::new(suite.local().get("rules").context("rules run in this process")?);
    settle(&mut client, &token).await?;

    let engine = Engine::new(EngineConfig::embedded())?;
    let plugin = engine.load(&component)?;
    let (context, asked) = bare();
    let alone =
        || timed(CALLS, || black_box(engine.evaluate(&plugin, &context, &asked)).map(drop).map_err(|e| anyhow!("{e}")));
    alone()?;
    let (mut evaluations, mut calls, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        evaluations.push(alone()?);
        calls.push(rpc(&mut client, &token).await?);
        items.push(batch(&mut client, &token).await?);
    }
    let ratio = |of: &[f64]| median(of.iter().zip(&evaluations).map(|(call, alone)| call / alone));
    let us = |of: &[f64]| median(of.iter().copied()) / 1_000.0;
    let mut missed = Vec::new();
    say("| what | us | of the evaluation alone | at most |\n|---|---|---|---|");
    say(&format!("| evaluation alone | {:.1} | | |", us(&evaluations)));
    for (what, figures, target) in
        [("one question, an RPC in the process", &calls, RPC), ("one of a hundred in a call", &items, ITEM)]
    {
        say(&format!("| {what} | {:.1} | {:.2} | {target} |", us(figures), ratio(figures)));
        if ratio(figures) > target {
            missed.push(format!("{what}: {:.2} of the evaluation alone, at most {target}", ratio(figures)));
        }
    }
    let ratio = neighbour(&operator, &mut client, &token, rounds).await?;
    say(&format!("\none question while another area attacks, of the same in peace: {ratio:.2} (at most {ATTACKED})"));
    if ratio > ATTACKED {
        missed.push(format!("a neighbour under attack: {ratio:.2}, at most {ATTACKED}"));
    }
    let mut uploads = Vec::new();
    for number in 0..UPLOADS {
        uploads.push(in_force(&operator, &mut client, &token, (&component, number)).await?.as_secs_f64());
    }
    let taken = median(uploads);
    say(&format!("\nfrom upload to the first answer by it, a Rust plugin: {taken:.2} s (at most {IN_FORCE:?})\n"));
    if taken > IN_FORCE.as_secs_f64() {
        missed.push(format!("upload to active: {taken:.2} s, at most {IN_FORCE:?}"));
    }
    suite.stop().await;
    Ok(missed)
}

/// A neighbour's median in peace and under attack, in turn.
async fn neighbour(operator: &Actor, client: &mut Client, token: &MetadataValue<Ascii>, rounds: usize) -> Result<f64> {
    let attack = Attack::prepare(operator, client.clone(), token.clone()).await?;
    let mut ratios = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let peace = rpc(client, token).await?;
        let running = attack.begin(operator).await?;
        let attacked = rpc(client, token).await?;
        running.end().await?;
        ratios.push(attacked / peace);
    }
    Ok(median(ratios))
}

/// The facts of [`question`], as the engine takes them.
fn bare() -> (Context, Question) {
    let context = Context { now: 29_916_666, utc_offset_min: 480, seed: 1, settings: Vec::new() };
    let who = Member { handle: 1, age_years: Some(81), standing: Some("resident".into()), ..Member::default() };
    let slot = Slot {
        offering: "haircut".into(),
        kind: "haircut".into(),
        starts: context.now,
        length_min: 30,
        capacity: 12,
        ..Slot::default()
    };
    let request = EligibilityRequest { who, used: Some(Usage::default()), slot, party: 1, ..Default::default() };
    (context, Question::Eligibility(request))
}

/// Median nanoseconds of a call.
fn timed(calls: usize, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut taken = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begun = Instant::now();
        call()?;
        taken.push(nanos(begun));
    }
    Ok(median(taken))
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of one call")]
fn nanos(begun: Instant) -> f64 {
    begun.elapsed().as_nanos() as f64
}

async fn rpc(client: &mut Client, token: &MetadataValue<Ascii>) -> Result<f64> {
    let mut taken = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let asked = request(question(), token);
        let begun = Instant::now();
        black_box(client.evaluate(asked).await?);
        taken.push(nanos(begun));
    }
    Ok(median(taken))
}

/// Median nanoseconds of one item.
async fn batch(client: &mut Client, token: &MetadataValue<Ascii>) -> Result<f64> {
    let mut taken = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let requests = (0..BATCH).map(|_| question()).collect();
        let asked = request(pb::BatchEvaluateRequest { parent: format!("areas/{AREA}"), requests }, token);
        let begun = Instant::now();
        let answers = client.batch_evaluate(asked).await?.into_inner().responses;
        #[expect(clippy::cast_precision_loss, reason = "a hundred")]
        taken.push(nanos(begun) / BATCH as f64);
        ensure!(answers.len() == BATCH, "{} answers", answers.len());
    }
    Ok(median(taken))
}

async fn settle(client: &mut Client, token: &MetadataValue<Ascii>) -> Result<()> {
    for _ in 0..100 {
        match client.evaluate(request(question(), token)).await {
            Ok(answer) if !answer.get_ref().parts.is_empty() => return Ok(()),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    Err(anyhow!("the rule does not answer"))
}

/// Uploads a new version, binds it in the place of the old one, and asks until it answers.
async fn in_force(
    operator: &Actor,
    client: &mut Client,
    token: &MetadataValue<Ascii>,
    (component, number): (&[u8], usize),
) -> Result<Duration> {
    let mut bytes = component.to_vec();
    // An empty custom section more: other bytes, the same rule.
    let name = format!("n{number}");
    bytes.extend_from_slice(&[0, u8::try_from(name.len() + 1)?, u8::try_from(name.len())?]);
    bytes.extend_from_slice(name.as_bytes());
    let begun = Instant::now();
    let version = rebind(operator, &bytes).await?;
    loop {
        let answer = client.evaluate(request(question(), token)).await?.into_inner();
        if answer.parts.iter().any(|part| part.plugin_version == version) {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
