//! A peer that answers, and says no, or falls silent.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::table::documented;
use crate::command::{DEADLINE, Ended, Running, run};
use crate::service::serve;
use crate::world::World;

/// What a command left that was not waited for with nothing on stdin.
fn ended(mut running: Running) -> Ended {
    let stdout = running.rest_of_stdout();
    Ended {
        code: running.wait(DEADLINE),
        stdout,
        stderr: running.all_that_was_said(),
    }
}

#[test]
fn a_service_that_is_not_there_is_refused() {
    let world = World::new();
    let (_expose, id) = world.expose("other=tcp:127.0.0.1:9");
    let pipe = world.node("pipe", "piping.key", &[&format!("{id}/unknown")]);
    documented("service-unknown", &ended(pipe));
    let perf = run(&mut world.command("perf", "measuring.key", &[&id]));
    documented("service-unknown", &perf);
    assert!(
        perf.stderr.contains("keyway perf --serve"),
        "{}",
        perf.stderr
    );
}

#[test]
fn a_target_that_takes_no_connections_is_told_apart_from_that() {
    let world = World::new();
    // A port that was free a moment ago, and a socket file that nobody made.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let missing = world.text("nobody.sock");
    let (targets, ids): (Vec<_>, Vec<_>) = [format!("a=tcp:{closed}"), format!("a=unix:{missing}")]
        .iter()
        .enumerate()
        .map(|(number, target)| {
            let key = format!("exposing-{number}.key");
            let mut expose = world.node("expose", &key, &[target, "--allow", "any"]);
            let id = expose.ready();
            (expose, id)
        })
        .unzip();
    for id in &ids {
        let pipe = world.node("pipe", "piping.key", &[&format!("{id}/a")]);
        documented("target-refused", &ended(pipe));
    }
    drop(targets);
}

/// A pipe to a service that has said something, so that the two have met.
fn met(world: &World, arguments: &[&str]) -> (Running, Running) {
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(b"hello\n")?;
        connection.read(&mut [0; 1]).map(drop)
    });
    let (expose, id) = world.expose(&format!("talk={target}"));
    let service = format!("{id}/talk");
    let mut words = vec![service.as_str()];
    words.extend(arguments);
    let mut pipe = world.node("pipe", "piping.key", &words);
    assert_eq!(pipe.line(), "hello");
    (expose, pipe)
}

#[test]
fn a_peer_that_falls_silent_is_given_up_when_patience_is_over() {
    let world = World::new();
    let (expose, mut pipe) = met(&world, &["--patience", "4s"]);
    expose.signal(Signal::KILL);
    pipe.feed(vec![7; 1000]);
    documented("peer-went-silent", &ended(pipe));
}

#[test]
fn a_peer_that_ends_and_one_that_comes_back_without_its_state_are_told_apart() {
    let world = World::new();
    let (expose, pipe) = met(&world, &[]);
    expose.signal(Signal::TERM);
    documented("peer-ended", &ended(pipe));
    let (mut expose, mut pipe) = met(&world, &[]);
    expose.signal(Signal::KILL);
    expose.wait(DEADLINE);
    let (_again, _) = world.expose("talk=tcp:127.0.0.1:9");
    // Something that the peer has to answer, or nobody would notice.
    pipe.feed(vec![7; 1000]);
    documented("peer-restarted", &ended(pipe));
}

#[test]
fn a_target_that_breaks_off_is_no_end() {
    let world = World::new();
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(b"hello\n")?;
        // Closed while something is unread, a socket sends RST (RFC 2525, 2.17).
        connection.peek(&mut [0]).map(drop)
    });
    let (_expose, id) = world.expose(&format!("half={target}"));
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/half")]);
    assert_eq!(pipe.line(), "hello");
    pipe.feed(vec![7; 1000]);
    documented("peer-broke-off", &ended(pipe));
}
