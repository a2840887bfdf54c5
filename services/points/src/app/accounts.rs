//! Accounts: what somebody has.

use std::sync::Arc;

use linli_access::Target;
use linli_kernel::{AreaId, Name};
use linli_kit::check::{self, Violations};
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::points as pb;

use super::pages::page_of;
use super::transfers::people;
use super::{App, convert};
use crate::domain::{AccountKey, PersonId};
use crate::store::{finders, list, rows};

/// People in one question at most.
const HOLDERS: usize = 1000;

impl App {
    pub(crate) async fn get_account(&self, ctx: Arc<Ctx>, request: pb::GetAccountRequest) -> Result<pb::Account> {
        let (area, key) = account_name(&request.name)?;
        let found = finders::account(&self.parts.store, area.as_str(), &key).await?;
        let about = people([&key.holder.name(area.as_str())]);
        self.may_see(&ctx, &area, &request.name, found.is_some().then_some(about)).await?;
        let account = found.ok_or_else(|| Error::not_found(&request.name))?;
        Ok(convert::account(area.as_str(), &key, account))
    }

    pub(crate) async fn list_accounts(
        &self,
        ctx: Arc<Ctx>,
        request: pb::ListAccountsRequest,
    ) -> Result<pb::ListAccountsResponse> {
        let (found, next_page_token) = self.recorded(&ctx, &list::ACCOUNTS, page_of!(request), rows::account).await?;
        let accounts = found.iter().map(|one| convert::account(&one.area, &one.row.0, one.row.1)).collect();
        Ok(pb::ListAccountsResponse { accounts, next_page_token })
    }

    pub(crate) async fn batch_get_balances(
        &self,
        ctx: Arc<Ctx>,
        request: pb::BatchGetBalancesRequest,
    ) -> Result<pb::BatchGetBalancesResponse> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(&ctx, &Target::area(&area))?;
        let mut bad = Violations::new();
        bad.max_items("holders", request.holders.len(), HOLDERS);
        let mut holders = Vec::new();
        for (index, holder) in request.holders.iter().enumerate().take(HOLDERS) {
            let person = Name::parse(holder, "people").and_then(|name| Ok((name.typed::<PersonId>()?, name)));
            match person {
                Ok((id, name)) if *name.area() == area => holders.push(id.to_string()),
                // A guest: what they have, they have in the area where they live.
                Ok(_) => {}
                Err(problem) => {
                    let field = format!("holders[{index}]");
                    bad.push(FieldViolation::new(field, "NAME_INVALID").arg("detail", problem));
                }
            }
        }
        bad.finish()?;
        let found = finders::accounts_of(&self.parts.store, area.as_str(), &holders).await?;
        let accounts = found.iter().map(|(key, account)| convert::account(area.as_str(), key, *account)).collect();
        Ok(pb::BatchGetBalancesResponse { accounts })
    }
}

/// Reads `areas/{area}/accounts/{asset}.{holder}`; longer than other ids may be.
fn account_name(text: &str) -> Result<(AreaId, AccountKey)> {
    let pattern = "areas/{area}/accounts/{asset}.{holder}";
    let bad = || Error::field(FieldViolation::new("name", "FIELD_FORMAT").arg("expected", pattern));
    let mut parts = text.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("areas"), Some(area), Some("accounts"), Some(id), None) => {
            Ok((AreaId::new(area).map_err(|_| bad())?, AccountKey::parse(id).ok_or_else(bad)?))
        }
        _ => Err(bad()),
    }
}
