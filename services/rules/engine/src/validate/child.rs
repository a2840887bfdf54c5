//! The child's side of a validation: gives up what it will not need, then walks, compiles, describes and tries the plugin.
//! Never: runs in a process that serves, or opens a file or socket.

use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use super::problem::Problem;
use super::wire::{self, Header};
use super::{Report, ValidateLimits, corpus, rlimits, syscalls};
use crate::types::Setting;
use crate::{Caps, Engine, EngineConfig, Evaluated, Fault, Hook, Kind, LoadError, Plugin, Vector, kind_of, walk};

/// Failed cases are told up to this many.
const MAX_PROBLEMS: usize = 32;

/// The whole life of the validation child; `main` calls it when [`super::ARGUMENT`] is its first argument.
pub fn child_main() -> ExitCode {
    // What a hostile plugin makes the compiler say is of no use to anybody.
    panic::set_hook(Box::new(|_| {}));
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let mut input = Vec::new();
    let most = wire::MAX_HEADER_BYTES + Caps::MAX_BYTES + 4;
    io::stdin().take(most as u64).read_to_end(&mut input)?;
    let (asked, bytes) = wire::decode_request(&input)?;
    let engine = confine(&asked.limits)?;

    let mut stage = String::new();
    let examined = panic::catch_unwind(AssertUnwindSafe(|| {
        examine(&engine, &asked, bytes, &mut |next| {
            stage = next.to_owned();
            say(&wire::stage_line(next))
        })
    }));
    let report = match examined {
        Ok(report) => report?,
        Err(_panic) => Report::of(Problem::crashed(&stage, "panic")),
    };
    say(&wire::report_line(&report)?)
}

/// Starts the engine, whose ticker is the last thread that this process starts, and gives up everything else.
fn confine(limits: &ValidateLimits) -> io::Result<Engine> {
    let engine = Engine::new(EngineConfig::validation()).map_err(io::Error::other)?;
    rlimits::before_compiling(limits)?;
    if let Err(why) = syscalls::restrict() {
        say(&wire::unfiltered_line(&why))?;
    }
    Ok(engine)
}

/// What a confined child still can do, for the tests: each attempt with the error that it met.
#[doc(hidden)]
pub fn probe() -> io::Result<Vec<(&'static str, Option<i32>)>> {
    use std::os::unix::process::CommandExt as _;
    let errno = |outcome: io::Result<()>| outcome.err().map(|error| error.raw_os_error().unwrap_or(-1));
    let own = rustix::process::getpid();
    let _engine = confine(&ValidateLimits::default())?;
    Ok(vec![
        ("open", errno(std::fs::File::open("/dev/null").map(drop))),
        ("socket", errno(std::net::UdpSocket::bind("127.0.0.1:0").map(drop))),
        ("kill", errno(rustix::process::test_kill_process(own).map_err(io::Error::from))),
        ("thread", errno(std::thread::Builder::new().spawn(|| {}).map(drop))),
        ("fork", errno(std::process::Command::new("/bin/true").spawn().map(drop))),
        ("exec", errno(Err(std::process::Command::new("/bin/true").exec()))),
    ])
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

fn examine(
    engine: &Engine,
    asked: &Header,
    bytes: &[u8],
    enter: &mut dyn FnMut(&str) -> io::Result<()>,
) -> io::Result<Report> {
    let kind = kind_of(bytes);
    let mut report = Report { kind: Some(kind), ..Report::default() };
    let read = if kind == Kind::Table {
        enter("table")?;
        rlimits::before_running(&asked.limits)?;
        Plugin::of_table(bytes)
    } else {
        enter("walk")?;
        let inspection = walk(bytes, &Caps::of(kind));
        report.hooks = inspection.hooks;
        if !inspection.findings.is_empty() {
            return Ok(refused(report, &LoadError::Unacceptable(inspection.findings)));
        }
        describe(engine, kind, asked, bytes, enter)?
    };
    let plugin = match read {
        Ok(plugin) => plugin,
        Err(error) => return Ok(refused(report, &error)),
    };
    report.hooks = plugin.hooks().collect();
    report.manifest = Some(plugin.manifest().clone());

    enter("check-settings")?;
    report.problems.extend(check_settings(engine, &plugin, &asked.settings));
    if !report.problems.is_empty() {
        return Ok(report);
    }
    for hook in plugin.hooks().filter(|hook| asked.hook.is_none_or(|wanted| wanted == *hook)) {
        enter(hook.code())?;
        try_hook(engine, &plugin, hook, &asked.settings, &mut report);
    }
    if !asked.vectors.is_empty() {
        enter("vectors")?;
        try_vectors(engine, &plugin, &asked.vectors, &mut report);
    }
    Ok(report)
}

/// Compiles a component, hands its code over, and lets it describe itself.
fn describe(
    engine: &Engine,
    kind: Kind,
    asked: &Header,
    bytes: &[u8],
    enter: &mut dyn FnMut(&str) -> io::Result<()>,
) -> io::Result<Result<Plugin, LoadError>> {
    enter("compile")?;
    let compiled = match engine.compile(kind, bytes) {
        Ok(compiled) => compiled,
        Err(error) => return Ok(Err(error)),
    };
    if asked.keep
        && let Ok(code) = compiled.serialize()
    {
        hand_over(&code)?;
    }
    enter("describe")?;
    rlimits::before_running(&asked.limits)?;
    Ok(compiled.describe())
}

/// Hands the compiled code to the parent, before anything of the plugin runs: what the child says afterwards cannot
/// change it.
fn hand_over(code: &[u8]) -> io::Result<()> {
    say(&wire::compiled_line(code.len()))?;
    let mut out = io::stderr().lock();
    out.write_all(code)?;
    out.flush()
}

fn refused(report: Report, error: &LoadError) -> Report {
    Report { problems: Problem::of_load(error), ..report }
}

fn check_settings(engine: &Engine, plugin: &Plugin, settings: &[Setting]) -> Vec<Problem> {
    let given = settings.iter().map(|setting| (setting.key.as_str(), Some(&setting.value)));
    let misfits = plugin.manifest().misfits(given);
    if !misfits.is_empty() {
        return misfits.iter().map(Problem::misfit).collect();
    }
    match engine.check_settings(plugin, settings) {
        Ok(problems) => problems
            .iter()
            .map(|problem| {
                let text = |lang| plugin.manifest().render(&problem.why, lang);
                Problem::new(super::ProblemCode::BadSettings, text("zh-CN"), text("en")).at(&problem.key)
            })
            .collect(),
        Err(fault) => Problem::of_fault(&fault, "check-settings").into_iter().collect(),
    }
}

/// Asks what the author wrote down.
fn try_vectors(engine: &Engine, plugin: &Plugin, vectors: &[Vector], report: &mut Report) {
    for vector in vectors {
        let came = engine.evaluate(plugin, &vector.context, &vector.question);
        if vector.expect.admits(&came) {
            report.vectors += 1;
        } else if report.problems.len() < MAX_PROBLEMS {
            report.problems.push(Problem::vector(vector, &came));
        }
    }
}

/// Asks every question of the corpus twice.
fn try_hook(engine: &Engine, plugin: &Plugin, hook: Hook, settings: &[Setting], report: &mut Report) {
    let mut trial = Trial { hook, report };
    match hook {
        Hook::Eligibility => {
            trial.run(settings, corpus::eligibility, |ctx, req| engine.eligibility(plugin, ctx, req));
        }
        Hook::Price => trial.run(settings, corpus::price, |ctx, req| engine.price(plugin, ctx, req)),
        Hook::Priority => trial.run(settings, corpus::priority, |ctx, req| engine.priority(plugin, ctx, req)),
        Hook::Award => trial.run(settings, corpus::award, |ctx, req| engine.award(plugin, ctx, req)),
        Hook::Track => trial.run(settings, corpus::track, |ctx, req| engine.track(plugin, ctx, req)),
        Hook::Thresholds => {
            trial.run(settings, corpus::thresholds, |ctx, req| engine.thresholds(plugin, ctx, req));
        }
    }
}

struct Trial<'a> {
    hook: Hook,
    report: &'a mut Report,
}

impl Trial<'_> {
    fn run<Q, A: PartialEq>(
        &mut self,
        settings: &[Setting],
        question: impl Fn(&mut corpus::Chance) -> Q,
        ask: impl Fn(&crate::types::Context, &Q) -> Result<Evaluated<A>, Fault>,
    ) {
        for case in 0..corpus::CASES {
            let mut chance = corpus::Chance::new(case);
            let ctx = chance.context(settings);
            let req = question(&mut chance);
            let (first, second) = (ask(&ctx, &req), ask(&ctx, &req));
            self.report.cases += 1;
            if first != second {
                self.report.problems.push(Problem::nondeterministic(self.hook, case));
                return;
            }
            match first {
                Ok(evaluated) => self.note_fuel(evaluated.fuel_used, evaluated.fuel_budget),
                Err(fault) => {
                    if let Some(problem) = Problem::of_fault(&fault, self.hook.code()) {
                        // One problem per hook will do: the cases differ little.
                        self.report.problems.push(problem);
                        return;
                    }
                }
            }
        }
    }

    fn note_fuel(&mut self, used: u64, budget: u64) {
        let report = &mut *self.report;
        let share = |used: u64, budget: u64| u128::from(used) * 1_000_000 / u128::from(budget.max(1));
        if share(used, budget) >= share(report.peak_fuel, report.peak_fuel_budget) {
            (report.peak_fuel, report.peak_fuel_budget) = (used, budget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_leave_room_for_the_validator_itself() {
        let limits = ValidateLimits::default();
        assert!(limits.wall.as_secs() > limits.cpu_seconds);
        assert!(limits.run_bytes > EngineConfig::validation().script.memory_bytes as u64 * 8);
    }
}
