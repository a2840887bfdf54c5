//! What parent and child of a validation say to each other: a framed request, lines of stages, one line of report.
//! Never: seen by anybody else, so it may change with every release.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Report, ValidateLimits};
use crate::Hook;
use crate::question::Vector;
use crate::types::Setting;

/// The most that limits, settings and vectors take.
pub(super) const MAX_HEADER_BYTES: usize = 256 << 10;

const STAGE: &str = "stage ";
const REPORT: &str = "report ";
const UNFILTERED: &str = "unfiltered ";
const COMPILED: &str = "compiled ";

/// Header length, header, plugin.
pub(super) fn encode_request(header: &Header, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let header = serde_json::to_vec(header)?;
    if header.len() > MAX_HEADER_BYTES {
        return Err(io::Error::other("settings and vectors are too large"));
    }
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes(), header.as_slice(), bytes].concat())
}

/// Header and plugin.
pub(super) fn decode_request(input: &[u8]) -> io::Result<(Header, &[u8])> {
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (length, rest) = input.split_first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(io::Error::other)?;
    let (header, bytes) = rest.split_at_checked(length).ok_or_else(short)?;
    Ok((serde_json::from_slice(header)?, bytes))
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

/// Announces so many bytes of compiled code, which follow on standard error.
pub(super) fn compiled_line(bytes: usize) -> String {
    format!("{COMPILED}{bytes}\n")
}

/// How much of standard error is compiled code: the first announcement counts, which came before the plugin ran.
pub(super) fn compiled(output: &[u8]) -> Option<usize> {
    let mut lines = output.split(|&byte| byte == b'\n');
    lines.find_map(|line| std::str::from_utf8(line).ok()?.strip_prefix(COMPILED)?.parse().ok())
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
    Ok(format!("{REPORT}{}\n", serde_json::to_string(report)?))
}

/// The report, if the child got to the end of it.
pub(super) fn decode_report(output: &[u8]) -> Option<Report> {
    let line = output.strip_suffix(b"\n")?.rsplit(|&byte| byte == b'\n').next()?;
    serde_json::from_slice(line.strip_prefix(REPORT.as_bytes())?).ok()
}

/// What the child is asked beside the plugin itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) limits: ValidateLimits,
    /// The settings under which hooks are tried.
    pub(super) settings: Vec<Setting>,
    /// The one hook to try; `None`: all.
    pub(super) hook: Option<Hook>,
    /// Whether the compiled code is wanted.
    pub(super) keep: bool,
    /// The author's own cases.
    pub(super) vectors: Vec<Vector>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SettingValue;

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        let settings = vec![Setting { key: "tiers".to_owned(), value: SettingValue::Numbers(vec![1, -2]) }];
        let header = Header { settings, hook: Some(Hook::Price), ..Header::default() };
        let frame = encode_request(&header, b"plugin").unwrap();
        assert_eq!(decode_request(&frame).unwrap(), (header, &b"plugin"[..]));
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
