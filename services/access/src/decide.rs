//! The decisions. A check returns a [`Permit`], which the write that follows needs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use linli_kernel::{AreaId, Timestamp};
use linli_kit::{Caller, Ctx, Error, ErrorCode, Result};
use sea_orm::Condition;
use sea_orm::sea_query::Expr;

use crate::fresh::Follows;
use crate::matrix::Matrix;
use crate::snapshot::Snapshot;

/// A revoked role stops elsewhere within this time: a projection that may lie further behind makes changing calls
/// UNAVAILABLE.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(2);

/// On what a permission is asked.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Slug of the area; empty for calls that are about no area.
    pub area: String,
    /// Id of the unit where the resource is; empty: only roles over the whole area count.
    pub unit: String,
    /// Full name of the person whom the resource is about; a caller of that name acts as `self`.
    pub person: String,
}

impl Target {
    /// A whole area.
    pub fn area(area: &AreaId) -> Self {
        Self { area: area.as_str().to_owned(), ..Self::default() }
    }

    /// Nothing in particular: calls about the installation.
    pub fn installation() -> Self {
        Self::default()
    }

    /// At a unit of the area.
    #[must_use]
    pub fn at_unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// About a person, by full name.
    #[must_use]
    pub fn about(mut self, person: impl Into<String>) -> Self {
        self.person = person.into();
        self
    }

    fn resource(&self) -> String {
        match (self.area.is_empty(), self.unit.is_empty()) {
            (true, _) => "the installation".to_owned(),
            (false, true) => format!("areas/{}", self.area),
            (false, false) => format!("areas/{}/units/{}", self.area, self.unit),
        }
    }
}

/// Proof that a check was passed.
#[derive(Debug, Clone)]
pub struct Permit {
    permission: String,
    subject: String,
    as_self: bool,
    roles: Vec<String>,
}

impl Permit {
    /// The permission that was checked.
    pub fn permission(&self) -> &str {
        &self.permission
    }

    /// Under which text effects are recorded.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the caller acted about themselves, not by a role.
    pub fn as_self(&self) -> bool {
        self.as_self
    }

    /// Post and access roles of the caller that gave the permission.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }
}

/// Which rows of an area a caller may list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// All.
    All,
    /// Those at these units (ids).
    Units(HashSet<String>),
    /// Those about this person (full name).
    Person(String),
}

/// What a list may show: areas, each with its own bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Areas by slug, sorted, with what may be seen in each. An area stands in it once per bound: a worker of a grid sees
    /// the grid's units and, where everybody does, what is about the worker.
    pub areas: Vec<(String, Within)>,
}

impl Scope {
    /// The condition "a row of these areas that may be seen there"; nothing matches when there is no area.
    ///
    /// `rows` says for one area and its bound which rows those are, `None` for none.
    pub fn condition(&self, rows: impl Fn(&str, &Within) -> Option<Condition>) -> Condition {
        // An empty OR would match every row: begin with what is never true.
        let nothing = Condition::any().add(Expr::value(false));
        self.areas.iter().filter_map(|(area, within)| rows(area, within)).fold(nothing, Condition::add)
    }

    /// The slugs of the areas.
    pub fn slugs(&self) -> Vec<String> {
        let mut slugs: Vec<String> = self.areas.iter().map(|(area, _)| area.clone()).collect();
        slugs.dedup();
        slugs
    }
}

/// The decision maker of one service.
#[derive(Clone)]
pub struct Access {
    inner: Arc<Inner>,
}

struct Inner {
    matrix: Matrix,
    operators: HashSet<String>,
    snapshot: ArcSwap<Snapshot>,
    /// How old the snapshot may be; stays fresh for org itself, which is the source.
    follows: Follows,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Access")
    }
}

impl Access {
    /// A decision maker with nothing in its snapshot. `operators` are subjects with every permission everywhere.
    pub fn new(matrix: Matrix, operators: impl IntoIterator<Item = String>) -> Self {
        Self {
            inner: Arc::new(Inner {
                matrix,
                operators: operators.into_iter().collect(),
                snapshot: ArcSwap::default(),
                follows: Follows::default(),
            }),
        }
    }

    /// Replaces what decisions rest on.
    pub fn replace(&self, snapshot: Snapshot) {
        self.inner.snapshot.store(Arc::new(snapshot));
    }

    /// What decisions rest on at the moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot.load_full()
    }

    /// The matrix.
    pub fn matrix(&self) -> &Matrix {
        &self.inner.matrix
    }

    /// What keeps the snapshot current.
    pub(crate) fn follows(&self) -> &Follows {
        &self.inner.follows
    }

    fn check_fresh(&self, ctx: &Ctx) -> Result<()> {
        if !ctx.method.mutating || self.inner.follows.age() <= STALE_AFTER {
            return Ok(());
        }
        Err(Error::new(ErrorCode::Unavailable, "PROJECTION_STALE").retry_after(STALE_AFTER))
    }

    /// The refusal of the called method's permission on an area.
    pub(crate) fn denied(&self, ctx: &Ctx, area: &str) -> Error {
        denied(&ctx.method.permission, &Target { area: area.to_owned(), ..Target::default() })
    }

    /// Checks the permission that the called method declares.
    ///
    /// # Errors
    /// PERMISSION_DENIED with the permission and the resource; UNAVAILABLE while roles are out of date.
    pub fn authorise(&self, ctx: &Ctx, target: &Target) -> Result<Permit> {
        self.check_fresh(ctx)?;
        if let Caller::Service { service, actor } = &ctx.caller {
            if ctx.method.internal_callers.iter().any(|s| s == service) {
                return Ok(self.permit(ctx, false, Vec::new()));
            }
            if actor.is_none() {
                return Err(denied(&ctx.method.permission, target));
            }
        }
        if ctx.method.internal_only {
            return Err(Error::new(ErrorCode::PermissionDenied, "INTERNAL_ONLY"));
        }
        let subject = ctx.caller.subject().unwrap_or_default();
        self.decide(subject, &ctx.method.permission, target, ctx.now())
            .map(|(as_self, roles)| self.permit(ctx, as_self, roles))
            .ok_or_else(|| denied(&ctx.method.permission, target))
    }

    /// Checks a further permission that the method does not declare, such as acting on behalf of somebody.
    ///
    /// # Errors
    /// PERMISSION_DENIED with the permission and the resource.
    pub fn authorise_as(&self, ctx: &Ctx, permission: &str, target: &Target) -> Result<Permit> {
        let subject = ctx.caller.subject().unwrap_or_default();
        match self.decide(subject, permission, target, ctx.now()) {
            Some((as_self, roles)) => {
                let mut permit = self.permit(ctx, as_self, roles);
                permission.clone_into(&mut permit.permission);
                Ok(permit)
            }
            None => Err(denied(permission, target)),
        }
    }

    fn permit(&self, ctx: &Ctx, as_self: bool, roles: Vec<String>) -> Permit {
        Permit { permission: ctx.method.permission.clone(), subject: ctx.caller.recorded_as(), as_self, roles }
    }

    /// Whether the subject holds the permission, and by which roles.
    fn decide(&self, subject: &str, permission: &str, target: &Target, now: Timestamp) -> Option<(bool, Vec<String>)> {
        let matrix = &self.inner.matrix;
        if self.inner.operators.contains(subject) {
            return Some((false, vec!["operator".to_owned()]));
        }
        let holders = matrix.holders(permission);
        let has = |role: &str| matrix.bit(role).is_some_and(|bit| holders & bit != 0);
        let snapshot = self.inner.snapshot.load();
        let roles: Vec<String> = snapshot
            .grants(subject)
            .iter()
            .filter(|g| g.active(now) && has(&g.access_role) && covers(&snapshot, g, target))
            .flat_map(|g| [g.role.clone(), g.access_role.clone()])
            .collect();
        if !roles.is_empty() {
            return Some((false, roles));
        }
        if !target.person.is_empty() && target.person == subject && has("self") {
            return Some((true, vec!["self".to_owned()]));
        }
        if !target.area.is_empty() && person_area(subject) == Some(target.area.as_str()) && has("resident") {
            return Some((false, vec!["resident".to_owned()]));
        }
        has("anyone").then(|| (false, vec!["anyone".to_owned()]))
    }

    /// Post roles that the subject holds at the unit, above it, or over the area, whatever they permit.
    pub fn roles_at(&self, subject: &str, target: &Target, now: Timestamp) -> Vec<String> {
        let snapshot = self.inner.snapshot.load();
        let grants = snapshot.grants(subject).iter().filter(|g| g.active(now) && covers(&snapshot, g, target));
        grants.map(|g| g.role.clone()).collect()
    }

    /// What the caller may list with the method's permission: one area, or with `areas/-` all of them.
    ///
    /// # Errors
    /// PERMISSION_DENIED when nothing may be listed in the named area.
    pub fn scope(&self, ctx: &Ctx, area: Option<&AreaId>) -> Result<Scope> {
        self.scope_as(ctx, &ctx.method.permission, area)
    }

    /// The same for another permission.
    ///
    /// # Errors
    /// PERMISSION_DENIED when nothing may be listed in the named area.
    pub fn scope_as(&self, ctx: &Ctx, permission: &str, area: Option<&AreaId>) -> Result<Scope> {
        let snapshot = self.inner.snapshot.load();
        let internal = matches!(&ctx.caller, Caller::Service { service, .. }
            if ctx.method.internal_callers.iter().any(|s| s == service));
        let bounds = |slug: &str| {
            if internal {
                return vec![Within::All];
            }
            self.within(&snapshot, ctx.caller.subject().unwrap_or_default(), permission, slug, ctx.now())
        };
        if let Some(area) = area {
            let bounds = bounds(area.as_str());
            if bounds.is_empty() {
                return Err(denied(permission, &Target::area(area)));
            }
            return Ok(Scope { areas: bounds.into_iter().map(|within| (area.as_str().to_owned(), within)).collect() });
        }
        let mut slugs: Vec<&str> = snapshot.areas().collect();
        slugs.sort_unstable();
        let areas = slugs.into_iter().flat_map(|slug| bounds(slug).into_iter().map(|within| (slug.to_owned(), within)));
        Ok(Scope { areas: areas.collect() })
    }

    /// The bounds under which a subject sees an area's rows; none: it sees nothing there.
    fn within(&self, snapshot: &Snapshot, subject: &str, permission: &str, area: &str, now: Timestamp) -> Vec<Within> {
        let matrix = &self.inner.matrix;
        if self.inner.operators.contains(subject) {
            return vec![Within::All];
        }
        let holders = matrix.holders(permission);
        let has = |role: &str| matrix.bit(role).is_some_and(|bit| holders & bit != 0);
        if has("anyone") || (person_area(subject) == Some(area) && has("resident")) {
            return vec![Within::All];
        }
        let mut units = HashSet::new();
        for grant in snapshot.grants(subject).iter().filter(|g| g.active(now) && has(&g.access_role)) {
            if grant.unit.is_empty() {
                if snapshot.below(area, &grant.area) {
                    return vec![Within::All];
                }
            } else if grant.area == area {
                units.extend(snapshot.units_below(area, &grant.unit));
            }
        }
        let own = (person_area(subject) == Some(area) && has("self")).then(|| Within::Person(subject.to_owned()));
        (!units.is_empty()).then_some(Within::Units(units)).into_iter().chain(own).collect()
    }
}

/// Whether an appointment's place covers the target.
fn covers(snapshot: &Snapshot, grant: &crate::snapshot::GrantRow, target: &Target) -> bool {
    if target.area.is_empty() {
        return false;
    }
    if grant.unit.is_empty() {
        return snapshot.below(&target.area, &grant.area);
    }
    if grant.area != target.area || target.unit.is_empty() {
        return false;
    }
    match (snapshot.path(&grant.area, &grant.unit), snapshot.path(&target.area, &target.unit)) {
        (Some(top), Some(path)) => path.starts_with(top),
        _ => false,
    }
}

/// The area of a person's name.
fn person_area(subject: &str) -> Option<&str> {
    let mut parts = subject.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("areas"), Some(area), Some("people"), Some(_), None) => Some(area),
        _ => None,
    }
}

fn denied(permission: &str, target: &Target) -> Error {
    Error::new(ErrorCode::PermissionDenied, "PERMISSION_DENIED")
        .with("permission", permission)
        .with("resource", target.resource())
}

#[cfg(test)]
mod tests;
