//! Creating, changing and deleting catalogue resources inside a service's transaction.

use linli_kernel::{Name, Slug, Timestamp};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use sea_orm::ConnectionTrait as _;

use super::read::{Entry, Row};
use super::{Catalogue, merge};
use crate::store::Tx;
use crate::{Error, ErrorCode, FieldViolation, Result};

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub struct Written<M> {
    /// The resource as it is now.
    pub entry: Entry<M>,
    /// False when it was so already: nothing was written, the etag is the same, no event is due.
    pub changed: bool,
    /// Whether it did not exist before.
    pub created: bool,
}

impl<M: prost::Message + Default> Catalogue<M> {
    /// Creates `areas/{area}/{collection}/{id}` (AIP-133); what `message` says in fields that the service sets is ignored.
    ///
    /// # Errors
    /// All bad fields at once, those of `validate` included, with paths in the request; ALREADY_EXISTS.
    pub async fn create(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        (area, id): (&str, &str),
        message: &M,
        validate: impl FnOnce(&M) -> Vec<FieldViolation> + Send,
    ) -> Result<Written<M>> {
        if let Err(problem) = Slug::new(id) {
            let field = format!("{}_id", self.schema.singular);
            return Err(Error::field(FieldViolation::new(field, "NAME_INVALID").arg("detail", problem)));
        }
        let mut spec = DynamicMessage::new(self.schema.descriptor.clone());
        let bad = merge::merge(&self.schema, &mut spec, &self.to_dynamic(message)?, None);
        self.check(&spec, bad, validate)?;
        let row = self.insert(tx, now, area, id, &spec).await?;
        let exists = || Error::new(ErrorCode::AlreadyExists, "ALREADY_EXISTS").with("resource", self.name(area, id));
        Ok(Written { entry: self.entry(row.ok_or_else(exists)?)?, changed: true, created: true })
    }

    /// Changes the resource that `message` names (AIP-134): the fields of `mask`, or without one those that are set.
    ///
    /// The etag in `message`, when there is one, must be the present one. With `allow_missing` an absent resource is
    /// created. An update that changes nothing writes nothing.
    ///
    /// # Errors
    /// All bad fields and paths at once with their paths in the request; RESOURCE_NOT_FOUND; STALE_ETAG.
    pub async fn update(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        message: &M,
        mask: Option<&prost_types::FieldMask>,
        allow_missing: bool,
        validate: impl FnOnce(&M) -> Vec<FieldViolation> + Send,
    ) -> Result<Written<M>> {
        let source = self.to_dynamic(message)?;
        let (area, id) = self.parse_name(&source)?;
        let mut row = self.locked_row(tx, &area, &id).await?;
        if row.is_none() && allow_missing {
            if text(&source, "etag").is_some() {
                return Err(self.stale(&area, &id));
            }
            let mut spec = DynamicMessage::new(self.schema.descriptor.clone());
            let bad = merge::merge(&self.schema, &mut spec, &source, mask);
            // Checked before the insert, for the hook may be called once only.
            self.check(&spec, bad, validate)?;
            if let Some(row) = self.insert(tx, now, &area, &id, &spec).await? {
                return Ok(Written { entry: self.entry(row)?, changed: true, created: true });
            }
            // Somebody created it in this very moment: the caller's next attempt is an update.
            return Err(Error::new(ErrorCode::Aborted, "CONFLICT").retry_after(std::time::Duration::from_millis(50)));
        }
        let Some(row) = row.take() else { return Err(Error::not_found(self.name(&area, &id))) };
        if text(&source, "etag").is_some_and(|etag| etag != row.etag()) {
            return Err(self.stale(&area, &id));
        }
        let old = self.decode(&row)?;
        let mut new = old.clone();
        let mut bad = merge::merge(&self.schema, &mut new, &source, mask);
        bad.extend(merge::immutable_changes(&self.schema, &old, &new));
        self.check(&new, bad, validate)?;
        if old == new {
            return Ok(Written { entry: self.entry(row)?, changed: false, created: false });
        }
        let row = self.replace(tx, now, row, &new).await?;
        Ok(Written { entry: self.entry(row)?, changed: true, created: false })
    }

    /// Stores the whole message of an existing resource as the service made it, output-only fields included.
    ///
    /// For state changes that are the service's own; no mask, no checks. An unchanged message writes nothing.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; those of the store.
    pub async fn put(&self, tx: &Tx<'_>, now: Timestamp, message: &M) -> Result<Written<M>> {
        let mut spec = self.to_dynamic(message)?;
        let (area, id) = self.parse_name(&spec)?;
        for field in self.schema.descriptor.fields().filter(|field| self.schema.is_own(field)) {
            spec.clear_field(&field);
        }
        let row = self.locked_row(tx, &area, &id).await?;
        let row = row.ok_or_else(|| Error::not_found(self.name(&area, &id)))?;
        if self.decode(&row)? == spec {
            return Ok(Written { entry: self.entry(row)?, changed: false, created: false });
        }
        let row = self.replace(tx, now, row, &spec).await?;
        Ok(Written { entry: self.entry(row)?, changed: true, created: false })
    }

    /// Deletes a resource (AIP-135); a non-empty etag must be the present one. Returns what it was.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; STALE_ETAG; those of the store.
    pub async fn delete(&self, tx: &Tx<'_>, area: &str, id: &str, etag: &str) -> Result<Entry<M>> {
        let row = self.locked_row(tx, area, id).await?;
        let row = row.ok_or_else(|| Error::not_found(self.name(area, id)))?;
        if !etag.is_empty() && etag != row.etag() {
            return Err(self.stale(area, id));
        }
        let sql = "DELETE FROM catalogue WHERE area = $1 AND collection = $2 AND id = $3";
        tx.conn().execute_raw(tx.statement(sql, [area.into(), self.collection.into(), id.into()])).await?;
        self.entry(row)
    }

    /// Fails with all violations at once, as paths in the request.
    fn check(
        &self,
        spec: &DynamicMessage,
        mut bad: Vec<FieldViolation>,
        validate: impl FnOnce(&M) -> Vec<FieldViolation>,
    ) -> Result<()> {
        bad.extend(merge::check(&self.schema, spec));
        bad.extend(validate(&spec.transcode_to().map_err(Error::internal)?));
        for violation in &mut bad {
            violation.field = format!("{}.{}", self.schema.singular, violation.field);
        }
        Error::check(bad)
    }

    fn parse_name(&self, message: &DynamicMessage) -> Result<(String, String)> {
        let name = text(message, "name").unwrap_or_default();
        match Name::parse(&name, self.collection) {
            Ok(name) => Ok((name.area().as_str().to_owned(), name.id().to_owned())),
            Err(problem) => {
                let field = format!("{}.name", self.schema.singular);
                Err(Error::field(FieldViolation::new(field, "NAME_INVALID").arg("detail", problem)))
            }
        }
    }

    fn stale(&self, area: &str, id: &str) -> Error {
        crate::check::stale_etag(self.name(area, id))
    }

    /// `None` when there is such a resource already.
    async fn insert(
        &self,
        tx: &Tx<'_>,
        now: Timestamp,
        area: &str,
        id: &str,
        spec: &DynamicMessage,
    ) -> Result<Option<Row>> {
        let now = now.micros();
        let spec = spec.encode_to_vec();
        let sql = "INSERT INTO catalogue (area, collection, id, revision, spec, create_us, update_us) \
                   VALUES ($1, $2, $3, 1, $4, $5, $5) ON CONFLICT DO NOTHING";
        let values = [area.into(), self.collection.into(), id.into(), spec.clone().into(), now.into()];
        let inserted = tx.conn().execute_raw(tx.statement(sql, values)).await?.rows_affected();
        let row = Row { area: area.to_owned(), id: id.to_owned(), revision: 1, spec, create_us: now, update_us: now };
        Ok((inserted == 1).then_some(row))
    }

    async fn replace(&self, tx: &Tx<'_>, now: Timestamp, mut row: Row, spec: &DynamicMessage) -> Result<Row> {
        row.revision += 1;
        // A clock that stands still or was set back leaves the order of changes as it is.
        row.update_us = now.micros().max(row.update_us);
        row.spec = spec.encode_to_vec();
        let sql = "UPDATE catalogue SET revision = $4, spec = $5, update_us = $6 \
                   WHERE area = $1 AND collection = $2 AND id = $3";
        let values = [
            row.area.clone().into(),
            self.collection.into(),
            row.id.clone().into(),
            row.revision.into(),
            row.spec.clone().into(),
            row.update_us.into(),
        ];
        tx.conn().execute_raw(tx.statement(sql, values)).await?;
        Ok(row)
    }
}

/// A text field that is set.
fn text(message: &DynamicMessage, name: &str) -> Option<String> {
    let value = message.get_field_by_name(name)?;
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
