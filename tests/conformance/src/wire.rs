//! Any RPC by its name: requests and answers as JSON, over the descriptors of the contract.

use std::sync::LazyLock;

use linli_proto::MethodInfo;
use prost::Message as _;
use prost::bytes::{Buf as _, BufMut as _};
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// One RPC of the contract.
#[derive(Debug, Clone)]
pub(crate) struct Rpc {
    pub(crate) info: &'static MethodInfo,
    pub(crate) descriptor: MethodDescriptor,
}

static RPCS: LazyLock<Vec<Rpc>> = LazyLock::new(|| {
    let all = linli_proto::pool().services().flat_map(|service| service.methods().collect::<Vec<_>>());
    all.filter_map(|descriptor| {
        let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        Some(Rpc { info: linli_proto::methods().get(&path)?, descriptor })
    })
    .collect()
});

/// Every RPC of the contract.
pub(crate) fn rpcs() -> &'static [Rpc] {
    &RPCS
}

impl Rpc {
    /// `org.CreateUnit`, `events.ListEvents`, `operations.GetOperation`.
    pub(crate) fn short(&self) -> String {
        let service = self.info.path.strip_prefix("/linli.").and_then(|rest| rest.split('.').next());
        format!("{}.{}", service.unwrap_or("operations"), self.descriptor.name())
    }

    /// The RPC of a short name.
    pub(crate) fn of(short: &str) -> &'static Self {
        RPCS.iter().find(|rpc| rpc.short() == short).unwrap_or_else(|| panic!("the contract has no RPC {short}"))
    }

    /// A request from JSON, as bytes.
    pub(crate) fn encode(&self, body: &Value) -> Vec<u8> {
        encode(self.descriptor.input(), body)
    }

    /// An answer as JSON, by the field names of the contract, defaults included.
    pub(crate) fn decode(&self, answer: &[u8]) -> Value {
        let message = DynamicMessage::decode(self.descriptor.output(), answer).expect("an answer of the contract");
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .stringify_64_bit_integers(false)
            .skip_default_fields(false);
        message.serialize_with_options(serde_json::value::Serializer, &options).expect("an answer is JSON")
    }
}

pub(crate) fn encode(descriptor: MessageDescriptor, body: &Value) -> Vec<u8> {
    let name = descriptor.full_name().to_owned();
    let message = DynamicMessage::deserialize(descriptor, body).unwrap_or_else(|e| panic!("{name}: {e}: {body}"));
    message.encode_to_vec()
}

/// Sends bytes and receives bytes, so that a test may send what no typed client would.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; from.remaining()];
        from.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// How a call is made beside its messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// The token; `None`: none is sent.
    pub(crate) token: Option<String>,
}

/// Calls a path with these messages: one, or several for a stream of requests.
pub(crate) async fn call(
    channel: &Channel,
    path: &str,
    messages: Vec<Vec<u8>>,
    terms: &Terms,
) -> Result<Vec<u8>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(32 << 20);
    client.ready().await.map_err(|e| Status::unavailable(format!("the gateway does not answer: {e}")))?;
    let path = PathAndQuery::try_from(path).expect("a path");
    let mut request = Request::new(futures::stream::iter(messages));
    let metadata = request.metadata_mut();
    metadata.insert("accept-language", "en".parse().expect("ASCII"));
    if let Some(token) = &terms.token {
        metadata.insert("authorization", format!("Bearer {token}").parse().expect("ASCII"));
    }
    client.client_streaming(request, path, Raw).await.map(tonic::Response::into_inner)
}
