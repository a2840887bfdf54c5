//! The life of a resource whose id its author chooses: create, read, list, change, delete, with every promise of a write.

use serde_json::{Value, json};
use tonic::Code;

use crate::caller::Caller;
use crate::wire::Rpc;

/// A kind of resource and two of its kind.
pub(crate) struct Kind<'a> {
    pub(crate) service: &'a str,
    /// Its message, such as `CardType`.
    pub(crate) message: &'a str,
    pub(crate) collection: &'a str,
    /// One that stays.
    pub(crate) kept: (&'a str, Value),
    /// One that is deleted at the end.
    pub(crate) gone: (&'a str, Value),
    /// A change of the one that stays: the mask and the fields.
    pub(crate) change: (&'a str, Value),
}

const PARENT: &str = "areas/xinhua";

impl Kind<'_> {
    fn rpc(&self, verb: &str) -> String {
        format!("{}.{verb}{}", self.service, self.message)
    }

    /// The field of a Create request that carries the resource.
    fn field(&self) -> String {
        let input = Rpc::of(&self.rpc("Create")).descriptor.input();
        let field = input.fields().find(|f| f.kind().as_message().is_some_and(|m| m.name() == self.message));
        field.expect("a Create request carries its resource").name().to_owned()
    }

    fn create(&self, (id, body): &(&str, Value)) -> Value {
        let field = self.field();
        json!({"parent": PARENT, format!("{field}_id"): id, field: body})
    }

    fn update(&self, name: &str, changes: &Value, mask: &str) -> Value {
        let mut resource = changes.clone();
        resource["name"] = name.into();
        let camel: Vec<String> = mask.split(',').map(camel).collect();
        json!({self.field(): resource, "update_mask": camel.join(",")})
    }

    /// Plays the life; answers the name of the one that stays.
    pub(crate) async fn walk(&self, by: &Caller) -> String {
        let name = format!("{PARENT}/{}/{}", self.collection, self.kept.0);
        let made = by.ok(&self.rpc("Create"), self.create(&self.kept)).await;
        assert_eq!(made["name"], json!(name));
        assert_ne!(made["etag"], json!(""), "{name} has an etag");
        let refused = by.refused(&self.rpc("Create"), self.create(&self.kept)).await;
        assert_eq!((refused.code, refused.reason.as_str()), (Code::AlreadyExists, "ALREADY_EXISTS"), "{name}");
        let read = by.ok(&self.rpc("Get"), json!({"name": name})).await;
        assert_eq!(read, made, "what was created is what is read");
        let gone = by.ok(&self.rpc("Create"), self.create(&self.gone)).await;
        assert_eq!(self.listed(by).await, [self.gone.0, self.kept.0].map(str::to_owned).into_iter().collect());
        self.changes(by, &name, &made).await;
        self.ends(by, gone["name"].as_str().unwrap_or_default()).await;
        name
    }

    /// The ids that a list shows, read two at a time.
    async fn listed(&self, by: &Caller) -> std::collections::BTreeSet<String> {
        let lists = Rpc::of(&self.lists());
        let field = lists.descriptor.output().fields().find(|f| f.is_list()).expect("a list answers a list");
        let (mut ids, mut token) = (Vec::new(), String::new());
        loop {
            let page = by.ok(&self.lists(), json!({"parent": PARENT, "page_size": 1, "page_token": token})).await;
            let names = page[field.name()].as_array().cloned().unwrap_or_default();
            assert!(names.len() <= 1, "a page has at most as many as were asked for");
            ids.extend(names.iter().filter_map(|r| Some(r["name"].as_str()?.rsplit('/').next()?.to_owned())));
            token = page["next_page_token"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                let known = ids.len();
                let ids: std::collections::BTreeSet<_> = ids.into_iter().collect();
                assert_eq!(ids.len(), known, "nothing is listed twice");
                return ids.into_iter().filter(|id| [self.kept.0, self.gone.0].contains(&id.as_str())).collect();
            }
        }
    }

    fn lists(&self) -> String {
        let rpcs = crate::wire::rpcs().iter().filter(|rpc| rpc.info.path.contains(&format!(".{}.v1.", self.service)));
        let lists = |rpc: &&Rpc| {
            let of_kind = |m: &prost_reflect::MessageDescriptor| m.name() == self.message;
            let output = rpc.descriptor.output();
            rpc.descriptor.name().starts_with("List")
                && output.fields().any(|f| f.kind().as_message().is_some_and(of_kind))
        };
        rpcs.into_iter().find(lists).expect("what can be created can be listed").short()
    }

    async fn changes(&self, by: &Caller, name: &str, made: &Value) {
        let update = self.rpc("Update");
        let (mask, changes) = &self.change;
        let mut trial = self.update(name, changes, mask);
        trial["validate_only"] = true.into();
        let would_be = by.call(&update, &trial).await.expect("a trial answers");
        let read = by.ok(&self.rpc("Get"), json!({"name": name})).await;
        assert_eq!(&read, made, "a trial writes nothing");
        let changed = by.ok(&update, self.update(name, changes, mask)).await;
        for field in mask.split(',') {
            assert_eq!(changed[field], would_be[field], "{name}: the trial said so");
            assert_ne!(changed[field], made[field], "{name}: {field} was changed");
        }
        assert_ne!(changed["etag"], made["etag"], "{name}: a change changes the etag");
        let again = by.ok(&update, self.update(name, changes, mask)).await;
        assert_eq!(again["etag"], changed["etag"], "{name}: a write that changes nothing keeps the etag");
        let mut stale = self.update(name, changes, mask);
        stale[self.field()]["etag"] = made["etag"].clone();
        let refused = by.refused(&update, stale).await;
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, "STALE_ETAG"), "{name}");
        let refused = by.refused(&update, self.update(name, changes, "create_time")).await;
        assert_eq!(refused.code, Code::InvalidArgument, "{name}: the service sets the time: {refused:?}");
    }

    async fn ends(&self, by: &Caller, name: &str) {
        let stale = by.refused(&self.rpc("Delete"), json!({"name": name, "etag": "r999"})).await;
        assert_eq!((stale.code, stale.reason.as_str()), (Code::Aborted, "STALE_ETAG"), "{name}");
        by.ok(&self.rpc("Delete"), json!({"name": name})).await;
        let read = by.refused(&self.rpc("Get"), json!({"name": name})).await;
        assert_eq!((read.code, read.reason.as_str()), (Code::NotFound, "RESOURCE_NOT_FOUND"), "{name}");
        let again = by.refused(&self.rpc("Delete"), json!({"name": name})).await;
        assert_eq!(again.code, Code::NotFound, "{name} is gone");
    }
}

/// A path of a field mask as JSON writes it.
fn camel(path: &str) -> String {
    let mut parts = path.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
}
