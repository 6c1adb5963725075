//! Servers and peers that do not answer.

use std::net::UdpSocket;

use super::ids::ID;
use super::table::{documented, fails};
use crate::command::{Running, keyway, run};
use crate::world::World;

#[test]
fn an_id_alone_leads_nowhere_without_a_server() {
    fails("no-route", &["ping", ID, "-c", "1"]);
    fails("no-route", &["pipe", &format!("{ID}/ssh")]);
    fails("no-route", &["perf", ID]);
    fails("lookup-no-server", &["lookup", ID]);
}

#[test]
fn a_server_that_does_not_answer_is_told_apart_from_a_peer_that_does_not() {
    // It is there and says nothing, as a firewall does.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = format!("{ID}@{}", silent.local_addr().unwrap());
    for command in [&["ping", "-c", "1"][..], &["lookup"], &["perf"]] {
        let mut words = command.to_vec();
        words.extend([ID, "--server", &server, "--patience", "2s"]);
        let ended = fails("no-server-answers", &words);
        assert!(ended.stderr.contains(&server), "{}", ended.stderr);
    }
    // Nobody listens there, which the system tells by ICMP.
    drop(silent);
    let pipe = format!("{ID}/ssh");
    fails(
        "no-server-answers",
        &["pipe", &pipe, "--server", &server, "--patience", "1s"],
    );
    let unknown = format!("{ID}@name.invalid:4433");
    fails(
        "no-server-answers",
        &["lookup", ID, "--server", &unknown, "--patience", "1s"],
    );
}

#[test]
fn a_server_under_another_key_is_as_silent_as_none() {
    let world = World::new();
    let (_, place) = world.server.split_once('@').unwrap();
    let impostor = format!("{}@{place}", world.id("expected.key"));
    let words = ["lookup", ID, "--server", &impostor, "--patience", "2s"];
    fails("no-server-answers", &words);
}

#[test]
fn the_server_tells_a_peer_that_is_away_from_one_that_does_not_allow() {
    let world = World::new();
    let away = world.id("away.key");
    let ended = run(&mut world.command("ping", "me.key", &[&away, "-c", "1", "--patience", "4s"]));
    documented("peer-not-listed", &ended);
    let me = world.id("me.key");
    let words = ["a=tcp:127.0.0.1:9", "--allow", &away];
    let mut expose = world.node("expose", "exposing.key", &words);
    let id = expose.ready();
    let listed = || run(&mut world.command("lookup", "me.key", &[&id])).code == Some(0);
    // Registering begins with `ready` and takes a round trip.
    assert!((0..100).any(|_| listed()), "the peer is never listed");
    let ended = run(&mut world.command("ping", "me.key", &[&id, "-c", "1", "--patience", "4s"]));
    documented("peer-listed-and-silent", &ended);
    assert!(
        ended
            .stderr
            .trim_end()
            .ends_with(&format!("must name {me}")),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_peer_at_an_address_that_does_not_answer_may_have_three_reasons() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = format!("{ID}@{}", silent.local_addr().unwrap());
    fails(
        "peer-silent",
        &["ping", &peer, "-c", "1", "--patience", "1500ms"],
    );
    let ended = fails(
        "peer-silent",
        &["pipe", &format!("{peer}/ssh"), "--patience", "1s"],
    );
    assert!(
        ended.stderr.contains("needs a --key FILE for that"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_name_without_an_address_is_told() {
    fails(
        "name-unresolved",
        &["ping", &format!("{ID}@name.invalid:4100"), "-c", "1"],
    );
}

#[test]
fn one_key_at_both_ends_is_refused_before_anything_waits() {
    let world = World::new();
    let me = world.id("me.key");
    let same = |command: &str, arguments: &[&str]| {
        let ended = run(&mut world.command(command, "me.key", arguments));
        documented("one-key-for-two", &ended);
    };
    same("ping", &[&me]);
    same("pipe", &[&format!("{me}/a")]);
    same("perf", &[&me]);
    same("forward", &[&format!("tcp:127.0.0.1:0={me}/a")]);
    // A server with the key of its client.
    let key = world.text("me.key");
    let mut server = Running::start(&mut keyway([
        "server",
        "--listen",
        "127.0.0.1:0",
        "--key",
        &key,
    ]));
    let place = server.ready();
    let secret = std::fs::read_to_string(&key).unwrap();
    let words = ["ping", ID, "-c", "1", "--server", &place];
    let ended = run(keyway(words).env("KEYWAY_SECRET_KEY", secret));
    documented("one-key-for-two", &ended);
}

#[test]
fn who_is_not_listed_is_not_found() {
    let world = World::new();
    let ended = run(&mut world.command("lookup", "me.key", &[ID]));
    documented("lookup-not-found", &ended);
}
