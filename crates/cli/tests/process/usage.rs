//! Wrong usage: exit code 2, nothing on stdout, and words that say what to write.

use crate::command::{Ended, keyway, run};

const ID: &str = "wv7q7qnwdqu7l2ghyatl2wkrwe54ilu66qomrqkqjljtxpgigbfpwjab";

fn wrong(words: &[&str]) -> Ended {
    let ended = run(&mut keyway(words));
    assert_eq!(ended.code, Some(2), "{words:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "{words:?}");
    assert!(
        ended.stderr.starts_with("error: "),
        "{words:?}: {}",
        ended.stderr
    );
    ended
}

fn wrong_and_says(words: &[&str], expected: &str) {
    let first = wrong(words).stderr.lines().next().unwrap().to_owned();
    assert!(first.contains(expected), "{words:?}: {first}");
}

#[test]
fn nobody_is_served_without_allow_and_the_command_says_why() {
    for words in [
        &["expose", "http=tcp:127.0.0.1:8080"][..],
        &["perf", "--serve"],
    ] {
        wrong_and_says(words, "without --allow");
        wrong_and_says(words, "--allow any");
    }
}

#[test]
fn a_mistyped_id_is_told_from_an_id_of_another_length() {
    let mistyped = format!("{}c", &ID[..55]);
    wrong_and_says(&["ping", &mistyped], "mistyped");
    wrong_and_says(&["ping", "abc"], "56 characters, this has 3");
    wrong_and_says(
        &["expose", "a=tcp:127.0.0.1:1", "--allow", "everybody"],
        "or `any`",
    );
    wrong_and_says(&["pipe", ID], "PEER/SERVICE");
}

#[test]
fn a_mistyped_target_is_told_where_it_goes_wrong() {
    let target = |target: &str, expected: &str| {
        wrong_and_says(&["expose", target, "--allow", "any"], expected);
    };
    target("tcp:127.0.0.1:8080", "SERVICE=TARGET");
    target("http=8080", "tcp:HOST:PORT");
    target("http=tcp:8080", "no port");
    target("http=tcp:127.0.0.1:70000", "`70000` is not a port");
    target("HTTP=tcp:127.0.0.1:80", "service `HTTP`");
    target("http=udp:127.0.0.1:0", "real port");
    wrong_and_says(&["forward", "9000"], "LISTEN=PEER/SERVICE");
    wrong_and_says(&["forward", &format!("9000={ID}/http")], "tcp:HOST:PORT");
}

#[test]
fn a_mistyped_server_is_told_where_it_goes_wrong() {
    wrong_and_says(&["ping", ID, "--server", "example.org:4433"], "node id");
    wrong_and_says(
        &["ping", ID, "--server", &format!("{ID}@example.org")],
        "port is missing",
    );
    wrong_and_says(&["server", "--advertise", "example.org"], "HOST:PORT");
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    wrong_and_says(&["lookup", ID], "--server");
    wrong_and_says(&["ping", ID, "-c", "0"], "0");
    wrong_and_says(&["ping", ID, "--patience", "5w"], "unknown unit `w`");
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key").to_str().unwrap().to_owned();
    let myself = run(&mut keyway(["id", "--key", &key])).stdout;
    let ended = run(&mut keyway([
        "pipe",
        &format!("{}/a", myself.trim_end()),
        "--key",
        &key,
    ]));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is this node itself"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_flag_may_come_in_the_environment_and_is_checked_there_too() {
    let ended = run(keyway(["ping", ID]).env("KEYWAY_SERVER", "nonsense"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--server"), "{}", ended.stderr);
    // Nobody to ask is found out only once all flags were understood.
    let ended = run(keyway(["lookup", ID]).env("KEYWAY_JSON", "1"));
    assert!(
        ended.stderr.contains("no server to ask"),
        "{}",
        ended.stderr
    );
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&mut keyway(["completions", shell]));
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.stderr);
        assert!(ended.stdout.contains("forward"), "{shell}");
    }
    wrong(&["completions", "tcsh"]);
}

#[test]
fn help_and_version_are_results() {
    for words in [&["--help"][..], &["expose", "--help"], &["--version"]] {
        let ended = run(&mut keyway(words));
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("keyway") && ended.stderr.is_empty());
    }
}
