//! Renders the manifests and checks them against the schemas of Kubernetes.
//! Their typed round trip and their claims are tests of `linli-tidy`.

use anyhow::{Context as _, Result};

use crate::repo::{Repo, run, say};

/// Release whose schemas count: the one that `k8s-openapi` is built for.
const KUBERNETES: &str = "1.33";
/// What an operator applies.
const ROOTS: [(&str, &str); 2] = [("base", "deploy/base"), ("dev", "deploy/overlays/dev")];

/// Renders base and overlays and validates every document strictly.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let out = repo.target().join("manifests");
    std::fs::create_dir_all(&out).with_context(|| format!("create {}", out.display()))?;
    for (name, path) in ROOTS {
        say(&format!("rendering {path}"));
        let rendered = repo.command("kubectl").args(["kustomize", path]).output().context("start kubectl")?;
        anyhow::ensure!(rendered.status.success(), "{path}: {}", String::from_utf8_lossy(&rendered.stderr).trim());
        let file = out.join(format!("{name}.yaml"));
        std::fs::write(&file, rendered.stdout).with_context(|| format!("write {}", file.display()))?;
        let mut validate = repo.command("kubernetes-validate");
        run(validate.args(["--kubernetes-version", KUBERNETES, "--strict", "--quiet"]).arg(file))?;
    }
    Ok(())
}
