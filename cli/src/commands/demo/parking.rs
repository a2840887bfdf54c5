//! Act 5: fuqiang's parking topic, from the whiteboard through the six steps to a ballot, a result and the archive.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use linli_proto::common::Text;
use linli_proto::deliberation::{
    AdvanceTopicRequest, Ballot, BallotState, CastVoteRequest, Choice, CloseBallotRequest, CreateBallotRequest,
    CreateTopicRequest, GetTopicRequest, ListArchivesRequest, ListVotesRequest, Outcome, RecordStageRequest,
    StageRecord, SupportTopicRequest, Topic, TopicState,
};
use linli_proto::org::Person;

use super::bookings::YEAR;
use super::stage::{Stage, beijing, refusal};
use crate::client::Connection;

const AREA: &str = "areas/fuqiang";

/// Plays the act; it begins when act 4 has ended.
pub(super) async fn play(stage: &mut Stage<'_>) -> Result<()> {
    stage.heading(5, "fuqiang: parking at 东胜小区, from the whiteboard to the archive (M91-M95, M98)");
    let residents = stage.people("fuqiang").await?;
    let residents: Vec<Person> = residents.into_iter().filter(|p| p.unit.contains("/units/dongsheng")).collect();
    let adults: Vec<&Person> = residents.iter().filter(|p| p.birth_year != 0 && YEAR - p.birth_year >= 19).collect();
    let convener = stage.actor(&stage.holder("fuqiang", "council-convener").await?)?;
    let branch = stage.actor(&stage.holder_at("fuqiang", "branch-secretary", "dongsheng").await?)?;

    lamp(stage, adults.first().context("a resident")?).await?;
    let topic = raise(stage, adults.first().context("a resident")?).await?;
    skipping(stage, &convener, &topic).await?;
    for person in adults.iter().skip(1).take(5) {
        let support = SupportTopicRequest { name: topic.clone(), ..Default::default() };
        stage.actor(&person.name)?.deliberation().support_topic(support).await.context("supporting the topic")?;
    }
    stage.line("1 collect: five neighbours support it");
    advance(stage, &convener, &topic, "screen").await?;
    record(&branch, &topic, "decision", "branch-secretary", "同意纳入议事").await?;
    advance(stage, &convener, &topic, "draft").await?;
    record(&convener, &topic, "survey", "council-convener", "入户调研120户，车位缺口26个").await?;
    record(&convener, &topic, "draft", "council-convener", "方案：划线车位38个，轮流停放").await?;
    advance(stage, &convener, &topic, "deliberate").await?;
    record(&convener, &topic, "minutes", "council-convener", "协商会记录：到会23人").await?;
    ballot(stage, &convener, &topic, &adults).await?;
    advance(stage, &convener, &topic, "publish").await?;
    record(&convener, &topic, "publication", "council-convener", "表决结果公示").await?;
    record(&convener, &topic, "work", "council-convener", "划线完成，监督小组验收").await?;
    stage.advance(16, 20, 0).await?;
    advance(stage, &convener, &topic, "file").await?;
    record(&convener, &topic, "answer", "council-convener", "停车难已解决，回复提出人").await?;
    archive(stage, &convener, &topic).await
}

/// A topic that names no process: the community's rule chooses its way (急事快议).
async fn lamp(stage: &mut Stage<'_>, resident: &Person) -> Result<()> {
    let request = CreateTopicRequest {
        parent: AREA.to_owned(),
        topic: Some(Topic {
            unit: format!("{AREA}/units/dongsheng"),
            kind: "lighting".to_owned(),
            title: "楼道灯全灭了".to_owned(),
            body: "三单元楼道灯昨晚全灭，老人下楼危险。".to_owned(),
            tags: vec!["urgent".to_owned()],
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let made = stage.actor(&resident.name)?.deliberation().create_topic(request).await.context("raising a topic")?;
    let made = made.into_inner();
    let why = made.track_reason.map(|reason| reason.message).unwrap_or_default();
    stage.line(format!("the lamps of a stairway are out; the community's rule says: {why}"));
    let way = format!("{AREA}/processTemplates/track-urgent");
    stage.expect(made.process_template == way, format!("an urgent matter goes {way}, not {}", made.process_template));
    Ok(())
}

async fn raise(stage: &Stage<'_>, resident: &Person) -> Result<String> {
    let request = CreateTopicRequest {
        parent: AREA.to_owned(),
        topic: Some(Topic {
            process_template: format!("{AREA}/processTemplates/six-steps"),
            unit: format!("{AREA}/units/dongsheng"),
            kind: "parking".to_owned(),
            source: "whiteboard".to_owned(),
            title: "东胜小区停车难".to_owned(),
            body: "晚上回来没有车位，消防通道也被占了。".to_owned(),
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let made = stage.actor(&resident.name)?.deliberation().create_topic(request).await.context("raising the topic")?;
    stage.line("a resident writes \"东胜小区停车难\" on the whiteboard");
    Ok(made.into_inner().name)
}

/// No step can be skipped: without support the topic stays where it is.
async fn skipping(stage: &mut Stage<'_>, convener: &Connection, topic: &str) -> Result<()> {
    let request = AdvanceTopicRequest { name: topic.to_owned(), ..Default::default() };
    match convener.deliberation().advance_topic(request).await {
        Ok(_) => stage.expect(false, "a topic without support must not move on"),
        Err(status) => {
            let (reason, message) = refusal(&status);
            stage.line(format!("moving on too soon is refused: {message}"));
            stage.expect(
                reason == "CONDITIONS_NOT_MET",
                format!("unmet conditions answer CONDITIONS_NOT_MET, not {reason}"),
            );
        }
    }
    Ok(())
}

async fn advance(stage: &mut Stage<'_>, convener: &Connection, topic: &str, stage_id: &str) -> Result<()> {
    let request = AdvanceTopicRequest {
        name: topic.to_owned(),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let now =
        convener.deliberation().advance_topic(request).await.with_context(|| format!("moving on to {stage_id}"))?;
    let now = now.into_inner();
    stage.line(format!("→ {stage_id}"));
    stage.expect(now.stage == stage_id, format!("the topic is at {}, not at {stage_id}", now.stage));
    Ok(())
}

async fn record(actor: &Connection, topic: &str, kind: &str, role: &str, text: &str) -> Result<()> {
    let outcome = if kind == "decision" { Outcome::Approved } else { Outcome::Unspecified };
    let request = RecordStageRequest {
        name: topic.to_owned(),
        record: Some(StageRecord {
            kind: kind.to_owned(),
            role: role.to_owned(),
            text: text.to_owned(),
            outcome: outcome.into(),
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..Default::default()
    };
    actor.deliberation().record_stage(request).await.with_context(|| format!("recording {kind}"))?;
    Ok(())
}

async fn ballot(stage: &mut Stage<'_>, convener: &Connection, topic: &str, adults: &[&Person]) -> Result<()> {
    let close = beijing(14, 19, 0)?;
    let request = CreateBallotRequest {
        parent: AREA.to_owned(),
        ballot: Some(Ballot {
            topic: topic.to_owned(),
            question: Some(Text {
                zh_cn: "是否同意划线轮流停放？".to_owned(),
                en: "Mark and share parking?".to_owned(),
            }),
            close_time: Some(prost_types::Timestamp { seconds: close.timestamp(), nanos: 0 }),
            ..Default::default()
        }),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let ballot = convener.deliberation().create_ballot(request).await.context("opening the ballot")?.into_inner();
    stage.line(format!("the ballot opens: {} households are entitled", ballot.electors));
    stage.expect(ballot.electors == 120, format!("120 households vote, not {}", ballot.electors));

    let mut voters: BTreeMap<&str, &Person> = BTreeMap::new();
    for person in adults {
        voters.entry(&person.household).or_insert(person);
    }
    let voters: Vec<&Person> = voters.into_values().take(88).collect();
    let bar = stage.bar(voters.len(), "voting");
    let mut receipts = Vec::new();
    for (i, person) in voters.iter().enumerate() {
        let choice = match i % 8 {
            0 => Choice::No,
            1 => Choice::Abstain,
            _ => Choice::Yes,
        };
        let vote = CastVoteRequest { name: ballot.name.clone(), choice: choice.into(), ..Default::default() };
        let cast = stage.actor(&person.name)?.deliberation().cast_vote(vote).await.context("casting a vote")?;
        receipts.push((cast.into_inner().receipt_code, choice));
        bar.inc(1);
    }
    bar.finish_and_clear();
    stage.advance(14, 19, 1).await?;
    let close = CloseBallotRequest { name: ballot.name.clone(), ..Default::default() };
    let closed = convener.deliberation().close_ballot(close).await.context("closing the ballot")?.into_inner();
    let result = closed.result.context("a closed ballot has a result")?;
    stage.line(format!(
        "{} of {} took part ({} were needed): {} yes, {} no, {} abstained ({} yes were needed): {}",
        result.participants,
        closed.electors,
        result.quorum_needed,
        result.yes,
        result.no,
        result.abstain,
        result.yes_needed,
        if result.passed { "passed" } else { "not passed" }
    ));
    stage.expect(ballot.state() == BallotState::Open && result.passed, "the ballot opens and passes");
    let cast = i32::try_from(voters.len()).unwrap_or(i32::MAX);
    stage.expect(result.participants == cast, "every vote is counted");
    published(stage, &ballot.name, &receipts).await
}

/// Each voter finds their own vote among the published ones by its receipt code.
async fn published(stage: &mut Stage<'_>, ballot: &str, receipts: &[(String, Choice)]) -> Result<()> {
    let request = ListVotesRequest { name: ballot.to_owned(), page_size: 1000, ..Default::default() };
    let votes = stage.operator.deliberation().list_votes(request).await.context("published votes")?.into_inner().votes;
    let found = receipts
        .iter()
        .all(|(code, choice)| votes.iter().any(|vote| vote.receipt_code == *code && vote.choice() == *choice));
    stage.line(format!("{} votes are published; every voter finds their own by its receipt code", votes.len()));
    stage.expect(found, "each receipt code stands beside the choice that was cast");
    Ok(())
}

async fn archive(stage: &mut Stage<'_>, convener: &Connection, topic: &str) -> Result<()> {
    let request = AdvanceTopicRequest { name: topic.to_owned(), ..Default::default() };
    convener.deliberation().advance_topic(request).await.context("filing the topic")?;
    let now = convener.deliberation().get_topic(GetTopicRequest { name: topic.to_owned() }).await?.into_inner();
    stage.expect(now.state() == TopicState::Archived, "the topic is archived");
    let request =
        ListArchivesRequest { parent: AREA.to_owned(), filter: format!("topic = \"{topic}\""), ..Default::default() };
    let files = convener.deliberation().list_archives(request).await?.into_inner().archives;
    let digest = files.first().map(|a| a.digest.clone()).unwrap_or_default();
    stage.line(format!(
        "the file is closed: {} archive, SHA-256 {}…",
        files.len(),
        digest.get(..12).unwrap_or_default()
    ));
    stage.expect(files.len() == 1, "the topic has one archive");
    Ok(())
}
