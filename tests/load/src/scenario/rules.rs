//! RulesService/Evaluate by a service: may this resident have a haircut? One plugin, one binding.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use linli_harness::Actor;
use linli_harness::seed::{request_id, text};
use linli_proto::rules as pb;
use linli_proto::rules::evaluate_response::Answer;
use linli_proto::rules::rules_service_client::RulesServiceClient;
use linli_proto::rules::upload_plugin_version_request::Data;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::access::Shape;
use super::{AREA, bearer, operator, people, request};
use crate::drive::{Outcome, Span, Watched, Worker, connect, drive};
use crate::play::Player;

/// Id of the plugin.
const PLUGIN: &str = "haircut";
/// Bytes of one message of an upload.
const CHUNK: usize = 60 << 10;

/// A suite with a rule in force.
pub(crate) struct Rules {
    player: Player,
    token: MetadataValue<Ascii>,
    channels: Vec<Channel>,
    shape: Shape,
}

struct Ask {
    client: RulesServiceClient<Channel>,
    token: MetadataValue<Ascii>,
    question: pb::EvaluateRequest,
}

impl Worker for Ask {
    async fn step(&mut self) -> Result<(), Status> {
        let answer = self.client.evaluate(request(self.question.clone(), &self.token)).await?.into_inner();
        match answer.answer {
            Some(Answer::Eligibility(_)) if !answer.parts.is_empty() => Ok(()),
            other => Err(Status::from(std::io::Error::other(format!("no rule answered: {other:?}")))),
        }
    }
}

/// May somebody have a haircut?
pub(crate) fn question() -> pb::EvaluateRequest {
    let now = Some(prost_types::Timestamp { seconds: 1_795_000_000, nanos: 0 });
    let facts = pb::EligibilityFacts {
        who: Some(pb::Member { handle: 1, age_years: 81, standing: "resident".into(), ..Default::default() }),
        used: Some(pb::Usage::default()),
        slot: Some(pb::SlotFacts {
            offering: "haircut".into(),
            kind: "haircut".into(),
            start_time: now,
            length_min: 30,
            capacity: 12,
            ..Default::default()
        }),
        party: 1,
        ..Default::default()
    };
    pb::EvaluateRequest {
        parent: format!("areas/{AREA}"),
        kind: "haircut".into(),
        now,
        utc_offset_min: 480,
        seed: 1,
        bucket: 0,
        facts: Vec::new(),
        hook: Some(pb::evaluate_request::Hook::Eligibility(facts)),
    }
}

impl Rules {
    /// Starts a suite, uploads the haircut rule and binds it.
    pub(crate) async fn start(url: Option<&str>, shape: Shape) -> Result<Self> {
        let player = Player::suite(url, None)?;
        let operator = operator(&player).await?;
        people(&operator, 2).await?;
        bind(&operator).await?;
        let token = bearer(&[player.service_token("booking")?])?[0].clone();
        let channels = connect(player.addresses.services, shape.connections).await?;
        let rules = Self { player, token, channels, shape };
        rules.settle().await?;
        Ok(rules)
    }

    /// The first answers come once the plugin is compiled.
    async fn settle(&self) -> Result<()> {
        let mut ask = self.worker(&self.channels[0]);
        for _ in 0..100 {
            match ask.step().await {
                Ok(()) => return Ok(()),
                Err(status) if status.code() == Code::PermissionDenied => bail!("{}", status.message()),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
        ask.step().await.context("the rule does not answer")
    }

    fn worker(&self, channel: &Channel) -> Ask {
        let client = RulesServiceClient::new(channel.clone());
        Ask { client, token: self.token.clone(), question: question() }
    }

    /// One measured run.
    pub(crate) async fn run(&self, span: Span, database: Option<u32>) -> Result<Outcome> {
        let channels = self.channels.iter();
        let workers = channels.flat_map(|channel| (0..self.shape.streams).map(|_| self.worker(channel)));
        drive(workers.collect(), span, Watched { server: Some(self.player.pid()), database }).await
    }
}

/// Uploads the haircut rule and binds it; returns its bytes.
pub(crate) async fn bind(operator: &Actor) -> Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/target/components/haircut.wasm");
    let component = std::fs::read(&path).with_context(|| format!("{}: cargo xtask plugins", path.display()))?;
    let plugin = Some(pb::Plugin { display_name: text("义剪", "Haircut"), ..Default::default() });
    let create = pb::CreatePluginRequest {
        parent: format!("areas/{AREA}"),
        plugin,
        plugin_id: PLUGIN.into(),
        request_id: request_id(),
    };
    operator.rules().create_plugin(create).await?;
    rebind(operator, &component).await?;
    Ok(component)
}

/// Uploads a version of the rule and binds it in the place of what was bound; returns its name.
pub(crate) async fn rebind(operator: &Actor, component: &[u8]) -> Result<String> {
    let parent = format!("areas/{AREA}");
    let version = upload(operator, &format!("{parent}/plugins/{PLUGIN}"), component).await?;
    valid(operator, &version).await?;
    let binding = pb::RuleBinding {
        name: format!("{parent}/ruleBindings/monthly"),
        hook: "booking-eligibility".into(),
        plugin_version: version.clone(),
        kinds: vec!["haircut".into()],
        ..Default::default()
    };
    let update = pb::UpdateRuleBindingRequest {
        rule_binding: Some(binding),
        allow_missing: true,
        request_id: request_id(),
        ..Default::default()
    };
    operator.rules().update_rule_binding(update).await?;
    Ok(version)
}

/// Uploads a version of a plugin and has it validated; its name.
pub(crate) async fn upload(operator: &Actor, plugin: &str, bytes: &[u8]) -> Result<String> {
    let header = pb::UploadHeader { parent: plugin.to_owned(), request_id: request_id(), ..Default::default() };
    let chunks = bytes.chunks(CHUNK).map(|chunk| Data::Chunk(chunk.to_vec()));
    let messages: Vec<_> = std::iter::once(Data::Header(header))
        .chain(chunks)
        .map(|data| pb::UploadPluginVersionRequest { data: Some(data) })
        .collect();
    let version = operator.rules().upload_plugin_version(futures::stream::iter(messages)).await?.into_inner().name;
    let validate = pb::ValidatePluginVersionRequest { name: version.clone(), request_id: request_id() };
    operator.rules().validate_plugin_version(validate).await?;
    Ok(version)
}

/// Waits until a version is valid.
pub(crate) async fn valid(operator: &Actor, version: &str) -> Result<()> {
    let get = pb::GetPluginVersionRequest { name: version.to_owned() };
    for _ in 0..600 {
        match operator.rules().get_plugin_version(get.clone()).await?.into_inner().state() {
            pb::PluginVersionState::Uploaded => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            pb::PluginVersionState::Valid => return Ok(()),
            other => bail!("{version} is {other:?}"),
        }
    }
    bail!("{version} was not validated")
}
