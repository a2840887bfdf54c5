//! Structure templates and links between units: catalogue resources.

use std::sync::Arc;

use linli_access::{Target, Within};
use linli_kernel::AreaId;
use linli_kit::catalogue::{Catalogue, Scope};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::page::PageRequest;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::org as pb;
use sea_orm::ConnectionTrait;

use super::App;
use super::change::Change;
use super::fit::Blame;
use crate::domain::template::{Kind, Post, Problem, ProblemKind, Requirement, Template, Tree};

/// Reads a template message; all problems at once.
pub(super) fn parse(message: &pb::StructureTemplate) -> Result<Template, Vec<FieldViolation>> {
    let mut bad = Violations::new();
    bad.both("display_name", message.display_name.as_ref(), 100);
    bad.ensure(!message.unit_kinds.is_empty(), "unit_kinds", "FIELD_REQUIRED");
    bad.max_items("unit_kinds", message.unit_kinds.len(), 64);
    bad.max_items("posts", message.posts.len(), 128);
    let kinds: Vec<Kind> = message.unit_kinds.iter().enumerate().map(|(i, k)| kind(&mut bad, i, k)).collect();
    let posts: Vec<Post> = message.posts.iter().enumerate().map(|(i, p)| post(&mut bad, i, p)).collect();
    let mut violations = bad.into_vec();
    match Template::new(kinds, posts) {
        Ok(template) if violations.is_empty() => Ok(template),
        Ok(_) => Err(violations),
        Err(problems) => {
            violations.extend(problems.into_iter().map(violation));
            Err(violations)
        }
    }
}

fn kind(bad: &mut Violations, index: usize, message: &pb::UnitKind) -> Kind {
    let at = format!("unit_kinds[{index}]");
    bad.code(format_args!("{at}.code"), &message.code);
    bad.both(&format!("{at}.display_name"), message.display_name.as_ref(), 100);
    bad.declared(&format!("{at}.tree"), pb::Tree::try_from(message.tree), message.tree);
    bad.range(format_args!("{at}.min_households"), message.min_households.into(), 0, 1_000_000);
    bad.range(format_args!("{at}.max_households"), message.max_households.into(), 0, 1_000_000);
    for (i, requirement) in message.required_posts.iter().enumerate() {
        bad.range(format_args!("{at}.required_posts[{i}].min"), requirement.min.into(), 0, 10_000);
        bad.range(format_args!("{at}.required_posts[{i}].max"), requirement.max.into(), 0, 10_000);
    }
    let bound = |n: i32| u32::try_from(n).ok().filter(|n| *n > 0);
    Kind {
        code: message.code.clone(),
        tree: if message.tree() == pb::Tree::Party { Tree::Party } else { Tree::Residents },
        parents: message.parent_kinds.clone(),
        min_households: bound(message.min_households),
        max_households: bound(message.max_households),
        required: message
            .required_posts
            .iter()
            .map(|r| Requirement { role: r.role.clone(), min: u32::try_from(r.min).unwrap_or(0), max: bound(r.max) })
            .collect(),
    }
}

fn post(bad: &mut Violations, index: usize, message: &pb::Post) -> Post {
    let at = format!("posts[{index}]");
    bad.code(format_args!("{at}.role"), &message.role);
    bad.both(&format!("{at}.display_name"), message.display_name.as_ref(), 100);
    Post {
        role: message.role.clone(),
        conflicts: message.conflicts_with.clone(),
        access_role: message.access_role.clone(),
    }
}

fn violation(problem: Problem) -> FieldViolation {
    let field = problem.field;
    match problem.kind {
        ProblemKind::Duplicate(code) => FieldViolation::new(field, "FIELD_DUPLICATE").arg("value", code),
        ProblemKind::NoSuchKind(code) => FieldViolation::new(field, "KIND_UNKNOWN").arg("kind", code),
        ProblemKind::NoSuchPost(code) => FieldViolation::new(field, "POST_UNKNOWN").arg("post", code),
        ProblemKind::OtherTree(code) => FieldViolation::new(field, "KIND_OTHER_TREE").arg("kind", code),
        ProblemKind::NeverReachable(code) => FieldViolation::new(field, "KIND_UNREACHABLE").arg("kind", code),
        ProblemKind::Bounds => FieldViolation::new(field, "BOUNDS_CROSSED"),
    }
}

impl App {
    fn check_template(&self, message: &pb::StructureTemplate) -> Vec<FieldViolation> {
        let mut violations = parse(message).err().unwrap_or_default();
        for (i, post) in message.posts.iter().enumerate().filter(|(_, p)| !p.access_role.is_empty()) {
            if self.access.matrix().bit(&post.access_role).is_none() || post.access_role == "operator" {
                let field = format!("posts[{i}].access_role");
                violations.push(FieldViolation::new(field, "ACCESS_ROLE_UNKNOWN").arg("role", &post.access_role));
            }
        }
        violations
    }
}

/// The id that a structure template has: an area has at most one.
pub(super) const TEMPLATE_ID: &str = "structure";

impl App {
    /// The structure template that applies in an area: the nearest one up the tree.
    pub(super) async fn template(&self, conn: &impl ConnectionTrait, area: &AreaId) -> Result<Option<Template>> {
        for slug in self.access.snapshot().ancestors(area.as_str()) {
            if let Some(found) = self.own_template(conn, &slug).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The structure template that an area has itself.
    pub(super) async fn own_template(&self, conn: &impl ConnectionTrait, area: &str) -> Result<Option<Template>> {
        let found = self.templates.all(conn, area).await?.into_iter().find(|entry| entry.id == TEMPLATE_ID);
        let parsed = found.map(|entry| parse(&entry.resource)).transpose();
        parsed.map_err(|bad| Error::internal(format!("the stored template of {area} is invalid: {bad:?}")))
    }

    /// Returns one structure template.
    pub(crate) async fn get_structure_template(
        &self,
        ctx: &Ctx,
        request: &pb::GetStructureTemplateRequest,
    ) -> Result<pb::StructureTemplate> {
        let name = check::name("name", &request.name, "structureTemplates")?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        self.templates.get(name.area().as_str(), name.id()).await
    }

    /// Lists structure templates.
    pub(crate) async fn list_structure_templates(
        &self,
        ctx: &Ctx,
        r: &pb::ListStructureTemplatesRequest,
    ) -> Result<pb::ListStructureTemplatesResponse> {
        let paging = (r.page_size, r.page_token.as_str());
        let (structure_templates, next_page_token) =
            self.list_catalogue(ctx, &self.templates, &r.parent, &r.filter, &r.order_by, paging).await?;
        Ok(pb::ListStructureTemplatesResponse { structure_templates, next_page_token })
    }

    /// Creates structure template.
    pub(crate) async fn create_structure_template(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::CreateStructureTemplateRequest,
    ) -> Result<pb::StructureTemplate> {
        let area = check::area("parent", &r.parent)?;
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(&area))?;
        self.must_be_area(&area).await?;
        let wanted = r.structure_template.clone().unwrap_or_default();
        if r.structure_template_id != TEMPLATE_ID {
            return Err(Error::field(FieldViolation::new("structure_template_id", "TEMPLATE_ID_FIXED")));
        }
        let change = Change {
            ctx,
            area: &area,
            request_id: &r.request_id,
            hash: self.hash(ctx, &pb::CreateStructureTemplateRequest { request_id: String::new(), ..r.clone() }),
            name: "org.create_structure_template",
            validate_only: false,
        };
        let (of, wanted) = (&area, &wanted);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                let governed = self.lock_governed(tx, of).await?;
                let key = (of.as_str(), TEMPLATE_ID);
                let made = self.templates.create(tx, ctx.now(), key, wanted, |m| self.check_template(m)).await?.entry;
                self.refit(tx, ctx, of, &governed, Blame::Template).await?;
                Ok((made.resource.name.clone(), made.resource))
            })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        done_or_read(&self.templates, done).await
    }

    /// Changes structure template; with `allow_missing` creates it.
    pub(crate) async fn update_structure_template(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::UpdateStructureTemplateRequest,
    ) -> Result<pb::StructureTemplate> {
        let wanted = r.structure_template.clone().unwrap_or_default();
        let name = check::name("structure_template.name", &wanted.name, "structureTemplates")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(area))?;
        self.must_be_area(area).await?;
        if name.id() != TEMPLATE_ID {
            return Err(Error::field(FieldViolation::new("structure_template.name", "TEMPLATE_ID_FIXED")));
        }
        let change = Change {
            ctx,
            area,
            request_id: &r.request_id,
            hash: self.hash(ctx, &pb::UpdateStructureTemplateRequest { request_id: String::new(), ..r.clone() }),
            name: "org.update_structure_template",
            validate_only: r.validate_only,
        };
        let (r, wanted) = (&r, &wanted);
        let done = self.change(change, |tx| {
            Box::pin(async move {
                let governed = self.lock_governed(tx, area).await?;
                let check = |m: &pb::StructureTemplate| self.check_template(m);
                let (mask, missing) = (r.update_mask.as_ref(), r.allow_missing);
                let written = self.templates.update(tx, ctx.now(), wanted, mask, missing, check).await?;
                if written.changed {
                    self.refit(tx, ctx, area, &governed, Blame::Template).await?;
                }
                Ok((written.entry.resource.name.clone(), written.entry.resource))
            })
        });
        let done = done.await?;
        self.roles.refresh().await?;
        done_or_read(&self.templates, done).await
    }

    /// Deletes structure template.
    pub(crate) async fn delete_structure_template(
        &self,
        ctx: &Arc<Ctx>,
        r: pb::DeleteStructureTemplateRequest,
    ) -> Result<()> {
        let name = check::name("name", &r.name, "structureTemplates")?;
        let area = name.area();
        self.roles.current(ctx).await?;
        self.access.authorise(ctx, &Target::area(area))?;
        let change = Change {
            ctx,
            area,
            request_id: &r.request_id,
            hash: self.hash(ctx, &pb::DeleteStructureTemplateRequest { request_id: String::new(), ..r.clone() }),
            name: "org.delete_structure_template",
            validate_only: false,
        };
        let (name, etag) = (&name, r.etag.as_str());
        let done = self.change(change, |tx| {
            Box::pin(async move {
                let governed = self.lock_governed(tx, area).await?;
                self.templates.delete(tx, area.as_str(), name.id(), etag).await?;
                self.refit(tx, ctx, area, &governed, Blame::Deletion).await?;
                Ok((name.to_string(), ()))
            })
        });
        done.await?;
        self.roles.refresh().await
    }
}

pub(super) async fn done_or_read<M: prost::Message + Default>(catalogue: &Catalogue<M>, done: Once<M>) -> Result<M> {
    match done {
        Once::Done(resource) => Ok(resource),
        Once::Repeat(name) => {
            let mut parts = name.split('/').skip(1);
            let (area, id) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            catalogue.get(area, id).await
        }
    }
}

impl App {
    pub(super) async fn list_catalogue<M: prost::Message + Default>(
        &self,
        ctx: &Ctx,
        catalogue: &Catalogue<M>,
        parent: &str,
        filter: &str,
        order: &str,
        (size, token): (i32, &str),
    ) -> Result<(Vec<M>, String)> {
        let area = check::list_parent(parent)?;
        let scope = self.access.scope(ctx, area.as_ref())?;
        let areas: Vec<String> =
            scope.areas.into_iter().filter(|(_, within)| *within == Within::All).map(|(area, _)| area).collect();
        let page = PageRequest::parse(&self.parts.keyring, &ctx.method.path, &[parent, filter, order], size, token)?;
        let (entries, next) = catalogue.list(Scope::Areas(&areas), &page, filter, order).await?;
        Ok((entries.into_iter().map(|e| e.resource).collect(), next))
    }
}
