//! The binary as its users meet it: exit codes, and seeds that replay in another process. // Q2

use std::process::{Command, Output};

fn simulator(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keyway-sim"))
        .args(arguments)
        .output()
        .expect("the simulator can be started")
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// The first line: what a run was like, with the number for everything that happened in it.
fn told(output: &Output) -> String {
    printed(output)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_seed_is_the_same_in_every_process() {
    for property in ["handshake_loss", "simultaneous", "forged", "swarm"] {
        let run = |seed| simulator(&["--property", property, "--seed", seed]);
        let (one, again, other) = (run("5"), run("5"), run("6"));
        assert!(one.status.success());
        assert!(told(&one).contains("trace "), "{}", told(&one));
        assert_eq!(told(&one), told(&again));
        assert_ne!(
            told(&one).replace("seed=5", ""),
            told(&other).replace("seed=6", "")
        );
    }
}

#[test]
fn a_scenario_of_a_file_is_played_and_one_that_cannot_be_read_is_named() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let file = format!("{folder}/close-without-a-way.toml");
    let output = simulator(&["--scenario", &file]);
    assert!(output.status.success());
    assert!(told(&output).contains("trace "), "{}", told(&output));
    let missing = simulator(&["--scenario", "no such file"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no such file"));
}

#[test]
fn several_seeds_are_summed_up_in_one_line() {
    let output = simulator(&["--property", "silence", "--seeds", "3"]);
    assert!(output.status.success());
    let printed = printed(&output);
    assert!(printed.starts_with("silence"), "{printed}");
    assert!(printed.contains("3 seeds passed, 0 failed"), "{printed}");
    assert!(output.stderr.is_empty(), "progress is for terminals");
}

#[test]
fn the_matrix_is_a_table_or_json_and_the_same_each_time() {
    let part = [
        "--matrix",
        "--pair",
        "full_cone,symmetric_random",
        "--seeds",
        "3",
    ];
    let table = simulator(&part);
    assert!(table.status.success(), "{}", printed(&table));
    let text = printed(&table);
    let line = text.lines().last().unwrap_or_default();
    assert!(line.starts_with("full_cone "), "{text}");
    assert_eq!(
        line.matches("100 %").count(),
        2,
        "connected and direct: {text}"
    );
    assert_eq!(text, printed(&simulator(&part)));
    let json = simulator(&[&part[..], &["--json"]].concat());
    let rows: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(rows[0]["b"], "symmetric_random");
    assert_eq!(
        (&rows[0]["runs"], &rows[0]["direct"]),
        (&3.into(), &3.into())
    );
    let nothing = [
        "--matrix",
        "--pair",
        "public,public",
        "--setting",
        "one_nat",
    ];
    assert_eq!(simulator(&nothing).status.code(), Some(2));
}

#[test]
fn a_trace_tells_of_packets() {
    let output = simulator(&["--property", "handshake_loss", "--seed", "1", "--trace"]);
    let trace = String::from_utf8(output.stderr).expect("text");
    assert!(trace.contains("INIT") && trace.contains("RESP") && trace.contains("DATA"));
}

#[test]
fn who_asks_for_something_else_is_told_what_there_is() {
    let output = simulator(&["--property", "no such thing"]);
    assert_eq!(output.status.code(), Some(2));
    let help = simulator(&["--property", "help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(printed(&help).contains("transfer"));
}
