//! curl, over TCP ports and Unix sockets of `keyway forward`.

use std::path::Path;
use std::process::Command;

use crate::command::{Ended, program, run};
use crate::http::{CONNECTION, TOGETHER, serve_tcp, serve_unix};
use crate::service::{hash, hash_of_file, hex, write_pattern};
use crate::tools::{self, text};
use crate::world::World;

/// curl, quiet but about errors, and with the user's own settings left alone.
fn curl() -> Option<Command> {
    let [curl] = tools::find([("curl", "curl")])?;
    let mut command = program(curl);
    command.args([
        "--disable",
        "--noproxy",
        "*",
        "--fail",
        "--silent",
        "--show-error",
        "--max-time",
        "50",
    ]);
    Some(command)
}

fn fetched(command: &mut Command) -> Ended {
    let ended = run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

fn assert_fetched(path: &Path, length: usize) {
    let written = std::fs::metadata(path).unwrap().len();
    assert_eq!(written, length as u64, "of {}", path.display());
    assert_eq!(hash_of_file(path), hash(length), "of {}", path.display());
}

#[test]
fn several_requests_use_one_connection() {
    let Some(mut curl) = curl() else { return };
    let world = World::new();
    let (_expose, id) = world.expose(&format!("http={}", serve_tcp()));
    let (_forward, address) = world.forward(&format!("{id}/http"));
    let lengths = [0, 1, 70_000, 3_000_000, 17];
    for length in lengths {
        curl.arg("--output").arg(world.path(&length.to_string()));
        curl.arg(format!("http://{address}/{length}"));
    }
    curl.args([
        "--write-out",
        &format!("%{{num_connects}} %header{{{CONNECTION}}}\n"),
    ]);
    let said = fetched(&mut curl).stdout;
    // One connection is made, for the first of them; all of them come by the connection of number 0.
    let expected: Vec<_> = (0..lengths.len())
        .map(|request| if request == 0 { "1 0" } else { "0 0" })
        .collect();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    for length in lengths {
        assert_fetched(&world.path(&length.to_string()), length);
    }
}

#[test]
fn a_large_upload_arrives_whole() {
    let Some(mut curl) = curl() else { return };
    let world = World::new();
    let (_expose, id) = world.expose(&format!("http={}", serve_tcp()));
    let (_forward, address) = world.forward(&format!("{id}/http"));
    let hash = write_pattern(&world.path("upload"), 100_000_000);
    curl.args([
        "--upload-file",
        &world.text("upload"),
        &format!("http://{address}/upload"),
    ]);
    assert_eq!(fetched(&mut curl).stdout, hex(&hash));
}

#[test]
fn a_hundred_requests_are_answered_at_the_same_time() {
    let Some(mut curl) = curl() else { return };
    let world = World::new();
    let (_expose, id) = world.expose(&format!("http={}", serve_tcp()));
    let (_forward, address) = world.forward(&format!("{id}/http"));
    let (first, last) = (100_000, 100_000 + TOGETHER - 1);
    curl.args([
        "--parallel",
        "--parallel-immediate",
        "--parallel-max",
        &TOGETHER.to_string(),
    ]);
    // None of them is answered before the last one was asked.
    curl.args([
        "--output",
        &world.text("#1"),
        &format!("http://{address}/together/[{first}-{last}]"),
    ]);
    fetched(&mut curl);
    for length in first..=last {
        assert_fetched(&world.path(&length.to_string()), length);
    }
}

#[test]
fn a_large_file_comes_through_unix_sockets_at_both_ends() {
    let Some(mut curl) = curl() else { return };
    let world = World::new();
    serve_unix(&world.path("target.sock"));
    let (_expose, id) = world.expose(&format!("http=unix:{}", world.text("target.sock")));
    let local = world.path("local.sock");
    let forwarding = format!("unix:{}={id}/http", text(&local));
    let mut forward = world.node("forward", "forwarding.key", &[&forwarding]);
    forward.ready();
    let length = 100_000_000;
    curl.args([
        "--unix-socket",
        text(&local),
        "--output",
        &world.text("file"),
    ]);
    curl.arg(format!("http://localhost/{length}"));
    fetched(&mut curl);
    assert_fetched(&world.path("file"), length);
}
