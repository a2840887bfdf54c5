//! `google.longrunning.Operations` over a service's own operations.
//!
//! Decodes, asks the gate, encodes. Never: a decision about who may see an operation; that is the [`OperationGate`]'s.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use linli_kernel::{AreaId, Lang};
use linli_proto::google::longrunning::operations_server::{Operations as Api, OperationsServer};
use linli_proto::google::longrunning::{
    CancelOperationRequest, DeleteOperationRequest, GetOperationRequest, ListOperationsRequest, ListOperationsResponse,
    Operation, WaitOperationRequest,
};
use tonic::{Request, Response, Status};

use super::{OperationRow, Operations};
use crate::stack::domain;
use crate::{Ctx, Error, ErrorCode, FieldViolation, Result};

/// Time kept back from a caller's deadline, so that the answer of a wait arrives before it.
const MARGIN: Duration = Duration::from_millis(200);

/// What somebody wants with operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationAction {
    /// Get or wait.
    Read,
    /// List those of an area.
    List,
    /// Cancel.
    Cancel,
    /// Delete.
    Delete,
}

/// Says who may do what with operations; each service passes its own.
#[async_trait]
pub trait OperationGate: Send + Sync + 'static {
    /// Checks that the caller may do `action` in `area` (a slug), on `op` when there is one.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    async fn check(&self, ctx: &Ctx, area: &str, action: OperationAction, op: Option<&OperationRow>) -> Result<()>;
}

/// Serves the operations of one service.
pub struct OperationService<G> {
    operations: Operations,
    gate: G,
}

impl<G: OperationGate> OperationService<G> {
    /// The operations, guarded by `gate`.
    pub fn new(operations: Operations, gate: G) -> Self {
        Self { operations, gate }
    }

    /// As a tonic service, ready for a router.
    pub fn into_server(self) -> OperationsServer<Self> {
        OperationsServer::new(self)
    }

    /// The operation, once the caller may do `action` with it.
    async fn allowed(&self, ctx: &Ctx, name: &str, action: OperationAction) -> Result<OperationRow> {
        let found = self.operations.get(name).await;
        let area = name.split('/').nth(1).unwrap_or_default();
        self.gate.check(ctx, area, action, found.as_ref().ok()).await?;
        found
    }

    async fn list(&self, ctx: &Ctx, request: &ListOperationsRequest) -> Result<ListOperationsResponse> {
        let parent = request.name.strip_suffix("/operations").unwrap_or(&request.name);
        let area = AreaId::parse_name(parent);
        let slug = area.as_ref().map(AreaId::as_str).unwrap_or_default();
        self.gate.check(ctx, slug, OperationAction::List, None).await?;
        let area =
            area.map_err(|problem| Error::field(FieldViolation::new("name", "NAME_INVALID").arg("detail", problem)))?;
        if !request.filter.is_empty() {
            let refused =
                FieldViolation::new("filter", "FILTER_INVALID").arg("detail", "none is supported").arg("allowed", "-");
            return Err(Error::field(refused));
        }
        let page = self.operations.list(&area, request.page_size, &request.page_token).await?;
        let operations = page.operations.iter().map(|op| self.encode(op, ctx.lang)).collect();
        Ok(ListOperationsResponse { operations, next_page_token: page.next_page_token, unreachable: Vec::new() })
    }

    async fn wait(&self, ctx: &Ctx, request: &WaitOperationRequest) -> Result<Operation> {
        self.allowed(ctx, &request.name, OperationAction::Read).await?;
        let most = ctx.remaining().saturating_sub(MARGIN);
        let asked = request.timeout.as_ref().and_then(|timeout| Duration::try_from(*timeout).ok());
        let op = self.operations.wait(&request.name, asked.unwrap_or(most).min(most)).await?;
        Ok(self.encode(&op, ctx.lang))
    }

    async fn cancel(&self, ctx: &Ctx, name: &str) -> Result<()> {
        self.allowed(ctx, name, OperationAction::Cancel).await?;
        self.operations.cancel(name).await
    }

    async fn delete(&self, ctx: &Ctx, name: &str) -> Result<()> {
        self.allowed(ctx, name, OperationAction::Delete).await?;
        self.operations.delete(name).await
    }

    fn encode(&self, op: &OperationRow, lang: Lang) -> Operation {
        op.to_proto(self.operations.service(), lang)
    }

    fn refuse(&self, error: Error, lang: Lang) -> Status {
        error.into_status(&self.operations.inner.texts, lang, &domain(self.operations.service()))
    }

    /// The call's context. The stack sets it; without one nobody has been authenticated.
    fn ctx<T>(&self, request: &Request<T>) -> Result<Arc<Ctx>, Status> {
        let missing = || self.refuse(Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED"), Lang::default());
        request.extensions().get::<Arc<Ctx>>().cloned().ok_or_else(missing)
    }

    fn answer<T>(&self, ctx: &Ctx, outcome: Result<T>) -> Result<Response<T>, Status> {
        outcome.map(Response::new).map_err(|error| self.refuse(error, ctx.lang))
    }
}

#[tonic::async_trait]
impl<G: OperationGate> Api for OperationService<G> {
    async fn list_operations(
        &self,
        request: Request<ListOperationsRequest>,
    ) -> Result<Response<ListOperationsResponse>, Status> {
        let ctx = self.ctx(&request)?;
        self.answer(&ctx, self.list(&ctx, request.get_ref()).await)
    }

    async fn get_operation(&self, request: Request<GetOperationRequest>) -> Result<Response<Operation>, Status> {
        let ctx = self.ctx(&request)?;
        let found = self.allowed(&ctx, &request.get_ref().name, OperationAction::Read).await;
        self.answer(&ctx, found.map(|op| self.encode(&op, ctx.lang)))
    }

    async fn delete_operation(&self, request: Request<DeleteOperationRequest>) -> Result<Response<()>, Status> {
        let ctx = self.ctx(&request)?;
        self.answer(&ctx, self.delete(&ctx, &request.get_ref().name).await)
    }

    async fn cancel_operation(&self, request: Request<CancelOperationRequest>) -> Result<Response<()>, Status> {
        let ctx = self.ctx(&request)?;
        self.answer(&ctx, self.cancel(&ctx, &request.get_ref().name).await)
    }

    async fn wait_operation(&self, request: Request<WaitOperationRequest>) -> Result<Response<Operation>, Status> {
        let ctx = self.ctx(&request)?;
        self.answer(&ctx, self.wait(&ctx, request.get_ref()).await)
    }
}
