//! Where the suite is and who calls, from the command line and the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use linli_kernel::Lang;

use super::Connection;

/// The certificate that `linli serve` makes for itself on a developer's machine.
const DEVELOPMENT_CA: &str = "linli-data/tls/dev-cert.pem";

/// How to reach a suite, and as whom.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Where the gateway is.
    #[arg(long, global = true, env = "LINLI_SERVER", default_value = "https://127.0.0.1:8443", value_name = "URL")]
    pub server: String,
    /// Certificate (PEM) that the gateway's own must go back to [default: linli-data/tls/dev-cert.pem if there, then the system's].
    #[arg(long, global = true, env = "LINLI_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Token of the caller; `linli token` makes one for a development suite.
    #[arg(long, global = true, env = "LINLI_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// File with the token, so that it does not show in the list of processes.
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Language of answers: zh-CN or en; for `plugin new` that of the rule: rust, js or table.
    #[arg(long, global = true, env = "LINLI_LANG", default_value = "zh-CN", value_parser = word, value_name = "LANG")]
    pub lang: String,
    /// Seconds that one call may take.
    #[arg(long, global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    pub timeout: u64,
}

impl ConnectArgs {
    /// The language in which answers are read.
    pub fn answers(&self) -> Lang {
        if self.lang == "en" { Lang::En } else { Lang::ZhCn }
    }

    /// Prepares the connection; the first call opens it.
    ///
    /// # Errors
    /// When the URL, the token or one of the files is none.
    pub fn connect(&self) -> Result<Connection> {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("{}: the token cannot be read", path.display()))?,
            (None, None) => String::new(),
        };
        if !is_language(&self.lang) {
            bail!("{}: answers come in zh-CN or en", self.lang);
        }
        let development = Path::new(DEVELOPMENT_CA);
        let ca = self.ca.as_deref().or_else(|| development.exists().then_some(development));
        let connection = Connection::open(&self.server, ca, &token)?;
        Ok(connection.with_lang(self.answers()).with_timeout(Duration::from_secs(self.timeout)))
    }
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
