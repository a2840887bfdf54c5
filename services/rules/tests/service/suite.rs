//! The service on a store, with its real stack and a manual clock.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use linli_access::{Access, AreaRow, GrantRow, Matrix, Snapshot, UnitRow};
use linli_kernel::{Lang, ManualClock, Timestamp};
use linli_kit::Ctx;
use linli_kit::feed::EventLog;
use linli_kit::identity::{ServiceIdentity, Signer, TokenVerifier, generate_key_pair, issuer_key_id};
use linli_kit::serve::{Backend, Kit, LocalServices, PeerService, Peers, ServiceParts};
use linli_kit::stack::{self, Limits, Stack, StackParts};
use linli_kit::store::{Migration, Store};
use linli_kit::testing::{TestStore, keyring, stores_with};
use linli_proto::common::{InvariantCheck, Text, VerifyInvariantsRequest};
use linli_proto::google::longrunning::operations_client::OperationsClient;
use linli_proto::google::longrunning::{Operation, WaitOperationRequest, operation};
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::upload_plugin_version_request::Data;
use linli_proto::rules::*;
use linli_rules::RulesSettings;
use linli_rules::validate::ValidateLimits;
use prost::Message as _;
use sea_orm::ConnectionTrait as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

pub(crate) const OPERATOR: &str = "systems/operator";
/// Another who runs the installation.
pub(crate) const SECOND: &str = "systems/second";
/// Writes rules for xinhua.
pub(crate) const AUTHOR: &str = "systems/author";
/// Checks the books of one grid of xinhua, not of the community.
pub(crate) const GRID_AUDITOR: &str = "systems/grid-auditor";
/// 2026-11-02T08:00 in Shanghai, a Monday.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_793_577_600);

type Auth = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
type Authorised = InterceptedService<Stack, Auth>;
/// A client with a token.
pub(crate) type Client = RulesServiceClient<Authorised>;

/// One service on one engine.
pub(crate) struct Suite {
    signer: Signer,
    stack: Stack,
    booking: Peers,
    cancel: CancellationToken,
    tasks: TaskTracker,
    /// Where the bytes of plugins lie.
    artefacts: Arc<tempfile::TempDir>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<TestStore>,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// One suite per engine.
pub(crate) async fn suites() -> Vec<Suite> {
    let own: Vec<Migration> = linli_rules::migrations().into_iter().filter(|m| m.version >= 900).collect();
    let mut suites = Vec::new();
    for store in stores_with(linli_rules::SERVICE, &own).await {
        let artefacts = Arc::new(tempfile::tempdir().expect("a directory"));
        suites.push(suite(Arc::new(store), artefacts, Arc::new(ManualClock::new(START))).await);
    }
    suites
}

fn access() -> Access {
    let access = Access::new(Matrix::shipped().expect("the shipped matrix"), [OPERATOR.to_owned(), SECOND.to_owned()]);
    let area = |area: &str, parent: &str| AreaRow {
        area: area.into(),
        parent: parent.into(),
        time_zone: "Asia/Shanghai".into(),
    };
    let areas = vec![area("heping", ""), area("xinhua", "heping"), area("guanba", "heping")];
    let units = vec![UnitRow { area: "xinhua".into(), unit: "grid-1".into(), path: "grid-1/".into() }];
    let grant = |appointment: &str, subject: &str, unit: &str, role: &str| GrantRow {
        appointment: appointment.into(),
        subject: subject.into(),
        area: "xinhua".into(),
        unit: unit.into(),
        role: role.into(),
        access_role: role.into(),
        start: Timestamp::from_secs(0),
        end: None,
    };
    let grants = vec![grant("apt-1", GRID_AUDITOR, "grid-1", "auditor"), grant("apt-2", AUTHOR, "", "author")];
    access.replace(Snapshot::new(areas, units, grants));
    access
}

async fn suite(store: Arc<TestStore>, artefacts: Arc<tempfile::TempDir>, clock: Arc<ManualClock>) -> Suite {
    let (issuer, issuer_public) = generate_key_pair().expect("keys");
    let (booking, booking_public) = generate_key_pair().expect("keys");
    let verifier = TokenVerifier::new(&issuer_public, &[("booking".to_owned(), booking_public)]).expect("a verifier");
    let (cancel, tasks, local) = (CancellationToken::new(), TaskTracker::new(), LocalServices::default());
    let identity = Arc::new(ServiceIdentity::from_pem("booking", &booking).expect("an identity"));
    let backends: HashMap<_, _> = [("rules", Backend::Local(local.clone(), "rules"))].into();
    let peers = Peers::new(identity, backends);
    let plain = Store::clone(&**store).with_constraints(linli_rules::CONSTRAINTS);
    let parts = ServiceParts {
        kit: Kit { service: linli_rules::SERVICE, texts: linli_rules::texts(), clock: clock.clone() },
        log: EventLog::new(plain.clone()),
        store: plain,
        peers: peers.clone(),
        keyring: Arc::new(keyring()),
        cancel: cancel.clone(),
        tasks: tasks.clone(),
        retention: Default::default(),
    };
    let settings = RulesSettings {
        artefacts: linli_rules::Artefacts::directory(artefacts.path()).expect("an object store"),
        compiled: Some(linli_rules::Compiled { dir: artefacts.path().join("compiled"), most_bytes: 256 << 20 }),
        worker: Some(PathBuf::from(env!("CARGO_BIN_EXE_linli-validate-worker"))),
        // A debug build on a busy machine compiles slowly.
        limits: ValidateLimits {
            wall: Duration::from_secs(60),
            cpu_seconds: 30,
            compile_seconds: 30,
            ..ValidateLimits::default()
        },
        ..RulesSettings::default()
    };
    let routes = linli_rules::build_with(parts, access(), settings).await.expect("builds");
    let parts = StackParts {
        service: linli_rules::SERVICE,
        texts: linli_rules::texts(),
        verifier: Arc::new(verifier),
        clock: clock.clone(),
        limits: Limits::default(),
        tasks: tasks.clone(),
    };
    let stack = stack::build(&parts, routes);
    local.insert("rules", stack.clone());
    let signer = Signer::from_pem(issuer_key_id(), &issuer).expect("a signer");
    Suite { signer, stack, booking: peers, cancel, tasks, artefacts, clock, store }
}

/// Reason and fields with their reasons of a refusal.
pub(crate) fn refusal(status: &Status) -> (String, Vec<String>) {
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let fields = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let named = fields.into_iter().map(|violation| {
        let reason = violation.description.rsplit_once('[').map_or("", |(_, rest)| rest.trim_end_matches(']'));
        format!("{}: {reason}", violation.field)
    });
    (reason, named.collect())
}

impl Suite {
    /// Another process of the same service, on the same rows and bytes.
    pub(crate) async fn replica(&self) -> Self {
        suite(self.store.clone(), self.artefacts.clone(), self.clock.clone()).await
    }

    /// Ends what runs in the background, as a process that is told to stop does.
    pub(crate) async fn stop(&self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn auth(&self, subject: &str) -> Auth {
        let token = self.signer.issue(subject, Duration::from_secs(600)).expect("a token");
        Box::new(move |mut request| {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
            request.set_timeout(Duration::from_secs(60));
            Ok(request)
        })
    }

    /// A client with the token of a subject.
    pub(crate) fn as_(&self, subject: &str) -> RulesServiceClient<Authorised> {
        RulesServiceClient::with_interceptor(self.stack.clone(), self.auth(subject))
    }

    /// The operations, with the token of a subject.
    pub(crate) fn operations(&self, subject: &str) -> OperationsClient<Authorised> {
        OperationsClient::with_interceptor(self.stack.clone(), self.auth(subject))
    }

    /// A client with the token of the booking service, on behalf of a reader of `lang`.
    pub(crate) fn booking(&self, lang: Lang) -> RulesServiceClient<PeerService> {
        let ctx = Ctx {
            lang,
            deadline: tokio::time::Instant::now() + Duration::from_secs(30),
            ..linli_kit::testing::ctx(OPERATOR)
        };
        RulesServiceClient::new(self.booking.to("rules", &ctx))
    }

    /// Makes a plugin of an area.
    pub(crate) async fn plugin(&self, area: &str, id: &str) -> Plugin {
        let display_name = Some(Text { zh_cn: id.into(), en: id.into() });
        let request = CreatePluginRequest {
            parent: format!("areas/{area}"),
            plugin: Some(Plugin { display_name, ..Plugin::default() }),
            plugin_id: id.into(),
            request_id: String::new(),
        };
        self.as_(OPERATOR).create_plugin(request).await.expect("a plugin").into_inner()
    }

    /// Uploads bytes as a version of a plugin, in chunks.
    pub(crate) async fn upload(&self, header: UploadHeader, bytes: &[u8]) -> Result<PluginVersion, Status> {
        self.upload_as(OPERATOR, header, bytes, 64 << 10).await
    }

    /// The same as somebody, with chunks of a size.
    pub(crate) async fn upload_as(
        &self,
        subject: &str,
        header: UploadHeader,
        bytes: &[u8],
        chunk: usize,
    ) -> Result<PluginVersion, Status> {
        let chunks = bytes.chunks(chunk).map(|chunk| Data::Chunk(chunk.to_vec()));
        let data: Vec<Data> = std::iter::once(Data::Header(header)).chain(chunks).collect();
        self.send(subject, data).await
    }

    /// Sends the messages of an upload as they are.
    pub(crate) async fn send(&self, subject: &str, data: Vec<Data>) -> Result<PluginVersion, Status> {
        let messages = data.into_iter().map(|data| UploadPluginVersionRequest { data: Some(data) });
        let messages: Vec<_> = messages.collect();
        self.as_(subject).upload_plugin_version(futures::stream::iter(messages)).await.map(tonic::Response::into_inner)
    }

    /// Validates a version and waits for the end.
    pub(crate) async fn validate(&self, name: &str) -> PluginVersion {
        let request = ValidatePluginVersionRequest { name: name.into(), request_id: String::new() };
        let started = self.as_(OPERATOR).validate_plugin_version(request).await.expect("starts").into_inner();
        response(&self.wait(started).await)
    }

    pub(crate) async fn wait(&self, started: Operation) -> Operation {
        let request = WaitOperationRequest { name: started.name.clone(), timeout: None };
        let op = self.operations(OPERATOR).wait_operation(request).await.expect("an operation").into_inner();
        assert!(op.done, "{op:?}");
        op
    }

    /// A valid version of a plugin of this repository, in an area.
    pub(crate) async fn ready(&self, area: &str, plugin: &str) -> PluginVersion {
        self.ready_of(area, plugin, &crate::support::built(plugin)).await
    }

    /// A valid version of a guest of the corpus that validation finds nothing wrong with, in an area.
    pub(crate) async fn ready_guest(&self, area: &str, guest: &str) -> PluginVersion {
        self.ready_of(area, guest, &crate::support::guest(guest)).await
    }

    async fn ready_of(&self, area: &str, plugin: &str, bytes: &[u8]) -> PluginVersion {
        let made = self.plugin(area, plugin).await;
        let header = UploadHeader { parent: made.name, ..UploadHeader::default() };
        let uploaded = self.upload(header, bytes).await.expect("an upload");
        let version = self.validate(&uploaded.name).await;
        assert_eq!(version.state(), PluginVersionState::Valid, "{:?}", version.problems);
        version
    }

    /// Changes rows behind the service's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        let changed = self
            .store
            .write("test.tamper", |tx| {
                Box::pin(async move { Ok(tx.conn().execute_raw(tx.statement(sql, [])).await?.rows_affected()) })
            })
            .await;
        assert_eq!(changed.expect("writes"), 1, "{sql}");
    }

    /// The file in which the bytes of a digest lie.
    pub(crate) fn artefact(&self, digest: &str) -> PathBuf {
        self.artefacts.path().join("artefacts").join(&digest[..2]).join(digest)
    }

    /// Files of compiled plugins.
    pub(crate) fn compiled(&self) -> usize {
        std::fs::read_dir(self.artefacts.path().join("compiled")).map_or(0, Iterator::count)
    }

    /// Waits until a version is in a state.
    pub(crate) async fn until_state(&self, version: &str, state: PluginVersionState) -> PluginVersion {
        for _ in 0..200 {
            let request = GetPluginVersionRequest { name: version.into() };
            let found = self.as_(OPERATOR).get_plugin_version(request).await.expect("a version").into_inner();
            if found.state() == state {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{version} does not come to {state:?}");
    }

    /// Sets how many faults are too many in xinhua.
    pub(crate) async fn quarantine_after(&self, quarantine_faults: i32) {
        let name = "areas/xinhua/rulesPolicy".into();
        let policy = RulesPolicy { name, quarantine_faults, ..RulesPolicy::default() };
        let request = UpdateRulesPolicyRequest { rules_policy: Some(policy), ..UpdateRulesPolicyRequest::default() };
        self.as_(OPERATOR).update_rules_policy(request).await.expect("a policy");
    }

    /// Binds.
    pub(crate) async fn bind(&self, area: &str, id: &str, binding: RuleBinding) -> Result<RuleBinding, Status> {
        let request = CreateRuleBindingRequest {
            parent: format!("areas/{area}"),
            rule_binding: Some(binding),
            rule_binding_id: id.into(),
            request_id: String::new(),
        };
        self.as_(OPERATOR).create_rule_binding(request).await.map(tonic::Response::into_inner)
    }

    /// What is in force in xinhua.
    pub(crate) async fn in_force(&self, hook: &str, kind: &str) -> EffectiveRules {
        let request = GetEffectiveRulesRequest {
            parent: "areas/xinhua".into(),
            hook: hook.into(),
            kind: kind.into(),
            any_kind: false,
        };
        self.booking(Lang::ZhCn).get_effective_rules(request).await.expect("rules").into_inner()
    }

    /// Every invariant holds.
    pub(crate) async fn verify(&self) {
        for check in self.checks(OPERATOR).await {
            assert!(check.violations.is_empty() && check.checked > 0, "{check:?}");
        }
    }

    /// What a recount by somebody says, of artefacts and of bindings.
    pub(crate) async fn checks(&self, subject: &str) -> [InvariantCheck; 3] {
        let request = VerifyInvariantsRequest { parent: "areas/-".into() };
        let answer = self.as_(subject).verify_invariants(request).await.expect("counts").into_inner();
        let checks: [InvariantCheck; 3] = answer.checks.try_into().expect("three checks");
        assert_eq!(
            checks.each_ref().map(|c| c.invariant.as_str()),
            ["rules.artifacts", "rules.bindings", "rules.changes"]
        );
        checks
    }
}

/// The version with which a validation ended.
pub(crate) fn response(op: &Operation) -> PluginVersion {
    match &op.result {
        Some(operation::Result::Response(any)) => PluginVersion::decode(any.value.as_ref()).expect("a version"),
        other => panic!("no response: {other:?}"),
    }
}

/// A binding of a version to a hook.
pub(crate) fn binding(hook: &str, version: &PluginVersion, settings: Vec<Setting>) -> RuleBinding {
    RuleBinding { hook: hook.into(), plugin_version: version.name.clone(), settings, ..RuleBinding::default() }
}

pub(crate) fn number(key: &str, value: i32) -> Setting {
    Setting { key: key.into(), value: Some(setting::Value::Number(value)) }
}

pub(crate) fn numbers(key: &str, values: &[i32]) -> Setting {
    Setting { key: key.into(), value: Some(setting::Value::Numbers(Numbers { values: values.to_vec() })) }
}

pub(crate) fn flag(key: &str, value: bool) -> Setting {
    Setting { key: key.into(), value: Some(setting::Value::Flag(value)) }
}
