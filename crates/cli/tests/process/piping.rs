//! `keyway pipe`

use std::io::Write;
use std::net::{Shutdown, TcpStream, UdpSocket};

use crate::command::{DEADLINE, run};
use crate::service::{echo_at_the_end, pattern, serve};
use crate::world::World;

#[test]
fn stdin_comes_back_on_stdout() {
    let world = World::new();
    let (_expose, id) = world.expose(&format!("echo={}", serve(echo_at_the_end)));
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/echo")]);
    let sent = pattern(1 << 20);
    pipe.feed(sent.clone());
    let received = pipe.rest_of_stdout_as_octets();
    assert!(received == sent, "{} octets came back", received.len());
    assert_eq!(pipe.wait(DEADLINE), Some(0));
}

#[test]
fn stdout_ends_when_the_peer_has_finished_and_stdin_goes_on() {
    let world = World::new();
    let (sender, heard) = std::sync::mpsc::channel();
    let target = serve(move |mut connection: TcpStream| {
        connection.write_all(b"last words")?;
        connection.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut connection, &mut all)?;
        sender.send(all).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("listener={target}"));
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/listener")]);
    assert_eq!(pipe.rest_of_stdout(), "last words");
    pipe.stdin().write_all(b"and mine").unwrap();
    pipe.close_stdin();
    assert_eq!(heard.recv_timeout(DEADLINE).unwrap(), b"and mine");
    assert_eq!(pipe.wait(DEADLINE), Some(0));
}

#[test]
fn what_was_written_before_the_end_arrives_although_nobody_answers() {
    let world = World::new();
    let (sender, heard) = std::sync::mpsc::channel();
    let target = serve(move |mut connection: TcpStream| {
        connection.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut connection, &mut all)?;
        sender.send(all).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("backup={target}"));
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/backup")]);
    let sent = pattern(5 << 20);
    pipe.feed(sent.clone());
    assert_eq!(pipe.wait(DEADLINE), Some(0));
    assert!(heard.recv_timeout(DEADLINE).unwrap() == sent);
}

#[test]
fn an_unknown_service_is_refused_while_stdin_is_open() {
    let world = World::new();
    let (_expose, id) = world.expose("other=tcp:127.0.0.1:9");
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/unknown")]);
    assert_eq!(pipe.wait(DEADLINE), Some(4));
    let line = pipe.wait_for_words("error: ");
    assert!(line.contains("has no such service"), "{line}");
}

#[test]
fn a_target_that_takes_no_connections_is_refused_too() {
    let world = World::new();
    let (_expose, id) = world.expose(&format!("gone=unix:{}", world.text("nobody.sock")));
    let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/gone")]);
    pipe.feed(pattern(100_000));
    assert_eq!(pipe.wait(DEADLINE), Some(4));
    pipe.wait_for_words("is its program running?");
}

#[test]
fn a_silent_peer_is_unreachable() {
    let world = World::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let service = format!(
        "{}@{}/a",
        world.id("silent.key"),
        silent.local_addr().unwrap()
    );
    let ended = run(&mut world.command("pipe", "piping.key", &[&service, "--patience", "2s"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let error = ended
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    assert!(error.unwrap().contains("within 2 s"), "{}", ended.stderr);
}

#[test]
fn a_peer_that_does_not_allow_this_node_is_silent_and_the_user_is_told_what_that_may_mean() {
    let world = World::new();
    let friend = world.id("friend.key");
    let target = format!("echo={}", serve(echo_at_the_end));
    let mut expose = world.node("expose", "exposing.key", &[&target, "--allow", &friend]);
    let service = format!("{}/echo", expose.ready());
    let ended = run(&mut world.command("pipe", "stranger.key", &[&service, "--patience", "2s"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("silent"), "{}", ended.stderr);
    let ended = run(&mut world.command("pipe", "friend.key", &[&service]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
