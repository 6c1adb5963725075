//! Scenarios that are kept in files: each has shown something once, and must not again.

use std::fs;
use std::path::{Path, PathBuf};

use keyway_sim::Scenario;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = fs::read_dir(folder).expect("a folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
}

#[test]
fn nothing_that_was_found_once_comes_back() {
    let files = files();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable file");
        assert!(text.starts_with("# "), "{}: what it showed", file.display());
        let scenario = Scenario::from_text(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if let Err(failure) = scenario.play(false) {
            panic!(
                "{failure}; replay: cargo xtask sim --scenario {}",
                file.display()
            );
        }
    }
}

// Q2
#[test]
fn a_scenario_always_goes_the_same_way() {
    for seed in 0..3 {
        let scenario = Scenario::from_seed(seed);
        assert_eq!(scenario.play(false), scenario.play(false), "seed {seed}");
    }
}
