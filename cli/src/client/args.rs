//! Where the suite is and who calls, from the command line and the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use linli_kernel::Lang;

use super::Connection;

/// Where the gateway is on a developer's machine.
const GATEWAY: &str = "https://127.0.0.1:8443";
/// The certificate that `linli serve` makes for itself on a developer's machine.
const DEVELOPMENT_CA: &str = "linli-data/tls/dev-cert.pem";

/// How to reach a suite, and as whom. What is not said comes from the environment, where an empty variable says nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Where the gateway is [env: LINLI_SERVER] [default: https://127.0.0.1:8443].
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// Certificate (PEM) that the gateway's own must go back to [env: LINLI_CA] [default: linli-data/tls/dev-cert.pem if there, then the system's].
    #[arg(long, global = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Token of the caller; `linli token` makes one for a development suite [env: LINLI_TOKEN].
    #[arg(long, global = true, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// File with the token, so that it does not show in the list of processes.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Language of answers: zh-CN or en [env: LINLI_LANG, then LANG]; for `plugin new` that of the rule: rust, js or table.
    #[arg(long, global = true, value_parser = word, value_name = "LANG")]
    pub lang: Option<String>,
    /// Seconds that one call may take.
    #[arg(long, global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    pub timeout: u64,
}

impl ConnectArgs {
    /// The language in which answers are read.
    pub fn answers(&self) -> Lang {
        let said = self.lang.clone().or_else(|| variable("LINLI_LANG"));
        spoken(said.or_else(|| variable("LANG")).as_deref())
    }

    /// Prepares the connection; the first call opens it.
    ///
    /// # Errors
    /// When the URL, the token, the language or one of the files is none.
    pub fn connect(&self) -> Result<Connection> {
        for (from, lang) in [("--lang", self.lang.clone()), ("LINLI_LANG", variable("LINLI_LANG"))] {
            if let Some(lang) = lang.filter(|lang| !is_language(&lang.to_ascii_lowercase())) {
                bail!("{from}: {lang:?} is no language of answers; they come in zh-CN or en");
            }
        }
        let server = self.server.clone().or_else(|| variable("LINLI_SERVER"));
        let development = Path::new(DEVELOPMENT_CA);
        let ca = self.ca.clone().or_else(|| variable("LINLI_CA").map(PathBuf::from));
        let ca = ca.as_deref().or_else(|| development.exists().then_some(development));
        let connection = Connection::open(server.as_deref().unwrap_or(GATEWAY), ca, &self.bearer()?)?;
        Ok(connection.with_lang(self.answers()).with_timeout(Duration::from_secs(self.timeout)))
    }

    /// The token: what a flag says wins over the variable; empty when there is none.
    fn bearer(&self) -> Result<String> {
        match (&self.token, &self.token_file) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {}: the token cannot be read", path.display())),
            (None, None) => Ok(variable("LINLI_TOKEN").unwrap_or_default()),
        }
    }
}

/// A variable of the environment that says something. Not through clap, which would list it among what was typed.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty())
}

/// Chinese where it is asked for, such as by zh-CN or zh_CN.UTF-8; else English.
fn spoken(lang: Option<&str>) -> Lang {
    if lang.is_some_and(|lang| lang.to_ascii_lowercase().starts_with("zh")) { Lang::ZhCn } else { Lang::En }
}

fn is_language(text: &str) -> bool {
    matches!(text, "zh" | "zh-cn" | "en")
}

/// One argument for two things, since a subcommand cannot have another global argument's name.
fn word(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    if is_language(&text) || matches!(text.as_str(), "rust" | "js" | "table") {
        return Ok(text);
    }
    Err("answers come in zh-CN or en; rules are written in rust, js or table".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        connect: ConnectArgs,
    }

    fn said(words: &[&str]) -> ConnectArgs {
        Line::try_parse_from([&["linli"], words].concat()).expect("arguments").connect
    }

    #[test]
    fn answers_come_in_chinese_where_it_is_asked_for_and_else_in_english() {
        for (lang, wanted) in [("zh-CN", Lang::ZhCn), ("zh_CN.UTF-8", Lang::ZhCn), ("C.UTF-8", Lang::En)] {
            assert_eq!(spoken(Some(lang)), wanted, "{lang}");
        }
        assert_eq!(spoken(None), Lang::En);
        assert_eq!(said(&["--lang", "zh-CN"]).answers(), Lang::ZhCn);
    }

    #[test]
    fn a_token_file_is_read_and_one_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("token").display().to_string();
        let missing = said(&["--token-file", &file]).bearer().expect_err("not there").to_string();
        assert!(missing.contains("--token-file") && missing.contains(&file), "{missing}");
        std::fs::write(&file, "abc").expect("a file");
        assert_eq!(said(&["--token-file", &file]).bearer().expect("a token"), "abc");
    }
}
