//! Compiled plugins from one start to the next: what is sealed is taken, everything else is compiled anew.
//! A file that is taken stays as it is; one that is compiled anew is written anew, under another inode.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use linli_rules_engine::types::{AwardRequest, Context};
use linli_rules_engine::validate::run;
use linli_rules_engine::{Engine, EngineConfig, Kept, Limits};

use crate::support::{guest, patient};

const KEY: [u8; 32] = [7; 32];
const ROOM: u64 = 16 << 20;

fn started(dir: &Path, key: [u8; 32], room: u64) -> Engine {
    let kept = Some(Kept::new(dir, key, room));
    Engine::new(EngineConfig { kept, ..EngineConfig::validation() }).expect("the engine starts")
}

/// Loads and asks with a new engine, as after a start.
fn ask(dir: &Path, key: [u8; 32]) {
    let engine = started(dir, key, ROOM);
    let plugin = engine.load(&guest("harmless")).expect("it loads");
    engine.award(&plugin, &Context::default(), &AwardRequest::default()).expect("it answers");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("an entry").path()).collect()
}

fn only(dir: &Path) -> PathBuf {
    let files = files(dir);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("the file").ino()
}

#[test]
fn what_was_compiled_is_taken_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), KEY);
    let file = only(dir.path());
    let written = inode(&file);
    ask(dir.path(), KEY);
    assert_eq!(inode(&only(dir.path())), written);
}

#[test]
fn flipped_bits_truncation_and_another_key_are_passed_over_and_compiled_anew() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), KEY);
    let file = only(dir.path());
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        broken
    };
    let last = whole.len() - 1;
    let mut attacks: Vec<Vec<u8>> = [0, 16, last / 3, last / 2, last - 32, last].map(flipped).to_vec();
    attacks.extend([Vec::new(), whole[..31].to_vec(), whole[..last].to_vec(), [whole.as_slice(), &whole].concat()]);
    for broken in attacks {
        fs::write(&file, &broken).unwrap();
        let planted = inode(&file);
        ask(dir.path(), KEY);
        assert_ne!(inode(&file), planted, "it was taken as it lay there: {} bytes", broken.len());
        assert_eq!(fs::read(&file).unwrap().len(), whole.len());
    }
    let ours = inode(&file);
    ask(dir.path(), [8; 32]);
    assert_ne!(inode(&file), ours);
}

#[test]
fn code_of_another_plugin_under_this_ones_name_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), KEY);
    let file = only(dir.path());
    let engine = started(dir.path(), KEY, ROOM);
    engine.load(&guest("trap")).expect("it loads");
    let other = files(dir.path()).into_iter().find(|path| *path != file).expect("another file");
    fs::copy(&other, &file).unwrap();
    // Would it be taken, the guest would trap.
    ask(dir.path(), KEY);
}

#[test]
fn an_engine_of_another_configuration_looks_for_other_files() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), KEY);
    let native = Limits { copy_on_write: true, ..Limits::native() };
    let kept = Some(Kept::new(dir.path(), KEY, ROOM));
    let engine = Engine::new(EngineConfig { native, kept, ..EngineConfig::validation() }).unwrap();
    engine.load(&guest("harmless")).expect("it loads");
    assert_eq!(files(dir.path()).len(), 2);
}

#[test]
fn room_is_made_by_what_was_written_longest_ago() {
    let dir = tempfile::tempdir().unwrap();
    ask(dir.path(), KEY);
    let first = only(dir.path());
    let room = fs::metadata(&first).unwrap().len() * 3 / 2;
    started(dir.path(), KEY, room).load(&guest("counter")).expect("it loads");
    assert_ne!(only(dir.path()), first);
}

#[tokio::test]
async fn what_the_validation_compiled_is_not_compiled_again() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Path::new(env!("CARGO_BIN_EXE_linli-engine-worker"));
    let report = run(worker, &guest("harmless"), &patient(), &[]).await.expect("the child starts");
    let code = report.compiled.expect("it is acceptable");
    started(dir.path(), KEY, ROOM).keep(&code).expect("it is kept");
    let written = inode(&only(dir.path()));
    ask(dir.path(), KEY);
    assert_eq!(inode(&only(dir.path())), written);
    let refused = run(worker, &guest("trap"), &patient(), &[]).await.expect("the child starts");
    assert!(refused.compiled.is_none());
}
