//! Catalogue resources: messages whose ids their authors choose, stored whole, with a revision as etag.
//!
//! One table per service holds them all; what is specific to a resource comes from the contract by reflection (field
//! behaviours, masks, filters) and from the hook that validates the merged message. Never: recorded objects.

mod merge;
mod read;
mod schema;
mod write;

use std::marker::PhantomData;
use std::sync::Arc;

use prost_reflect::DynamicMessage;

use crate::Result;
use crate::store::Store;

pub use read::{Entry, Scope};
pub use write::Written;

/// The catalogue of one kind of resource; cheap to clone.
///
/// `M` carries `name` and, where the contract says so, `etag`, `create_time`, `update_time`: these four are set here.
pub struct Catalogue<M> {
    store: Store,
    collection: &'static str,
    schema: Arc<schema::Schema>,
    filterable: &'static [&'static str],
    message: PhantomData<fn() -> M>,
}

impl<M: prost::Message + Default> Catalogue<M> {
    /// The catalogue of a resource type (`linli/Offering`), whose names are `areas/{area}/{collection}/{id}`.
    ///
    /// # Panics
    /// When the contract has no message of this resource type; the service's first test runs into it.
    pub fn new(store: Store, collection: &'static str, resource_type: &str) -> Self {
        let schema =
            schema::Schema::of(resource_type).unwrap_or_else(|| panic!("the contract has no resource {resource_type}"));
        Self { store, collection, schema: Arc::new(schema), filterable: &[], message: PhantomData }
    }

    /// The same catalogue with the paths by which its lists may be filtered.
    #[must_use]
    pub fn filterable(mut self, paths: &'static [&'static str]) -> Self {
        self.filterable = paths;
        self
    }

    /// The name of a resource.
    pub fn name(&self, area: &str, id: &str) -> String {
        format!("areas/{area}/{}/{id}", self.collection)
    }

    fn to_dynamic(&self, message: &M) -> Result<DynamicMessage> {
        let mut dynamic = DynamicMessage::new(self.schema.descriptor.clone());
        dynamic.transcode_from(message).map_err(crate::Error::internal)?;
        Ok(dynamic)
    }
}

impl<M> Clone for Catalogue<M> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            collection: self.collection,
            schema: self.schema.clone(),
            filterable: self.filterable,
            message: PhantomData,
        }
    }
}

impl<M> std::fmt::Debug for Catalogue<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("collection", &self.collection).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
