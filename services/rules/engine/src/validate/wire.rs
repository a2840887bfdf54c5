//! What parent and child of a validation say to each other: a framed request, lines of stages, one line of report.
//! Never: seen by anybody else, so it may change with every release.

use std::io;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::{Report, ValidateLimits};
use crate::Hook;
use crate::manifest::{Manifest, Message, SettingDecl, SettingKind, Text};
use crate::types::{Setting, SettingValue};

/// The most that limits and settings take.
pub(super) const MAX_HEADER_BYTES: usize = 256 << 10;

const STAGE: &str = "stage ";
const REPORT: &str = "report ";
const UNFILTERED: &str = "unfiltered ";

/// A request as the child reads it.
pub(super) struct Request<'a> {
    pub(super) limits: ValidateLimits,
    pub(super) settings: Vec<Setting>,
    /// The one hook to try; `None`: all.
    pub(super) hook: Option<Hook>,
    pub(super) bytes: &'a [u8],
}

/// Header length, header, plugin.
pub(super) fn encode_request(
    limits: &ValidateLimits,
    settings: &[Setting],
    hook: Option<Hook>,
    bytes: &[u8],
) -> io::Result<Vec<u8>> {
    let header = Header {
        cpu_seconds: limits.cpu_seconds,
        compile_seconds: limits.compile_seconds,
        compile_bytes: limits.compile_bytes,
        run_bytes: limits.run_bytes,
        settings: settings.iter().map(|s| (s.key.clone(), s.value.clone().into())).collect(),
        hook: hook.map(|hook| hook.code().to_owned()),
    };
    let header = serde_json::to_vec(&header)?;
    if header.len() > MAX_HEADER_BYTES {
        return Err(io::Error::other("the sample settings are too large"));
    }
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes(), header.as_slice(), bytes].concat())
}

pub(super) fn decode_request(input: &[u8]) -> io::Result<Request<'_>> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (length, rest) = input.split_first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(io::Error::other)?;
    let (header, bytes) = rest.split_at_checked(length).ok_or_else(short)?;
    let header: Header = serde_json::from_slice(header)?;
    Ok(Request {
        limits: ValidateLimits {
            cpu_seconds: header.cpu_seconds,
            compile_seconds: header.compile_seconds,
            compile_bytes: header.compile_bytes,
            run_bytes: header.run_bytes,
            // The parent keeps the time on the wall.
            wall: ValidateLimits::default().wall,
        },
        settings: header.settings.into_iter().map(|(key, value)| Setting { key, value: value.into() }).collect(),
        hook: header.hook.as_deref().and_then(Hook::from_code),
        bytes,
    })
}

/// Says that the kernel filters no system calls of the child.
pub(super) fn unfiltered_line(why: &str) -> String {
    format!("{UNFILTERED}{}\n", why.replace('\n', " "))
}

/// Why the child went without a filter of system calls, if it did.
pub(super) fn unfiltered(output: &[u8]) -> Option<&str> {
    let mut lines = output.split(|&byte| byte == b'\n');
    lines.find_map(|line| std::str::from_utf8(line).ok()?.strip_prefix(UNFILTERED))
}

pub(super) fn stage_line(stage: &str) -> String {
    format!("{STAGE}{stage}\n")
}

/// The stage that the child entered last.
pub(super) fn last_stage(output: &[u8]) -> &str {
    let lines = output.split(|&byte| byte == b'\n').rev();
    let stages = lines.filter_map(|line| std::str::from_utf8(line).ok()?.strip_prefix(STAGE));
    stages.into_iter().next().unwrap_or("start")
}

pub(super) fn report_line(report: &Report) -> io::Result<String> {
    let wire = WireReport {
        problems: report.problems.clone(),
        manifest: report.manifest.clone().map(WireManifest::from),
        hooks: report.hooks.iter().map(|hook| hook.code().to_owned()).collect(),
        cases: report.cases,
        peak_fuel: report.peak_fuel,
        peak_fuel_budget: report.peak_fuel_budget,
    };
    Ok(format!("{REPORT}{}\n", serde_json::to_string(&wire)?))
}

/// The report, if the child got to the end of it.
pub(super) fn decode_report(output: &[u8]) -> Option<Report> {
    let line = output.strip_suffix(b"\n")?.rsplit(|&byte| byte == b'\n').next()?;
    let wire: WireReport = serde_json::from_slice(line.strip_prefix(REPORT.as_bytes())?).ok()?;
    Some(Report {
        problems: wire.problems,
        manifest: wire.manifest.map(Manifest::from),
        hooks: wire.hooks.iter().filter_map(|code| Hook::from_code(code)).collect(),
        cases: wire.cases,
        peak_fuel: wire.peak_fuel,
        peak_fuel_budget: wire.peak_fuel_budget,
    })
}

#[derive(Serialize, Deserialize)]
struct Header {
    cpu_seconds: u64,
    compile_seconds: u64,
    compile_bytes: u64,
    run_bytes: u64,
    settings: Vec<(String, WireValue)>,
    hook: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireReport {
    problems: Vec<Problem>,
    manifest: Option<WireManifest>,
    hooks: Vec<String>,
    cases: u32,
    peak_fuel: u64,
    peak_fuel_budget: u64,
}

/// zh-CN, en.
type WireText = (String, String);

#[derive(Serialize, Deserialize)]
struct WireManifest {
    title: WireText,
    summary: WireText,
    facts: Vec<String>,
    settings: Vec<WireDecl>,
    messages: Vec<(String, WireText)>,
}

#[derive(Serialize, Deserialize)]
struct WireDecl {
    key: String,
    kind: WireKind,
    default: WireValue,
    label: WireText,
    help: WireText,
}

#[derive(Serialize, Deserialize)]
enum WireKind {
    Flag,
    Number(i32, i32),
    Choice(Vec<String>),
    Numbers(u16),
    Codes(u16),
}

#[derive(Serialize, Deserialize)]
enum WireValue {
    Flag(bool),
    Number(i32),
    Choice(String),
    Numbers(Vec<i32>),
    Codes(Vec<String>),
}

impl From<SettingValue> for WireValue {
    fn from(value: SettingValue) -> Self {
        match value {
            SettingValue::Flag(yes) => WireValue::Flag(yes),
            SettingValue::Number(number) => WireValue::Number(number),
            SettingValue::Choice(code) => WireValue::Choice(code),
            SettingValue::Numbers(list) => WireValue::Numbers(list),
            SettingValue::Codes(list) => WireValue::Codes(list),
        }
    }
}

impl From<WireValue> for SettingValue {
    fn from(value: WireValue) -> Self {
        match value {
            WireValue::Flag(yes) => SettingValue::Flag(yes),
            WireValue::Number(number) => SettingValue::Number(number),
            WireValue::Choice(code) => SettingValue::Choice(code),
            WireValue::Numbers(list) => SettingValue::Numbers(list),
            WireValue::Codes(list) => SettingValue::Codes(list),
        }
    }
}

impl From<SettingKind> for WireKind {
    fn from(kind: SettingKind) -> Self {
        match kind {
            SettingKind::Flag => WireKind::Flag,
            SettingKind::Number((min, max)) => WireKind::Number(min, max),
            SettingKind::Choice(options) => WireKind::Choice(options),
            SettingKind::Numbers(max) => WireKind::Numbers(max),
            SettingKind::Codes(max) => WireKind::Codes(max),
        }
    }
}

impl From<WireKind> for SettingKind {
    fn from(kind: WireKind) -> Self {
        match kind {
            WireKind::Flag => SettingKind::Flag,
            WireKind::Number(min, max) => SettingKind::Number((min, max)),
            WireKind::Choice(options) => SettingKind::Choice(options),
            WireKind::Numbers(max) => SettingKind::Numbers(max),
            WireKind::Codes(max) => SettingKind::Codes(max),
        }
    }
}

fn to_wire(text: Text) -> WireText {
    (text.zh_cn, text.en)
}

fn from_wire((zh_cn, en): WireText) -> Text {
    Text { zh_cn, en }
}

impl From<Manifest> for WireManifest {
    fn from(manifest: Manifest) -> Self {
        let decl = |decl: SettingDecl| WireDecl {
            key: decl.key,
            kind: decl.kind.into(),
            default: decl.default.into(),
            label: to_wire(decl.label),
            help: to_wire(decl.help),
        };
        Self {
            title: to_wire(manifest.title),
            summary: to_wire(manifest.summary),
            facts: manifest.facts,
            settings: manifest.settings.into_iter().map(decl).collect(),
            messages: manifest.messages.into_iter().map(|m| (m.code, to_wire(m.text))).collect(),
        }
    }
}

impl From<WireManifest> for Manifest {
    fn from(wire: WireManifest) -> Self {
        let decl = |decl: WireDecl| SettingDecl {
            key: decl.key,
            kind: decl.kind.into(),
            default: decl.default.into(),
            label: from_wire(decl.label),
            help: from_wire(decl.help),
        };
        let message = |(code, text)| Message { code, text: from_wire(text) };
        Self {
            title: from_wire(wire.title),
            summary: from_wire(wire.summary),
            facts: wire.facts,
            settings: wire.settings.into_iter().map(decl).collect(),
            messages: wire.messages.into_iter().map(message).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        let settings = [Setting { key: "tiers".to_owned(), value: SettingValue::Numbers(vec![1, -2]) }];
        let limits = ValidateLimits::default();
        let frame = encode_request(&limits, &settings, Some(Hook::Price), b"plugin").unwrap();
        let request = decode_request(&frame).unwrap();
        assert_eq!(
            (request.limits, request.settings.as_slice(), request.hook, request.bytes),
            (limits, &settings[..], Some(Hook::Price), &b"plugin"[..])
        );
        assert!(decode_request(&frame[..7]).is_err());
    }

    #[test]
    fn half_a_report_is_no_report_and_the_stage_is_known() {
        let report = Report { cases: 3, hooks: vec![Hook::Price], ..Report::default() };
        let output = stage_line("walk") + &stage_line("compile") + &report_line(&report).unwrap();
        assert_eq!(decode_report(output.as_bytes()), Some(report));
        let cut = &output.as_bytes()[..output.len() - 4];
        assert_eq!(decode_report(cut), None);
        assert_eq!(last_stage(cut), "compile");
        assert_eq!(last_stage(b""), "start");
        assert_eq!(unfiltered(output.as_bytes()), None);
        let noted = unfiltered_line("no\nkernel") + &output;
        assert_eq!(unfiltered(noted.as_bytes()), Some("no kernel"));
        assert!(decode_report(noted.as_bytes()).is_some());
    }
}
