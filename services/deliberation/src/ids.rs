//! Ids and names of what deliberation records.

use uuid::Uuid;

linli_kernel::define_id!(
    /// A topic.
    TopicId,
    "top"
);
linli_kernel::define_id!(
    /// A stage record.
    StageRecordId,
    "rec"
);
linli_kernel::define_id!(
    /// A ballot; random, holds no time.
    BallotId,
    "bal"
);
linli_kernel::define_id!(
    /// An archive.
    ArchiveId,
    "arc"
);

linli_kernel::define_id!(
    /// A receipt of what rules said about a topic.
    TopicReceiptId,
    "trc"
);

/// Collection of topics.
pub(crate) const TOPICS: &str = "topics";
/// Collection of stage records.
pub(crate) const RECORDS: &str = "stageRecords";
/// Collection of ballots.
pub(crate) const BALLOTS: &str = "ballots";
/// Collection of archives.
pub(crate) const ARCHIVES: &str = "archives";
/// Collection of receipts.
pub(crate) const RECEIPTS: &str = "topicReceipts";
/// Collection of process templates.
pub(crate) const TEMPLATES: &str = "processTemplates";
/// Collection of units.
pub(crate) const UNITS: &str = "units";
/// Collection of people.
pub(crate) const PEOPLE: &str = "people";
/// Collection of households.
pub(crate) const HOUSEHOLDS: &str = "households";

/// The name of a recorded resource whose area is a stored slug.
pub(crate) fn recorded<I: linli_kernel::Id>(area: &str, collection: &str, id: Uuid) -> String {
    format!("areas/{area}/{collection}/{}", I::from_uuid(id))
}

/// The name of a topic.
pub(crate) fn topic(area: &str, id: Uuid) -> String {
    recorded::<TopicId>(area, TOPICS, id)
}

/// The name of a ballot.
pub(crate) fn ballot(area: &str, id: Uuid) -> String {
    recorded::<BallotId>(area, BALLOTS, id)
}

/// The name of a unit; empty when there is none.
pub(crate) fn unit(area: &str, unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!("areas/{area}/{UNITS}/{unit}") }
}
