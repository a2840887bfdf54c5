//! A stand-in for org with the few methods that deliberation calls.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use linli_kernel::{Lang, Timestamp};
use linli_kit::{Error, Texts};
use linli_proto::org::{
    BatchGetResidentFactsRequest, BatchGetResidentFactsResponse, ElectorBasis, GetUnitRequest, ListElectorsRequest,
    ListElectorsResponse, ResidentFacts, Unit,
};
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::{Request, Response, Status};

/// Somebody whom the stand-in knows: id, birth year, household, unit.
pub(crate) type Person = (String, i32, String, String);
/// People whom the stand-in knows.
pub(crate) type People = Vec<Person>;

/// When those whom the stand-in knows from the beginning were recorded.
const LONG_AGO: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Electors of one page of a small community: few, so that paging is exercised.
const PAGE: usize = 7;

/// The stand-in.
#[derive(Clone)]
pub(crate) struct Org {
    people: Arc<Mutex<Vec<(Person, Timestamp)>>>,
}

impl Org {
    pub(crate) fn new(people: People) -> Self {
        let people = people.into_iter().map(|person| (person, LONG_AGO)).collect();
        Self { people: Arc::new(Mutex::new(people)) }
    }

    /// Records somebody.
    pub(crate) fn record(&self, person: Person, at: Timestamp) {
        self.people.lock().push((person, at));
    }

    fn facts(&self, request: &BatchGetResidentFactsRequest) -> BatchGetResidentFactsResponse {
        let find = |name: &String| {
            let id = name.strip_prefix(&format!("{}/people/", request.parent))?;
            let people = self.people.lock();
            let ((_, birth_year, household, unit), at) = people.iter().find(|((person, ..), _)| person == id)?;
            Some(ResidentFacts {
                person: name.clone(),
                birth_year: *birth_year,
                unit: format!("{}/units/{unit}", request.parent),
                household: format!("{}/households/{household}", request.parent),
                create_time: Some(linli_kit::check::timestamp(*at)),
                ..Default::default()
            })
        };
        BatchGetResidentFactsResponse { facts: request.names.iter().filter_map(find).collect() }
    }

    fn electors(&self, request: &ListElectorsRequest) -> ListElectorsResponse {
        let area = request.unit.split("/units/").next().unwrap_or_default();
        let by_person = request.basis == i32::from(ElectorBasis::Person);
        let people = self.people.lock();
        let names = people.iter().map(|(person, _)| person).filter(|(_, born, ..)| *born <= request.born_by_year);
        let mut names: Vec<String> = names
            .map(
                |(id, _, household, _)| {
                    if by_person { format!("{area}/people/{id}") } else { format!("{area}/households/{household}") }
                },
            )
            .collect();
        names.sort();
        names.dedup();
        let size = if names.len() < 100 { PAGE } else { usize::try_from(request.page_size).unwrap_or(PAGE) };
        let from: usize = request.page_token.parse().unwrap_or(0);
        let next = from + size;
        let next_page_token = if next < names.len() { next.to_string() } else { String::new() };
        ListElectorsResponse { electors: names.into_iter().skip(from).take(size).collect(), next_page_token }
    }
}

impl tonic::server::NamedService for Org {
    const NAME: &'static str = "linli.org.v1.OrgService";
}

/// Answers one unary method.
pub(crate) async fn unary<Req, Res>(
    request: http::Request<Body>,
    handler: impl FnOnce(&Req) -> Result<Res, Status> + Clone + Send + Sync + 'static,
) -> http::Response<Body>
where
    Req: prost::Message + Default + Send + Sync + 'static,
    Res: prost::Message + Default + Send + Sync + 'static,
{
    let method = tower::service_fn(move |request: Request<Req>| {
        let handler = handler.clone();
        async move { handler(request.get_ref()).map(Response::new) }
    });
    let codec = tonic_prost::ProstCodec::<Res, Req>::default();
    tonic::server::Grpc::new(codec).unary(method, request).await
}

impl tower::Service<http::Request<Body>> for Org {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "BatchGetResidentFacts" => {
                    unary(request, move |r: &BatchGetResidentFactsRequest| Ok(this.facts(r))).await
                }
                "ListElectors" => unary(request, move |r: &ListElectorsRequest| Ok(this.electors(r))).await,
                _ => {
                    unary(request, move |r: &GetUnitRequest| {
                        let missing = Error::not_found(&r.name).into_status(&Texts::kit(), Lang::En, "org.linli");
                        Err::<Unit, Status>(missing)
                    })
                    .await
                }
            })
        })
    }
}
