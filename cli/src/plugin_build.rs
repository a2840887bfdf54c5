//! Builds a Rust rule plugin to a component, with whichever wasm toolchain the machine offers.
//! Never: installs anything, and never decides whether the result is acceptable; the upload check does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";
/// Guests are called with little data: a small stack keeps an instance within its first page or two.
const STACK_BYTES: u32 = 16_384;

/// A component that was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The plugin's name: that of its directory.
    pub name: String,
    /// Where the component lies: `OUT_DIR/NAME.wasm`.
    pub path: PathBuf,
    /// SHA-256 of the component, lower-case hex: its identity in the catalogue.
    pub digest_sha256_hex: String,
    /// Size of the component.
    pub bytes_len: u64,
    /// Which toolchain built it, for a person to read.
    pub toolchain: String,
}

/// Builds the guest crate in `plugin_dir` to `out_dir`; cargo decides whether anything has to be compiled.
pub fn build(plugin_dir: &Path, out_dir: &Path) -> Result<Built> {
    let plugin = Plugin::at(plugin_dir)?;
    let toolchain = Toolchain::find()?;
    compile(&toolchain, std::slice::from_ref(&plugin))?;
    package(&toolchain, &plugin, out_dir)
}

/// Builds a guest crate to its core module, without a component around it; says where it lies.
pub fn build_core(plugin_dir: &Path) -> Result<PathBuf> {
    let plugin = Plugin::at(plugin_dir)?;
    compile(&Toolchain::find()?, std::slice::from_ref(&plugin))?;
    Ok(plugin.core())
}

/// Builds every Rust plugin below `plugins_dir` (the directories with a `plugin.yaml` and a `Cargo.toml`) in one run of cargo.
pub fn build_all(plugins_dir: &Path, out_dir: &Path) -> Result<Vec<Built>> {
    let mut dirs: Vec<PathBuf> = fs::read_dir(plugins_dir)
        .with_context(|| format!("read {}", plugins_dir.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|dir| dir.join("plugin.yaml").is_file() && dir.join("Cargo.toml").is_file())
        .collect();
    dirs.sort();
    ensure!(!dirs.is_empty(), "{}: no crate with a plugin.yaml", plugins_dir.display());
    let plugins = dirs.iter().map(|dir| Plugin::at(dir)).collect::<Result<Vec<_>>>()?;
    let toolchain = Toolchain::find()?;
    compile(&toolchain, &plugins)?;
    plugins.iter().map(|plugin| package(&toolchain, plugin, out_dir)).collect()
}

/// A guest crate: what cargo calls it, and where its artefacts go.
struct Plugin {
    name: String,
    dir: PathBuf,
    package: String,
    /// The core module's file name without its ending: the `[lib]` name.
    artefact: String,
    target_dir: PathBuf,
}

impl Plugin {
    fn at(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("no plugin at {}", dir.display()))?;
        let manifest = fs::read_to_string(dir.join("Cargo.toml"))
            .with_context(|| format!("{}: a Rust plugin has a Cargo.toml", dir.display()))?;
        let package = toml_string(&manifest, "[package]", "name")
            .with_context(|| format!("{}/Cargo.toml: no package name", dir.display()))?;
        let artefact = toml_string(&manifest, "[lib]", "name").unwrap_or_else(|| package.clone()).replace('-', "_");
        let name = dir.file_name().context("a plugin has a directory of its own")?.to_string_lossy().into_owned();
        // Members of a workspace share its target directory; a plugin on its own has its own.
        let root = dir.parent().filter(|parent| is_workspace(parent)).unwrap_or(&dir);
        let target_dir = root.join("target");
        Ok(Self { name, package, artefact, target_dir, dir })
    }

    /// Where cargo leaves the core module.
    fn core(&self) -> PathBuf {
        self.target_dir.join(TARGET).join("release").join(format!("{}.wasm", self.artefact))
    }
}

fn is_workspace(dir: &Path) -> bool {
    fs::read_to_string(dir.join("Cargo.toml")).is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}

/// The value of `key = "..."` in one section of a Cargo.toml; enough for the two names that are needed.
fn toml_string(text: &str, section: &str, key: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .skip_while(|line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .find(|(k, _)| k.trim() == key)
        .map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// How this machine compiles for wasm32.
enum Toolchain {
    /// The compiler on the path has the target's library.
    Installed { rustc: PathBuf },
    /// A compiler has the library's source: cargo builds the library too.
    FromSource { rustc: PathBuf, linker: PathBuf },
}

impl Toolchain {
    fn find() -> Result<Self> {
        let mut candidates = vec![PathBuf::from("rustc")];
        candidates.extend(debian_rustc());
        let sysroots: Vec<(PathBuf, PathBuf)> =
            candidates.into_iter().filter_map(|rustc| sysroot(&rustc).map(|root| (rustc, root))).collect();
        if let Some((rustc, _)) = sysroots.iter().find(|(_, root)| has_target_library(root)) {
            return Ok(Self::Installed { rustc: rustc.clone() });
        }
        let Some((rustc, _)) = sysroots.iter().find(|(_, root)| has_library_source(root)) else {
            bail!(
                "no Rust compiler for {TARGET}. Install one of these:\n  \
                 rustup target add {TARGET}\n  \
                 apt-get install rustc-web rust-web-src libstd-rust-web-dev lld-19"
            );
        };
        let roots = sysroots.iter().map(|(_, root)| root.as_path());
        let Some(linker) = find_linker(roots) else {
            bail!("no linker for {TARGET}. Install one:\n  apt-get install lld-19");
        };
        Ok(Self::FromSource { rustc: rustc.clone(), linker })
    }

    fn describe(&self) -> String {
        match self {
            Self::Installed { rustc } => format!("{} with the target installed", rustc.display()),
            Self::FromSource { rustc, linker } => {
                format!("{} with its library from source, linked by {}", rustc.display(), linker.display())
            }
        }
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        // What the calling cargo set for itself must not reach this one.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTC_WRAPPER");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", format!("-Clink-arg=-zstack-size={STACK_BYTES}"));
        cargo.args(["build", "--release", "--target", TARGET]);
        match self {
            Self::Installed { rustc } => {
                cargo.env("RUSTC", rustc);
            }
            Self::FromSource { rustc, linker } => {
                cargo
                    .env("RUSTC", rustc)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .args(["-Z", "build-std=std,panic_abort"]);
                // The library as a toolchain ships it: fast, whatever the guests' own profile says.
                for library in ["core", "alloc", "std", "compiler_builtins"] {
                    cargo.args(["--config", &format!("profile.release.package.{library}.opt-level=3")]);
                }
            }
        }
        cargo
    }
}

/// The compiler of Debian's package, wherever the package put it.
fn debian_rustc() -> Option<PathBuf> {
    let listing = stdout(Command::new("dpkg").args(["-L", "rustc-web"]))?;
    listing.lines().find(|line| line.ends_with("/bin/rustc")).map(PathBuf::from)
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    stdout(Command::new(rustc).args(["--print", "sysroot"])).map(|text| PathBuf::from(text.trim()))
}

fn has_target_library(sysroot: &Path) -> bool {
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::read_dir(library)
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

fn has_library_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
}

/// LLVM's wasm linker: a Debian one, or the one inside a Rust toolchain.
fn find_linker<'a>(sysroots: impl Iterator<Item = &'a Path>) -> Option<PathBuf> {
    let on_path = (15..=30).rev().map(|version| format!("wasm-ld-{version}")).chain(["wasm-ld".to_owned()]);
    if let Some(name) = on_path.into_iter().find(|name| stdout(Command::new(name).arg("--version")).is_some()) {
        return Some(PathBuf::from(name));
    }
    let inside = sysroots.filter_map(|root| fs::read_dir(root.join("lib/rustlib")).ok()).flatten().flatten();
    inside.map(|host| host.path().join("bin/rust-lld")).find(|linker| linker.is_file())
}

/// The output of a command that exists and succeeds.
fn stdout(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

fn compile(toolchain: &Toolchain, plugins: &[Plugin]) -> Result<()> {
    let first = plugins.first().context("nothing to build")?;
    all_members_there(first.target_dir.parent().unwrap_or(&first.dir))?;
    let mut cargo = toolchain.cargo();
    for plugin in plugins {
        cargo.args(["-p", &plugin.package]);
    }
    // One target directory for all, so that a new library is compiled once.
    cargo.arg("--target-dir").arg(&first.target_dir).current_dir(&first.dir);
    let status = cargo.status().context("start cargo: is it installed and on the path?")?;
    ensure!(status.success(), "cargo could not build the plugins; {status}");
    Ok(())
}

/// One member whose directory is gone keeps cargo from building any of them, and cargo does not say what to do.
fn all_members_there(workspace: &Path) -> Result<()> {
    let path = workspace.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let gone: Vec<&str> =
        members(&text).into_iter().filter(|name| !workspace.join(name).join("Cargo.toml").is_file()).collect();
    ensure!(
        gone.is_empty(),
        "{}: there is no crate any more at {}; remove it from the list `members`",
        path.display(),
        gone.join(", ")
    );
    Ok(())
}

/// The members that a workspace names, without patterns.
fn members(manifest: &str) -> Vec<&str> {
    let list = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    let quoted = list.unwrap_or_default().split('"').skip(1).step_by(2);
    quoted.filter(|name| !name.contains('*')).collect()
}

fn package(toolchain: &Toolchain, plugin: &Plugin, out_dir: &Path) -> Result<Built> {
    let core = plugin.core();
    let module = fs::read(&core).with_context(|| {
        format!("{}: no {}; a plugin's [lib] has crate-type = [\"cdylib\", ..]", plugin.name, core.display())
    })?;
    let component = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("{}: the module is no linli:rules component", plugin.name))?;
    keep(&plugin.name, "wasm", &component, out_dir, toolchain.describe())
}

/// Writes a rule's bytes to `OUT_DIR/NAME.ENDING`.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(name: &str, ending: &str, bytes: &[u8], out_dir: &Path, toolchain: String) -> Result<Built> {
    fs::create_dir_all(out_dir).with_context(|| format!("create {}", out_dir.display()))?;
    let path = out_dir.join(format!("{name}.{ending}"));
    // A reader never sees half a file, and unchanged bytes keep their time stamp.
    if fs::read(&path).ok().as_deref() != Some(bytes) {
        let partial = out_dir.join(format!(".{name}.{}.partial", std::process::id()));
        fs::write(&partial, bytes).with_context(|| format!("write {}", partial.display()))?;
        fs::rename(&partial, &path).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(Built {
        name: name.to_owned(),
        digest_sha256_hex: hex::encode(Sha256::digest(bytes)),
        bytes_len: u64::try_from(bytes.len())?,
        toolchain,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_their_own_section() {
        let text = "[package]\nname = \"linli-plugin-x\"\n[lib]\nname = \"x\"\n[dependencies]\nname = \"y\"\n";
        assert_eq!(toml_string(text, "[package]", "name").as_deref(), Some("linli-plugin-x"));
        assert_eq!(toml_string(text, "[lib]", "name").as_deref(), Some("x"));
        assert_eq!(toml_string(text, "[features]", "name"), None);
    }

    #[test]
    fn a_member_whose_directory_is_gone_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("there")).expect("a directory");
        fs::write(dir.path().join("there/Cargo.toml"), "[package]").expect("a manifest");
        fs::write(dir.path().join("Cargo.toml"), "[workspace]\nmembers = [\"there\", \"gone\"]").expect("a manifest");
        let told = all_members_there(dir.path()).expect_err("gone").to_string();
        assert!(told.contains("at gone; remove it") && told.contains("members"), "{told}");
        assert!(members("[package]\nname = \"x\"").is_empty());
    }
}
