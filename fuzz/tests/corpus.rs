//! Replays the committed corpora, on stable, and keeps them complete. // Q3

use std::fs;
use std::path::{Path, PathBuf};

use keyway_fuzz::TARGETS;

mod seeds;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a folder, in the order of their names, so that the first failure is the same everywhere.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_accepts_its_corpus() {
    for (name, target) in TARGETS {
        let files = files(&folder("corpus").join(name));
        assert!(!files.is_empty(), "no corpus of {name}");
        for file in files {
            // The name of the file that fails is the last one printed.
            println!("{}", file.display());
            target(&fs::read(&file).expect("a readable file"));
        }
    }
}

#[test]
fn every_target_is_a_program() {
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("a manifest");
    let programs: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
        .collect();
    let expected: Vec<_> = TARGETS
        .iter()
        .map(|(name, _)| format!("{name}.rs\""))
        .collect();
    assert_eq!(
        programs, expected,
        "Cargo.toml and TARGETS, both in the order of the alphabet"
    );
    for (name, _) in TARGETS {
        let program = fs::read_to_string(folder("fuzz_targets").join(format!("{name}.rs")))
            .expect("a program");
        assert!(
            program.contains(&format!("keyway_fuzz::main!({name});")),
            "{name} runs another target"
        );
    }
}
