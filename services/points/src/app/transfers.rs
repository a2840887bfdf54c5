//! Transfers and entries.

use std::collections::HashSet;
use std::sync::Arc;

use linli_kernel::AreaId;
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, FieldViolation, Result, ids};
use linli_proto::points as pb;

use super::ledger::{Answer, Step};
use super::pages::page_of;
use super::{App, convert, id_at_end, unexpected};
use crate::domain::{Command, Holder, HolderError, Order, Outcome, Transfer, TransferId};
use crate::store::{finders, list, rows};

/// Transfers of one batch at most.
const BATCH: usize = 1000;
/// Characters of a cause at most.
const CAUSE: usize = 200;

/// A fresh id of a transfer.
pub(crate) fn new_transfer(ctx: &Ctx) -> TransferId {
    ids::new_v7::<TransferId>(ctx.now()).even()
}

/// Reads a holder from a field; `None` when it is bad.
pub(crate) fn holder(bad: &mut Violations, field: &str, text: &str, area: &AreaId) -> Option<Holder> {
    match Holder::parse_name(text, area) {
        Ok(holder) => return Some(holder),
        Err(_) if text.is_empty() => bad.bad(field, "FIELD_REQUIRED"),
        Err(HolderError::OtherArea) => bad.push(FieldViolation::new(field, "AREA_MISMATCH").arg("area", area.name())),
        Err(HolderError::Malformed) => {
            bad.push(
                FieldViolation::new(field, "FIELD_FORMAT")
                    .arg("expected", "areas/{area}/people/{person}, or a purpose code"),
            );
        }
    }
    None
}

/// A cause is a name or a code, never free text: it stands in events.
pub(crate) fn check_cause(bad: &mut Violations, field: &str, text: &str) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b':');
    if text.len() > CAUSE || !text.bytes().all(plain) {
        bad.push(FieldViolation::new(field, "FIELD_FORMAT").arg("expected", "a resource name or a code"));
    }
}

/// Reads an amount above zero from a field.
pub(crate) fn amount(
    bad: &mut Violations,
    path: &str,
    amount: Option<&linli_proto::common::Amount>,
) -> Option<(String, i64)> {
    let Some(amount) = amount else {
        bad.bad(format!("{path}.amount"), "FIELD_REQUIRED");
        return None;
    };
    bad.code(format_args!("{path}.amount.asset"), &amount.asset);
    bad.range(format_args!("{path}.amount.value"), amount.value, 1, i64::MAX);
    Some((amount.asset.clone(), amount.value))
}

impl App {
    pub(crate) async fn create_transfer(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::CreateTransferRequest,
    ) -> Result<pb::Transfer> {
        let area = check::area("parent", &request.parent)?;
        let from = request.transfer.as_ref().map(|t| t.from.clone()).unwrap_or_default();
        let permit = self.authorise_about(&ctx, &area, &people([&from])).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(&ctx, &request);
        let mut bad = Violations::new();
        let order = order(&ctx, &mut bad, "transfer", request.transfer.as_ref(), &area, permit.as_self());
        bad.finish()?;
        let order = order.ok_or_else(|| Error::internal("a checked transfer"))?;
        let name = convert::transfer_name(area.as_str(), order.id);
        let step = self.step(&ctx, &area, (&request_id, hash), "transfer", name, Command::Transfer(order))?;
        let answer = self.one(&ctx, &area, step).await?;
        self.transfer_of(&area, answer).await
    }

    pub(crate) async fn batch_create_transfers(
        &self,
        ctx: Arc<Ctx>,
        request: pb::BatchCreateTransfersRequest,
    ) -> Result<pb::BatchCreateTransfersResponse> {
        let area = check::area("parent", &request.parent)?;
        let mut givers: HashSet<&str> =
            request.requests.iter().filter_map(|r| Some(r.transfer.as_ref()?.from.as_str())).collect();
        if givers.is_empty() {
            givers.insert("");
        }
        let mut own = true;
        for giver in givers {
            own &= self.authorise_about(&ctx, &area, &people([giver])).await?.as_self();
        }
        let steps = self.batch_steps(&ctx, &area, &request, own)?;
        let answers = self.all(&ctx, &area, steps).await?;
        let mut transfers = Vec::with_capacity(answers.len());
        for answer in answers {
            transfers.push(self.transfer_of(&area, answer).await?);
        }
        Ok(pb::BatchCreateTransfersResponse { transfers })
    }

    fn batch_steps(
        &self,
        ctx: &Ctx,
        area: &AreaId,
        request: &pb::BatchCreateTransfersRequest,
        own: bool,
    ) -> Result<Vec<Step>> {
        let mut bad = Violations::new();
        if request.requests.is_empty() {
            bad.bad("requests", "FIELD_REQUIRED");
        }
        bad.max_items("requests", request.requests.len(), BATCH);
        let mut seen = HashSet::new();
        let mut orders = Vec::new();
        for (index, item) in request.requests.iter().enumerate().take(BATCH) {
            let path = format!("requests[{index}]");
            if !item.parent.is_empty() && item.parent != request.parent {
                bad.push(FieldViolation::new(format!("{path}.parent"), "AREA_MISMATCH").arg("area", area.name()));
            }
            if !item.request_id.is_empty() && !seen.insert(item.request_id.as_str()) {
                bad.push(
                    FieldViolation::new(format!("{path}.request_id"), "FIELD_DUPLICATE").arg("value", &item.request_id),
                );
            }
            if linli_kit::idempotency::parse_request_id(&item.request_id).is_err() {
                bad.bad(format!("{path}.request_id"), "REQUEST_ID_INVALID");
            }
            let path = format!("{path}.transfer");
            orders.extend(
                order(ctx, &mut bad, &path, item.transfer.as_ref(), area, own).map(|order| (path, item, order)),
            );
        }
        bad.finish()?;
        let step = |(path, item, order): (String, &pb::CreateTransferRequest, Order)| {
            let bare = pb::CreateTransferRequest { request_id: String::new(), ..item.clone() };
            let name = convert::transfer_name(area.as_str(), order.id);
            self.step(ctx, area, (&item.request_id, self.hash(ctx, &bare)), path, name, Command::Transfer(order))
        };
        orders.into_iter().map(step).collect()
    }

    pub(crate) async fn reverse_transfer(
        &self,
        ctx: Arc<Ctx>,
        mut request: pb::ReverseTransferRequest,
    ) -> Result<pb::Transfer> {
        let (area, transfer) = check::recorded::<TransferId>("name", &request.name, "transfers")?;
        self.authorise_about(&ctx, &area, &[]).await?;
        let request_id = std::mem::take(&mut request.request_id);
        let (hash, id) = (self.hash(&ctx, &request), new_transfer(&ctx));
        let name = convert::transfer_name(area.as_str(), id);
        let command = Command::Reverse { transfer, id };
        let step = self.step(&ctx, &area, (&request_id, hash), "", name, command)?;
        let answer = self.one(&ctx, &area, step).await?;
        self.transfer_of(&area, answer).await
    }

    async fn transfer_of(&self, area: &AreaId, answer: Answer) -> Result<pb::Transfer> {
        match answer {
            Answer::Done(outcome) => match *outcome {
                Outcome::Transfer(transfer) => Ok(convert::transfer(area.as_str(), &transfer)),
                other => Err(unexpected(&other)),
            },
            Answer::Repeat(name) => {
                let found = finders::transfer(&self.parts.store, area.as_str(), id_at_end(&name)?).await?;
                found.map(|t| convert::transfer(area.as_str(), &t)).ok_or_else(|| Error::not_found(name))
            }
        }
    }

    pub(crate) async fn get_transfer(&self, ctx: Arc<Ctx>, request: pb::GetTransferRequest) -> Result<pb::Transfer> {
        let (area, id) = check::recorded::<TransferId>("name", &request.name, "transfers")?;
        let found = finders::transfer(&self.parts.store, area.as_str(), id).await?;
        let about = |t: &Transfer| people([&t.from.name(area.as_str()), &t.to.name(area.as_str())]);
        self.may_see(&ctx, &area, &request.name, found.as_ref().map(about)).await?;
        found.map(|t| convert::transfer(area.as_str(), &t)).ok_or_else(|| Error::not_found(&request.name))
    }

    pub(crate) async fn list_transfers(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListTransfersRequest,
    ) -> Result<pb::ListTransfersResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::TRANSFERS, page_of!(request), rows::transfer).await?;
        let transfers = found.iter().map(|one| convert::transfer(&one.area, &one.row)).collect();
        Ok(pb::ListTransfersResponse { transfers, next_page_token })
    }

    pub(crate) async fn list_entries(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListEntriesRequest,
    ) -> Result<pb::ListEntriesResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::ENTRIES, page_of!(request), rows::entry).await?;
        let entries = found.iter().map(|one| convert::entry(&one.area, &one.row)).collect();
        Ok(pb::ListEntriesResponse { entries, next_page_token })
    }
}

/// Those of the holders' names that are people's.
pub(crate) fn people<'a, S: AsRef<str> + ?Sized + 'a>(holders: impl IntoIterator<Item = &'a S>) -> Vec<String> {
    holders.into_iter().map(|h| h.as_ref().to_owned()).filter(|h| h.contains('/')).collect()
}

fn order(
    ctx: &Ctx,
    bad: &mut Violations,
    path: &str,
    transfer: Option<&pb::Transfer>,
    area: &AreaId,
    by_holder: bool,
) -> Option<Order> {
    let Some(transfer) = transfer else {
        bad.bad(path, "FIELD_REQUIRED");
        return None;
    };
    let amount = amount(bad, path, transfer.amount.as_ref());
    let from = holder(bad, &format!("{path}.from"), &transfer.from, area);
    let to = holder(bad, &format!("{path}.to"), &transfer.to, area);
    if from.is_some() && from == to {
        bad.bad(format!("{path}.to"), "NO_MOVEMENT");
    }
    check_cause(bad, &format!("{path}.cause"), &transfer.cause);
    let (asset, value) = amount?;
    Some(Order { id: new_transfer(ctx), asset, value, from: from?, to: to?, cause: transfer.cause.clone(), by_holder })
}
