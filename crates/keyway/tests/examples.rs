//! The examples run to their end.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, whatever fails is the finding"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

/// Far above what any of them takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The names of the files in the folder `examples`: none can be forgotten.
fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Where cargo puts examples: beside the folder that this test is in.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        program.exists(),
        "{} is not built: `cargo test -p keyway` builds it, `--test examples` alone does not",
        program.display()
    );
    program
}

#[tokio::test]
async fn every_example_ends_well() {
    let mut running = tokio::task::JoinSet::new();
    for name in names() {
        let program = program(&name);
        let mut command = Command::new(program);
        command.kill_on_drop(true);
        running.spawn(async move { (name, command.output().await.unwrap()) });
    }
    let mut count = 0;
    while let Some(ended) = tokio::time::timeout(PATIENCE, running.join_next())
        .await
        .expect("an example hangs")
    {
        let (name, output) = ended.unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(!output.stdout.is_empty(), "{name} says nothing");
        count += 1;
    }
    assert_eq!(count, names().len());
    assert!(count >= 8, "{count} examples");
}
