//! What `linli demo --keep` tells a client: address, certificate, token. Read from the lines that it prints for a person.

use std::path::PathBuf;

/// Enough to call the suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handoff {
    /// `127.0.0.1:8443`.
    pub(crate) address: String,
    /// Certificate of the authority that signed the server's.
    pub(crate) ca: PathBuf,
    /// Bearer token of a resident.
    pub(crate) token: String,
    /// Bearer token of the operator.
    pub(crate) operator: String,
}

/// Gathers the three from lines as they come.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    address: Option<String>,
    ca: Option<PathBuf>,
    token: Option<String>,
    operator: Option<String>,
}

impl Listener {
    /// Reads one line; returns everything once all of it was said.
    pub(crate) fn hear(&mut self, line: &str) -> Option<Handoff> {
        let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || "\"'`\\".contains(c)).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        for (at, word) in words.iter().enumerate() {
            let next = words.get(at + 1).copied();
            if let Some(rest) = word.strip_prefix("https://") {
                let address = rest.split('/').next().unwrap_or_default();
                self.address.get_or_insert_with(|| address.trim_end_matches(['.', ',']).to_owned());
            }
            if let Some(token) = word.strip_prefix("LINLI_TOKEN=") {
                self.operator.get_or_insert_with(|| token.to_owned());
            }
            match (word.trim_end_matches(':'), next) {
                ("--cacert", Some(path)) => drop(self.ca.get_or_insert_with(|| path.into())),
                ("Bearer", Some(token)) => drop(self.token.get_or_insert_with(|| token.to_owned())),
                _ => {}
            }
        }
        Some(Handoff {
            address: self.address.clone()?,
            ca: self.ca.clone()?,
            token: self.token.clone()?,
            operator: self.operator.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_call_and_the_exports_say_everything() {
        let mut listener = Listener::default();
        assert_eq!(listener.hear("The suite listens. Try:"), None);
        assert_eq!(listener.hear("buf curl --cacert data/ca.pem \\"), None);
        assert_eq!(listener.hear("  --header \"authorization: Bearer abc.def-g\" \\"), None);
        assert_eq!(listener.hear("  https://127.0.0.1:8443/linli.booking.v1.BookingService/ListOfferings"), None);
        let found = listener.hear("  export LINLI_TOKEN=hij.klm-n");
        let expected = Handoff {
            address: "127.0.0.1:8443".into(),
            ca: "data/ca.pem".into(),
            token: "abc.def-g".into(),
            operator: "hij.klm-n".into(),
        };
        assert_eq!(found, Some(expected));
    }
}
