//! Validation of uploads: a stored operation whose job runs a child process that can be killed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_access::{Access, Target};
use linli_kernel::{AreaId, Lang};
use linli_kit::idempotency::Once;
use linli_kit::operation::{Job, Jobs, OperationAction, OperationGate, OperationRow, Operations, Progress, Settings};
use linli_kit::serve::ServiceParts;
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, ErrorCode, Result, check};
use linli_proto::google::longrunning::{Operation, operation};
use linli_proto::rules as pb;
use serde::{Deserialize, Serialize};

use super::upload::MAX_UNVALIDATED;
use super::validator::Validator;
use super::{App, versions};
use crate::artefacts::Artefacts;
use crate::domain::version::{Both, KeptManifest, KeptProblem, PluginVersionId, State};
use crate::engine::{Engine, Kind};
use crate::store::{self, VersionRow};
use crate::validate::Report;

/// Kind of the operation.
const KIND: &str = "validate-plugin";
/// Operations that this process has taken up, almost all of them waiting for their turn.
const TAKEN_UP: usize = 4 * MAX_UNVALIDATED as usize;
/// How often a running validation hears of a wish to stop.
const LOOK: Duration = Duration::from_millis(200);

/// The request of the operation, as it is stored.
#[derive(Serialize, Deserialize)]
struct Wanted {
    name: String,
    /// Language of the response.
    english: bool,
}

impl Wanted {
    fn lang(&self) -> Lang {
        if self.english { Lang::En } else { Lang::ZhCn }
    }
}

/// What came of a call.
enum Asked {
    /// An operation by this name runs, or will.
    Runs(String),
    /// There is nothing to do.
    Valid(Box<VersionRow>),
}

impl App {
    /// Starts the validation of a version; answers at once when it is valid already, or when one runs.
    pub(crate) async fn validate_plugin_version(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::ValidatePluginVersionRequest,
    ) -> Result<Operation> {
        let (area, id) = check::recorded::<PluginVersionId>("name", &r.name, "pluginVersions")?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let hash = self.hash(ctx, &pb::ValidatePluginVersionRequest { request_id: String::new(), ..r.clone() });
        let wanted = Wanted { name: r.name.clone(), english: ctx.lang == Lang::En };
        let wanted = serde_json::to_vec(&wanted).map_err(Error::internal)?;
        let done = self
            .parts
            .store
            .write_once(ctx, area.as_str(), &r.request_id, hash, "rules.validate_plugin_version", |tx| {
                let (area, wanted, r) = (&area, &wanted, &r);
                Box::pin(async move {
                    store::lock_area(tx, area.as_str()).await?;
                    let row = store::lock_version(tx, area, id).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(&r.name))?;
                    if row.state() == State::Valid {
                        return Ok((row.operation.clone(), Asked::Valid(Box::new(row))));
                    }
                    if row.state() == State::Quarantined {
                        let refused = Error::new(ErrorCode::FailedPrecondition, "VERSION_QUARANTINED");
                        return Err(refused.with("version", &r.name));
                    }
                    if self.runs(&row.operation).await? {
                        return Ok((row.operation.clone(), Asked::Runs(row.operation)));
                    }
                    if row.state() == State::Rejected {
                        // It awaits validation once more, and counts as one that does.
                        self.room_for_unvalidated(tx, area).await?;
                        row.state = State::Uploaded.number();
                    }
                    row.operation = self.operations.start(tx, ctx, area, KIND, wanted.clone()).await?;
                    store::update_version(tx, &row).await?;
                    Ok((row.operation.clone(), Asked::Runs(row.operation)))
                })
            })
            .await?;
        match done {
            Once::Done(Asked::Valid(row)) => ended(&row, ctx.lang),
            Once::Done(Asked::Runs(name)) | Once::Repeat(name) => match self.operations.get(&name).await {
                Ok(found) => {
                    let mut found = found.to_proto(self.parts.kit.service, ctx.lang);
                    found.metadata.get_or_insert_with(|| metadata(&r.name));
                    Ok(found)
                }
                // Somebody has deleted it; what came of it stands in the version.
                Err(gone) if gone.code() == ErrorCode::NotFound => {
                    match store::version_of(self.parts.store.reader(), &area, id).await? {
                        Some(row) if row.state() == State::Valid => ended(&row, ctx.lang),
                        _ => Err(gone),
                    }
                }
                Err(error) => Err(error),
            },
        }
    }

    async fn runs(&self, operation: &str) -> Result<bool> {
        if operation.is_empty() {
            return Ok(false);
        }
        match self.operations.get(operation).await {
            Ok(op) => Ok(!op.is_over()),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The operation of a version that is valid.
fn ended(row: &VersionRow, lang: Lang) -> Result<Operation> {
    Ok(Operation {
        name: row.operation.clone(),
        metadata: Some(metadata(&row.name())),
        done: true,
        result: Some(operation::Result::Response(response(row, lang)?)),
    })
}

/// Runs validations, and jobs of one more kind, in the background until the process goes down.
pub(super) fn start(
    parts: &ServiceParts,
    operations: &Operations,
    job: Validation,
    more: (&'static str, Arc<dyn Job>),
) {
    let job: Arc<dyn Job> = Arc::new(job);
    // The validator runs one child at a time. More operations are taken up than that, and more than one area may have,
    // so that areas come in turn and not in the order in which they asked.
    let settings = Settings { concurrency: TAKEN_UP, ..Settings::default() };
    let running = operations.spawn(Jobs::from([(KIND, job), more]), settings, parts.cancel.clone());
    parts.tasks.spawn(async move {
        if let Err(fault) = running.await {
            tracing::error!(panicked = fault.is_panic(), "the runner of validations broke");
        }
    });
}

/// The job.
pub(super) struct Validation {
    pub(super) parts: ServiceParts,
    pub(super) validator: Validator,
    pub(super) artefacts: Artefacts,
    pub(super) engine: Engine,
}

#[async_trait]
impl Job for Validation {
    async fn run(&self, op: &OperationRow, progress: &Progress) -> Result<prost_types::Any> {
        let wanted: Wanted = serde_json::from_slice(&op.request).map_err(Error::internal)?;
        let (area, id) = check::recorded::<PluginVersionId>("name", &wanted.name, "pluginVersions")?;
        let missing = || Error::not_found(&wanted.name);
        let reader = self.parts.store.reader();
        let row = store::version_of(reader, &area, id).await?.ok_or_else(missing)?;
        if row.state() == State::Valid {
            return response(&row, wanted.lang());
        }
        progress.set(&metadata(&wanted.name)).await?;
        let bytes = self.artefacts.get(&row.digest).await?.ok_or_else(missing)?;
        let report = self.examine(area.as_str(), &bytes, progress).await?;
        if report.is_acceptable() {
            self.keep(&report).await;
        }
        let row = self.conclude(op, progress, &area, id, &report).await?;
        response(&row, wanted.lang())
    }
}

impl Validation {
    async fn examine(&self, area: &str, bytes: &[u8], progress: &Progress) -> Result<Report> {
        let examined = self.validator.upload(area, bytes);
        tokio::pin!(examined);
        loop {
            tokio::select! {
                report = &mut examined => {
                    let unable = |e| Error::new(ErrorCode::Unavailable, "VALIDATOR_UNAVAILABLE").caused_by(e);
                    return report.map_err(unable);
                }
                // Dropping the validation kills the child.
                () = tokio::time::sleep(LOOK) => progress.checkpoint()?,
            }
        }
    }

    /// Keeps what the child has compiled, so that nobody compiles it again. Without it the plugin works as well.
    async fn keep(&self, report: &Report) {
        let Some(code) = report.compiled.clone() else { return };
        let engine = self.engine.clone();
        match tokio::task::spawn_blocking(move || engine.keep(&code)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a compiled plugin is not kept"),
            Err(fault) => tracing::error!(panicked = fault.is_panic(), "keeping a compiled plugin broke"),
        }
    }

    async fn conclude(
        &self,
        op: &OperationRow,
        progress: &Progress,
        area: &AreaId,
        id: PluginVersionId,
        report: &Report,
    ) -> Result<VersionRow> {
        let mut ctx = self.parts.background(Duration::from_secs(30));
        ctx.trace_id = op.trace_id.as_str().into();
        let ctx = &ctx;
        self.parts
            .store
            .write("rules.validated", |tx| {
                Box::pin(async move {
                    progress.check(tx).await?;
                    let row = store::lock_version(tx, area, id).await?;
                    let mut row = row.ok_or_else(|| Error::not_found(area.name()))?;
                    if row.state() == State::Quarantined {
                        return Ok(row);
                    }
                    note(&mut row, report)?;
                    row.revision += 1;
                    row.update_us = ctx.now().micros();
                    store::update_version(tx, &row).await?;
                    let payload = pb::PluginVersionChanged {
                        plugin_version: row.name(),
                        plugin: row.plugin.clone(),
                        state: row.state,
                    };
                    let kind = "linli.rules.v1.PluginVersionChanged";
                    tx.emit(EventDraft::new(ctx, kind, area.as_str(), row.name(), row.revision, &payload));
                    Ok(row)
                })
            })
            .await
    }
}

/// Writes down what validation found.
fn note(row: &mut VersionRow, report: &Report) -> Result<()> {
    let problems = report.problems.iter().map(|problem| {
        let code = serde_json::to_value(problem.code).map_err(Error::internal)?;
        Ok(KeptProblem {
            code: code.as_str().unwrap_or_default().to_owned(),
            text: Both { zh_cn: problem.message_zh.clone(), en: problem.message_en.clone() },
            location: problem.where_.clone(),
        })
    });
    let problems: Vec<KeptProblem> = problems.collect::<Result<_>>()?;
    let hooks: Vec<&str> = report.hooks.iter().map(|hook| hook.code()).collect();
    let state = if report.is_acceptable() { State::Valid } else { State::Rejected };
    row.state = state.number();
    row.form = match report.kind {
        Some(Kind::Native) => pb::PluginForm::Native,
        Some(Kind::Script) => pb::PluginForm::Script,
        Some(Kind::Table) => pb::PluginForm::Table,
        None => pb::PluginForm::Unspecified,
    }
    .into();
    row.peak_fuel = i32::try_from(report.peak_fuel_percent()).unwrap_or(i32::MAX);
    row.problems = serde_json::to_string(&problems).map_err(Error::internal)?;
    row.hooks = serde_json::to_string(&hooks).map_err(Error::internal)?;
    row.manifest = match &report.manifest {
        Some(manifest) => serde_json::to_string(&KeptManifest::from(manifest)).map_err(Error::internal)?,
        None => String::new(),
    };
    Ok(())
}

fn response(row: &VersionRow, lang: Lang) -> Result<prost_types::Any> {
    Ok(any("linli.rules.v1.PluginVersion", &versions::proto(row, lang)?))
}

fn metadata(version: &str) -> prost_types::Any {
    let metadata = pb::ValidatePluginVersionMetadata { plugin_version: version.to_owned() };
    any("linli.rules.v1.ValidatePluginVersionMetadata", &metadata)
}

fn any(kind: &str, message: &impl prost::Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{kind}"), value: message.encode_to_vec() }
}

/// Lets into operations who holds the method's permission over the area.
pub(crate) struct Gate(pub(crate) Access);

#[async_trait]
impl OperationGate for Gate {
    async fn check(&self, ctx: &Ctx, area: &str, _: OperationAction, _: Option<&OperationRow>) -> Result<()> {
        let target = Target { area: area.to_owned(), ..Target::default() };
        self.0.authorise(ctx, &target).map(drop)
    }
}
