//! How a log line is written: with the request during which it was logged, which costs a request nothing that logs none.

use std::fmt::{self, Write as _};

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Full, Json, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::stack::trace::{self, Here};

/// A format that adds where the line stands in its trace.
#[derive(Debug)]
pub(crate) struct InTrace<F> {
    inner: F,
    add: fn(&mut String, &Here) -> fmt::Result,
}

/// Lines for people.
pub(crate) fn text() -> InTrace<Format<Full>> {
    InTrace { inner: tracing_subscriber::fmt::format().with_target(false), add: append }
}

/// One JSON object a line.
pub(crate) fn json() -> InTrace<Format<Json>> {
    InTrace { inner: tracing_subscriber::fmt::format().json(), add: insert }
}

fn append(line: &mut String, here: &Here) -> fmt::Result {
    let Here { service, method, trace_id, span_id, parent_id } = here;
    write!(line, " service=\"{service}\" method=\"{method}\" trace_id=\"{trace_id}\" span_id={span_id:016x}")?;
    if *parent_id == 0 { Ok(()) } else { write!(line, " parent_id={parent_id:016x}") }
}

/// None of these values has a character that JSON escapes: names of ours and hexadecimal digits.
fn insert(line: &mut String, here: &Here) -> fmt::Result {
    let Here { service, method, trace_id, span_id, parent_id } = here;
    // The end of the object, which is written again behind what is added.
    line.pop();
    write!(line, ",\"request\":{{\"service\":\"{service}\",\"method\":\"{method}\",\"trace_id\":\"{trace_id}\"")?;
    write!(line, ",\"span_id\":\"{span_id:016x}\",\"parent_id\":\"{parent_id:016x}\"}}}}")
}

impl<S, N, F> FormatEvent<S, N> for InTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(here) = trace::here() else { return self.inner.format_event(ctx, writer, event) };
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end().len());
        (self.add)(&mut line, &here)?;
        writeln!(writer, "{line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_stays_json_with_its_request() {
        let here = Here {
            service: "org",
            method: "/linli.org.v1.OrgService/GetUnit",
            trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
            span_id: 0xb7,
            parent_id: 0,
        };
        let mut line = r#"{"level":"INFO","fields":{"message":"a } line"},"target":"linli"}"#.to_owned();
        insert(&mut line, &here).expect("writes");
        let read: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["request"]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(
            (&read["request"]["span_id"], &read["fields"]["message"]),
            (&"00000000000000b7".into(), &"a } line".into())
        );
    }
}
