//! OrgService/CheckAccess, which checks a token and a permission and nothing else, against a bare tonic server.

use std::net::SocketAddr;

use anyhow::Result;
use linli_proto::org as pb;
use linli_proto::org::org_service_client::OrgServiceClient;
use tonic::Status;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::{AREA, bearer, operator, people, request};
use crate::drive::{Outcome, Span, Watched, Worker, connect, drive};
use crate::play::Player;
use crate::report::Comparison;

struct Check {
    client: OrgServiceClient<Channel>,
    token: MetadataValue<Ascii>,
    name: String,
}

impl Worker for Check {
    async fn step(&mut self) -> Result<(), Status> {
        let message = pb::CheckAccessRequest { name: self.name.clone() };
        self.client.check_access(request(message, &self.token)).await.map(drop)
    }
}

/// Connections and the streams on each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Connections.
    pub(crate) connections: usize,
    /// Callers of one connection at once.
    pub(crate) streams: usize,
}

async fn measure(at: SocketAddr, pid: u32, token: &str, shape: Shape, span: Span) -> Result<Outcome> {
    let channels = connect(at, shape.connections).await?;
    let token = bearer(&[token.to_owned()])?[0].clone();
    let name = format!("areas/{AREA}");
    let workers = channels.iter().flat_map(|channel| {
        (0..shape.streams).map(|_| Check {
            client: OrgServiceClient::new(channel.clone()),
            token: token.clone(),
            name: name.clone(),
        })
    });
    drive(workers.collect(), span, Watched { server: Some(pid), database: None }).await
}

/// Bare server, full stack and gateway in turn: the stack against the bare server, and the gateway against it.
pub(crate) async fn run(
    url: Option<&str>,
    core: Option<usize>,
    shape: Shape,
    rounds: usize,
    span: Span,
) -> Result<[Comparison; 2]> {
    let echo = Player::echo(core)?;
    let suite = Player::suite(url, core)?;
    // Somebody whose permission comes from an appointment, not from a list of operators.
    let (community, _) = people(&operator(&suite).await?, 2).await?;
    let token = suite.tokens([community.secretary.as_str()])?.remove(0);
    let store = if url.is_some() { "PostgreSQL" } else { "SQLite" };
    let shape_name = format!("{} x {}, {store}", shape.connections, shape.streams);
    let mut direct = Comparison::new(format!("CheckAccess, {shape_name}"));
    let mut edge = Comparison::new(format!("CheckAccess by the gateway, {shape_name}"));
    for _ in 0..rounds {
        let floor = measure(echo.addresses.services, echo.pid(), &token, shape, span).await?;
        let stack = measure(suite.addresses.services, suite.pid(), &token, shape, span).await?;
        let gateway = measure(suite.addresses.gateway, suite.pid(), &token, shape, span).await?;
        edge.floor.push(floor.clone());
        direct.floor.push(floor);
        direct.linli.push(stack);
        edge.linli.push(gateway);
    }
    Ok([direct, edge])
}
