//! stdout that is closed or full, and failures for scripts.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::ids::ID;
use super::table::documented;
use crate::command::{Ended, keyway, run};
use crate::world::World;

/// Runs a command whose stdout is a pipe that was read once and then closed.
fn read_once(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    assert!(stdout.read(&mut [0; 16]).unwrap() > 0);
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn whoever_has_read_enough_ends_the_command_quietly() {
    let world = World::new();
    let (_expose, id) = world.expose("a=tcp:127.0.0.1:9");
    let ping = world.command("ping", "pinging.key", &[&id, "-i", "0.01"]);
    for mut command in [
        ping,
        keyway(["demo"]),
        keyway(["completions", "bash"]),
        keyway(["--help"]),
    ] {
        let (code, said) = read_once(&mut command);
        assert_eq!(code, Some(0), "{command:?}: {said}");
        assert!(
            !said.contains("error") && !said.contains("bug"),
            "{command:?}: {said}"
        );
    }
}

#[test]
fn notes_that_nobody_reads_stop_nothing() {
    let mut child = keyway(["server", "--listen", "127.0.0.1:0"])
        .env("RUST_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    assert_eq!(&ready, b"ready ");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_full_disk_behind_stdout_is_a_failure() {
    // A device that has never room (full(4)).
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("agent.key");
    let output = keyway(["id", "--key", key.to_str().unwrap()])
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    let ended = Ended {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    documented("stdout-full", &ended);
}

#[test]
fn with_json_the_last_line_on_stderr_is_the_failure_as_one_object() {
    let failure = |command: &mut Command, kind: &str, exit: i32| {
        let ended = run(command);
        assert_eq!(ended.code, Some(exit), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
        let last = ended.stderr.lines().last().unwrap();
        let Ok(Value::Object(object)) = serde_json::from_str(last) else {
            panic!("`{last}` is no object");
        };
        assert_eq!(object["kind"], kind);
        assert_eq!(object["exit"], exit);
        assert!(
            object["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty())
        );
        assert_eq!(object.len(), 3, "{object:?}");
    };
    failure(&mut keyway(["ping", "abc", "--json"]), "usage", 2);
    failure(keyway(["ping", "abc"]).env("KEYWAY_JSON", "1"), "usage", 2);
    failure(&mut keyway(["lookup", ID, "--json"]), "usage", 2);
    failure(
        &mut keyway(["ping", ID, "--json", "-c", "1"]),
        "unreachable",
        3,
    );
    let key = ["ping", ID, "--json", "--key", "/dev/null"];
    failure(&mut keyway(key), "failed", 1);
    let world = World::new();
    let (_expose, id) = world.expose("a=tcp:127.0.0.1:9");
    let refused = &mut world.command("perf", "measuring.key", &[&id, "--json"]);
    failure(refused, "refused", 4);
}
