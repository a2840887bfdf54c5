//! PointsService/CreateTransfer between many accounts, against the same in one statement.

use anyhow::Result;
use linli_proto::common::{Amount, Text};
use linli_proto::points as pb;
use linli_proto::points::points_service_client::PointsServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use super::access::Shape;
use super::{AREA, Counter, OPERATOR, Tokens, bearer, hold, operator, people, request, verify};
use crate::drive::{Outcome, Span, Watched, Worker, connect, drive};
use crate::play::Player;

const ASSET: &str = "points";
/// Nobody runs dry in a run.
const GRANT: i64 = 1_000_000;

/// A suite with an asset and holders of it.
pub(crate) struct Transfers {
    player: Player,
    holders: std::sync::Arc<Vec<String>>,
    tokens: Tokens,
    counter: Counter,
    channels: Vec<Channel>,
    shape: Shape,
}

struct Pay {
    client: PointsServiceClient<Channel>,
    holders: std::sync::Arc<Vec<String>>,
    tokens: Tokens,
    counter: Counter,
}

fn order(from: &str, to: &str, value: i64) -> pb::CreateTransferRequest {
    let amount = Some(Amount { asset: ASSET.to_owned(), value });
    let transfer = pb::Transfer { amount, from: from.to_owned(), to: to.to_owned(), ..pb::Transfer::default() };
    let request_id = uuid::Uuid::new_v4().to_string();
    pb::CreateTransferRequest { parent: format!("areas/{AREA}"), transfer: Some(transfer), request_id }
}

impl Worker for Pay {
    async fn step(&mut self) -> Result<(), Status> {
        let n = self.counter.next();
        let count = self.holders.len() as u64;
        // Two different holders, spread: consecutive numbers are far apart.
        let at = |n: u64| usize::try_from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % count).unwrap_or(0);
        let (from, mut to) = (at(n), at(n.wrapping_add(0x5555)));
        if from == to {
            to = (to + 1) % self.holders.len();
        }
        let order = order(&self.holders[from], &self.holders[to], 1);
        self.client.create_transfer(request(order, &self.tokens[0])).await.map(drop)
    }
}

impl Transfers {
    /// Starts a suite and gives every holder something.
    pub(crate) async fn start(url: Option<&str>, holders: usize, shape: Shape) -> Result<Self> {
        let player = Player::suite(url, None)?;
        let operator = operator(&player).await?;
        let (_, names) = people(&operator, holders).await?;
        let text = Text { zh_cn: "积分".into(), en: "points".into() };
        let asset = pb::Asset { display_name: Some(text), transferable: true, ..pb::Asset::default() };
        let create = pb::CreateAssetRequest {
            parent: format!("areas/{AREA}"),
            asset: Some(asset),
            asset_id: ASSET.to_owned(),
            ..Default::default()
        };
        operator.points().create_asset(create).await?;
        for part in names.chunks(500) {
            let requests = part.iter().map(|name| order("issuance", name, GRANT)).collect();
            let batch = pb::BatchCreateTransfersRequest { parent: format!("areas/{AREA}"), requests };
            operator.points().batch_create_transfers(batch).await?;
        }
        let tokens = bearer(&player.tokens([OPERATOR])?)?;
        let channels = connect(player.addresses.services, shape.connections).await?;
        let counter = Counter::default();
        Ok(Self { player, holders: names.into(), tokens, counter, channels, shape })
    }

    /// One measured run.
    pub(crate) async fn run(&self, span: Span, database: Option<u32>) -> Result<Outcome> {
        let workers = self.channels.iter().flat_map(|channel| {
            (0..self.shape.streams).map(|_| Pay {
                client: PointsServiceClient::new(channel.clone()),
                holders: self.holders.clone(),
                tokens: self.tokens.clone(),
                counter: self.counter.clone(),
            })
        });
        drive(workers.collect(), span, Watched { server: Some(self.player.pid()), database }).await
    }

    /// Every asset sums to zero, every balance is the sum of its entries; returns how much was looked at.
    pub(crate) async fn books(&self) -> Result<i64> {
        let operator = operator(&self.player).await?;
        hold("points", operator.points().verify_invariants(verify()).await?.get_ref())
    }
}
