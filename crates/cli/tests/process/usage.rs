//! What is asked for and shown: help, version, completions.

use crate::command::{keyway, run};

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&mut keyway(["completions", shell]));
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.stderr);
        assert!(ended.stdout.contains("forward"), "{shell}");
    }
    let unknown = run(&mut keyway(["completions", "tcsh"]));
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown
            .stderr
            .contains("bash, elvish, fish, powershell, zsh")
    );
}

#[test]
fn help_and_version_are_results() {
    for words in [&["--help"][..], &["expose", "--help"], &["--version"]] {
        let ended = run(&mut keyway(words));
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("keyway") && ended.stderr.is_empty());
    }
}
