//! Process templates: a catalogue, inherited down the tree of areas.

use linli_access::Target;
use linli_kernel::{AreaId, Name, Timestamp};
use linli_kit::catalogue::{Catalogue, Scope, Written};
use linli_kit::check::{self, Violations};
use linli_kit::idempotency::Once;
use linli_kit::page::PageRequest;
use linli_kit::serve::ServiceParts;
use linli_kit::{Ctx, Error, ErrorCode, FieldViolation, Result};
use linli_proto::deliberation as pb;
use parking_lot::Mutex;

use super::{App, convert};
use crate::domain::meetings;
use crate::ids::{self, TEMPLATES};
use crate::store::topics;

/// The catalogue of templates.
pub(super) type Templates = Catalogue<pb::ProcessTemplate>;

/// Builds the catalogue of a service.
pub(super) fn catalogue(parts: &ServiceParts) -> Templates {
    Catalogue::new(parts.store.clone(), TEMPLATES, "linli/ProcessTemplate")
}

/// Reason of the error that takes a trial write back; nobody ever sees it.
const TRIAL: &str = "VALIDATE_ONLY";

/// Meetings that a template tells of.
const MEETINGS: usize = 3;

/// What is wrong with a template at `now`.
fn violations(now: Timestamp) -> impl Fn(&pb::ProcessTemplate) -> Vec<FieldViolation> {
    move |template| {
        let mut bad = Violations::new();
        convert::process(template, &mut bad);
        convert::meetings(template, now, &mut bad);
        bad.into_vec()
    }
}

impl App {
    /// Returns one template.
    pub(crate) async fn get_template(
        &self,
        ctx: &Ctx,
        request: pb::GetProcessTemplateRequest,
    ) -> Result<pb::ProcessTemplate> {
        let name = check::name("name", &request.name, TEMPLATES)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        Ok(self.with_meetings(ctx, self.templates.get(name.area().as_str(), name.id()).await?))
    }

    /// A template with its next meetings, where its area's clocks say that they are.
    fn with_meetings(&self, ctx: &Ctx, mut template: pb::ProcessTemplate) -> pb::ProcessTemplate {
        let (Some(since), false) = (&template.create_time, template.meeting_rrule.is_empty()) else { return template };
        let area = template.name.split('/').nth(1).unwrap_or_default();
        let next = meetings::next(&template.meeting_rrule, check::instant(since), self.zone(area), ctx.now(), MEETINGS);
        template.next_meeting_times = next.unwrap_or_default().into_iter().map(check::timestamp).collect();
        template
    }

    /// Lists templates.
    pub(crate) async fn list_templates(
        &self,
        ctx: &Ctx,
        request: pb::ListProcessTemplatesRequest,
    ) -> Result<pb::ListProcessTemplatesResponse> {
        let parent = check::list_parent(&request.parent)?;
        let areas = self.access.scope(ctx, parent.as_ref())?.slugs();
        let query = [request.parent.as_str(), &request.filter, &request.order_by];
        let page =
            PageRequest::parse(&self.parts.keyring, &ctx.method.path, &query, request.page_size, &request.page_token)?;
        let listed = self.templates.list(Scope::Areas(&areas), &page, &request.filter, &request.order_by).await?;
        let (entries, next_page_token) = listed;
        let process_templates = entries.into_iter().map(|entry| self.with_meetings(ctx, entry.resource)).collect();
        Ok(pb::ListProcessTemplatesResponse { process_templates, next_page_token })
    }

    /// Creates a template.
    pub(crate) async fn create_template(
        &self,
        ctx: &Ctx,
        mut request: pb::CreateProcessTemplateRequest,
    ) -> Result<pb::ProcessTemplate> {
        let area = check::area("parent", &request.parent)?;
        self.access.authorise(ctx, &Target::area(&area))?;
        let request_id = std::mem::take(&mut request.request_id);
        let hash = self.hash(ctx, &request);
        let template = request.process_template.clone().unwrap_or_default();
        let (area, id, template) = (area.as_str(), request.process_template_id.as_str(), &template);
        let done = self.parts.store.write_once(ctx, area, &request_id, hash, "template.create", |tx| {
            Box::pin(async move {
                let written = self.templates.create(tx, ctx.now(), (area, id), template, violations(ctx.now())).await?;
                Ok((self.templates.name(area, id), written.entry.resource))
            })
        });
        Ok(self.with_meetings(ctx, self.written(done.await?).await?))
    }

    /// Changes a template, or creates it.
    pub(crate) async fn update_template(
        &self,
        ctx: &Ctx,
        mut request: pb::UpdateProcessTemplateRequest,
    ) -> Result<pb::ProcessTemplate> {
        let template = request.process_template.clone().unwrap_or_default();
        let name = check::name("process_template.name", &template.name, TEMPLATES)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let request_id = std::mem::take(&mut request.request_id);
        let (area, hash) = (name.area().as_str(), self.hash(ctx, &request));
        let (template, request) = (&template, &request);
        let trial = Mutex::new(None);
        let (name, trial_ref) = (&name, &trial);
        let write = self.parts.store.write_once(ctx, area, &request_id, hash, "template.update", |tx| {
            Box::pin(async move {
                let (mask, missing) = (request.update_mask.as_ref(), request.allow_missing);
                let written: Written<_> =
                    self.templates.update(tx, ctx.now(), template, mask, missing, violations(ctx.now())).await?;
                if request.validate_only {
                    *trial_ref.lock() = Some(written.entry.resource);
                    return Err(Error::new(ErrorCode::Aborted, TRIAL));
                }
                Ok((name.to_string(), written.entry.resource))
            })
        });
        let outcome = write.await;
        match (trial.into_inner(), outcome) {
            (Some(shown), Err(error)) if error.reason() == TRIAL => Ok(self.with_meetings(ctx, shown)),
            (_, outcome) => Ok(self.with_meetings(ctx, self.written(outcome?).await?)),
        }
    }

    /// Deletes a template that no topic follows.
    pub(crate) async fn delete_template(&self, ctx: &Ctx, mut request: pb::DeleteProcessTemplateRequest) -> Result<()> {
        let name = check::name("name", &request.name, TEMPLATES)?;
        self.access.authorise(ctx, &Target::area(name.area()))?;
        let request_id = std::mem::take(&mut request.request_id);
        let (area, hash) = (name.area().as_str(), self.hash(ctx, &request));
        let (name, etag) = (&name, request.etag.as_str());
        let done = self.parts.store.write_once(ctx, area, &request_id, hash, "template.delete", |tx| {
            Box::pin(async move {
                self.templates.delete(tx, area, name.id(), etag).await?;
                if let Some((area, topic)) = topics::first_of_template(tx.conn(), &name.to_string()).await? {
                    let by = ids::topic(&area, topic);
                    return Err(Error::new(ErrorCode::FailedPrecondition, "STILL_REFERENCED")
                        .with("resource", name)
                        .with("by", by));
                }
                Ok((name.to_string(), ()))
            })
        });
        done.await.map(|_| ())
    }

    async fn written(&self, done: Once<pb::ProcessTemplate>) -> Result<pb::ProcessTemplate> {
        match done {
            Once::Done(template) => Ok(template),
            Once::Repeat(name) => {
                let name = check::name("name", &name, TEMPLATES)?;
                self.templates.get(name.area().as_str(), name.id()).await
            }
        }
    }

    /// The template that `name` means for `area`: of the named area, or of the nearest one above it that has the id.
    pub(super) async fn resolve_template(&self, area: &AreaId, name: &Name) -> Result<Option<pb::ProcessTemplate>> {
        let snapshot = self.access.snapshot();
        if !snapshot.ancestors(area.as_str()).iter().any(|above| above == name.area().as_str()) {
            return Ok(None);
        }
        let chain = snapshot.ancestors(name.area().as_str());
        Ok(self.templates.get_nearest(&chain, name.id()).await?.map(|entry| entry.resource))
    }
}
