use super::App;
use linli_kit::{Ctx, Error, ErrorCode, Result};
use linli_proto::google::longrunning::Operation;
use linli_proto::rules as pb;
use std::sync::Arc;
impl App {
    pub(crate) async fn simulate_rule(&self, _: &Arc<Ctx>, _: pb::SimulateRuleRequest) -> Result<Operation> {
        Err(Error::new(ErrorCode::Unavailable, "VALIDATOR_UNAVAILABLE"))
    }
}
