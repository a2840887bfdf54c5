//! An area whose rules loop until their budget is gone, asked by more callers than there are cores, while somebody uploads one
//! version after another to be compiled. Never: an attack that has ended unnoticed; it counts what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use linli_harness::seed::{request_id, text};
use linli_harness::{Actor, seed};
use linli_kit::stack::Stack;
use linli_proto::common::Amount;
use linli_proto::rules as pb;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use tonic::metadata::{Ascii, MetadataValue};

use super::request;
use super::rules::{upload, valid};

const AREA: &str = "crowd";
/// The minute at which the guest of the corpus loops.
const LOOPS: i64 = 40_000_001;
/// As many faults as a charter may allow: quarantine would end the attack.
const FAULTS: i32 = 1_000;

/// Who attacks.
pub(crate) struct Attack {
    client: RulesServiceClient<Stack>,
    token: MetadataValue<Ascii>,
    bytes: Vec<u8>,
    uploads: AtomicU32,
}

/// An attack under way.
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    faults: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Attack {
    /// Makes the area and binds the rule that loops.
    pub(crate) async fn prepare(
        operator: &Actor,
        client: RulesServiceClient<Stack>,
        token: MetadataValue<Ascii>,
    ) -> Result<Self> {
        seed::community(operator, AREA).await;
        let name = format!("areas/{AREA}/rulesPolicy");
        let policy =
            pb::RulesPolicy { name, quarantine_faults: FAULTS, quarantine_window_min: 1, ..Default::default() };
        let update = pb::UpdateRulesPolicyRequest { rules_policy: Some(policy), ..Default::default() };
        operator.rules().update_rules_policy(update).await?;
        let create = pb::CreatePluginRequest {
            parent: format!("areas/{AREA}"),
            plugin: Some(pb::Plugin { display_name: text("循环", "Loops"), ..Default::default() }),
            plugin_id: "loops".into(),
            request_id: request_id(),
        };
        operator.rules().create_plugin(create).await?;
        let attack = Self { client, token, bytes: guest()?, uploads: AtomicU32::new(0) };
        let version = attack.upload(operator).await?;
        valid(operator, &version).await?;
        let binding = pb::RuleBinding {
            name: format!("areas/{AREA}/ruleBindings/loops"),
            hook: "points-award".into(),
            plugin_version: version,
            ..Default::default()
        };
        let update = pb::UpdateRuleBindingRequest {
            rule_binding: Some(binding),
            allow_missing: true,
            request_id: request_id(),
            ..Default::default()
        };
        operator.rules().update_rule_binding(update).await?;
        Ok(attack)
    }

    /// Uploads one version more and has it validated; its name.
    async fn upload(&self, operator: &Actor) -> Result<String> {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        // An empty custom section more: other bytes, the same rule.
        let bytes = [&*self.bytes, &[0, 5, 0], &number].concat();
        upload(operator, &format!("areas/{AREA}/plugins/loops"), &bytes).await
    }

    /// Attacks until it is told to end; the first fault has been given by then.
    pub(crate) async fn begin(&self, operator: &Actor) -> Result<Running> {
        let (stop, faults) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers = 2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let mut tasks = Vec::with_capacity(callers);
        for _ in 0..callers {
            let (mut client, token) = (self.client.clone(), self.token.clone());
            let (stop, faults) = (stop.clone(), faults.clone());
            tasks.push(tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if client
                        .evaluate(request(question(), &token))
                        .await
                        .is_err_and(|status| status.code() == tonic::Code::Unavailable)
                    {
                        faults.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }));
        }
        // Its compilation runs beside.
        self.upload(operator).await?;
        for _ in 0..200 {
            if faults.load(Ordering::Relaxed) > 0 {
                return Ok(Running { stop, faults, tasks });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.store(true, Ordering::Relaxed);
        Err(anyhow!("the attack does not begin"))
    }
}

impl Running {
    /// Ends it; it must have been one until now.
    pub(crate) async fn end(self) -> Result<()> {
        let before = self.faults.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let goes_on = self.faults.load(Ordering::Relaxed) > before;
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await?;
        }
        ensure!(goes_on, "the attack had ended before it was told to");
        Ok(())
    }
}

fn question() -> pb::EvaluateRequest {
    let facts = pb::AwardFacts {
        actor: Some(pb::Member { handle: 1, ..Default::default() }),
        kind: "shift-completed".into(),
        role: "volunteer".into(),
        cap: Some(Amount { asset: "hearts".into(), value: 5 }),
        ..Default::default()
    };
    pb::EvaluateRequest {
        parent: format!("areas/{AREA}"),
        now: Some(prost_types::Timestamp { seconds: LOOPS * 60, nanos: 0 }),
        utc_offset_min: 480,
        hook: Some(pb::evaluate_request::Hook::Award(facts)),
        ..Default::default()
    }
}

/// The guest of the hostile corpus that behaves while it is validated.
fn guest() -> Result<Vec<u8>> {
    const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../services/rules/engine/tests/hostile/guests");
    let read = |name: &str| std::fs::read_to_string(format!("{GUESTS}/{name}.wat")).with_context(|| name.to_owned());
    let mut module = wat::parse_str(read("skeleton")?.replace(";; BODY", &read("off-corpus")?))?;
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("rules.wit", include_str!("../../../../plugins/wit/rules.wit"))?;
    let world = resolve.select_world(&[package], Some("award-rule"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)?;
    wit_component::ComponentEncoder::default().module(&module)?.encode()
}
