//! A loaded plugin, whatever it is made of: described, checked, ready to be asked.
//! Never: built from bytes that were not inspected, or with a manifest that was not checked.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ask::Ask;
use super::component::Component;
use super::digest::Digest;
use super::facts::FactSet;
use super::fault::{BadResult, Fault, LoadError};
use super::hook::Hook;
use super::kind::Kind;
use super::manifest::{Manifest, SettingProblem};
use super::table::{MAX_COST, Table};
use super::types::{Context, Setting};

/// A plugin that can be evaluated.
pub struct Plugin {
    digest: Digest,
    manifest: Manifest,
    facts: FactSet,
    reasons: HashSet<String>,
    form: Form,
    /// The most fuel that an evaluation took so far; a fault took it all.
    peak: AtomicU64,
}

/// What it is made of.
pub(super) enum Form {
    /// Code.
    Component(Box<Component>),
    /// Decision tables, and the size of their document.
    Table(Box<Table>, usize),
}

/// Fuel of a rule that is quick.
const QUICK_FUEL: u64 = 50_000;
/// Steps of a table that is quick.
const QUICK_STEPS: u64 = 500;
/// Steps that a table may take for a request, and for each list entry of it.
const TABLE_STEPS: u64 = MAX_COST;
const TABLE_STEPS_PER_ITEM: u64 = 2_000;

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("digest", &self.digest).field("title", &self.manifest.title.en).finish()
    }
}

impl Plugin {
    /// The manifest was checked.
    pub(super) fn new(digest: Digest, manifest: Manifest, form: Form) -> Self {
        let reasons = manifest.messages.iter().map(|message| message.code.clone()).collect();
        Self { digest, facts: manifest.fact_set(), reasons, manifest, form, peak: AtomicU64::new(0) }
    }

    /// Reads and checks a table.
    pub(super) fn of_table(bytes: &[u8]) -> Result<Self, LoadError> {
        let table = Table::parse(bytes).map_err(LoadError::Table)?;
        let problems = table.manifest().check();
        if !problems.is_empty() {
            return Err(LoadError::Manifest(problems));
        }
        let manifest = table.manifest().clone();
        Ok(Self::new(Digest::of(bytes), manifest, Form::Table(Box::new(table), bytes.len())))
    }

    /// The plugin's identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How it is made, and so what it may use.
    pub fn kind(&self) -> Kind {
        match &self.form {
            Form::Component(component) => component.kind(),
            Form::Table(..) => Kind::Table,
        }
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it has answered already, and has always been quick: within some ten microseconds.
    pub fn is_quick(&self) -> bool {
        let most = match &self.form {
            Form::Component(component) if component.kind() == Kind::Script => 0,
            Form::Component(_) => QUICK_FUEL,
            Form::Table(..) => QUICK_STEPS,
        };
        (1..=most).contains(&self.peak.load(Ordering::Relaxed))
    }

    /// The facts that it declares.
    pub fn facts(&self) -> FactSet {
        self.facts
    }

    /// The hooks that it answers.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        Hook::ALL.into_iter().filter(|hook| self.answers(*hook))
    }

    fn answers(&self, hook: Hook) -> bool {
        match &self.form {
            Form::Component(component) => component.hooks().any(|own| own == hook),
            Form::Table(table, _) => table.hooks().any(|own| own == hook),
        }
    }

    /// Whether the manifest declares a reason.
    pub(super) fn declares(&self, reason: &str) -> bool {
        self.reasons.contains(reason)
    }

    /// The fuel of a request with so many list entries.
    pub(super) fn budget(&self, items: usize) -> u64 {
        match &self.form {
            Form::Component(component) => component.limits().budget(items),
            Form::Table(..) => TABLE_STEPS.saturating_add(TABLE_STEPS_PER_ITEM.saturating_mul(items as u64)),
        }
    }

    /// Asks; the answer is not checked yet. Returns it with the fuel that it took.
    pub(super) fn ask<Q: Ask>(&self, ctx: &Context, req: &Q, items: usize) -> Result<(Q::Answer, u64), Fault> {
        let asked = self.ask_form(ctx, req, items);
        match &asked {
            Ok((_, fuel)) => self.peak.fetch_max((*fuel).max(1), Ordering::Relaxed),
            Err(fault) if fault.is_the_plugins() => self.peak.fetch_max(u64::MAX, Ordering::Relaxed),
            Err(_) => 0,
        };
        asked
    }

    fn ask_form<Q: Ask>(&self, ctx: &Context, req: &Q, items: usize) -> Result<(Q::Answer, u64), Fault> {
        match &self.form {
            Form::Component(component) => component.ask(ctx, req, items),
            Form::Table(table, _) => {
                let (outcome, steps) = table.evaluate(ctx, req.asked(), self.budget(items))?;
                Ok((Q::answer(outcome).ok_or(Fault::Host)?, steps))
            }
        }
    }

    pub(super) fn check_settings(&self, settings: &[Setting]) -> Result<Vec<SettingProblem>, Fault> {
        let problems = match &self.form {
            Form::Component(component) => component.check_settings(settings)?,
            Form::Table(table, _) => table.check_settings(settings),
        };
        match problems.iter().find(|problem| !self.declares(&problem.why.code)) {
            Some(problem) => Err(Fault::BadResult(BadResult::UnknownReason(problem.why.code.clone()))),
            None => Ok(problems),
        }
    }

    /// Roughly the memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        /// What hangs on every plugin beside its code and its texts.
        const EACH: usize = 16 << 10;
        let code = match &self.form {
            Form::Component(component) => component.bytes(),
            // A cell of a few letters becomes an expression of a few dozen bytes.
            Form::Table(_, document) => document * 16,
        };
        code + EACH
    }
}
