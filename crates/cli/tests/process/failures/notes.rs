//! What is said on the way, and ends nothing.

use std::net::UdpSocket;

use super::ids::ID;
use super::table::{noted, words_of};
use crate::command::{Running, keyway, run};
use crate::service::connect;
use crate::world::World;

fn noted_by(name: &str, running: &mut Running) {
    noted(name, &running.wait_for_words(words_of(name)));
}

#[test]
fn a_node_without_a_key_or_a_server_says_what_that_means() {
    let words = [
        "expose",
        "a=tcp:127.0.0.1:9",
        "--allow",
        "any",
        "--bind",
        "127.0.0.1:0",
    ];
    let mut expose = Running::start(&mut keyway(words));
    noted_by("note-no-key", &mut expose);
    noted_by("note-no-server-given", &mut expose);
    let mut server = Running::start(&mut keyway(["server", "--listen", "127.0.0.1:0"]));
    noted_by("note-loopback", &mut server);
}

#[test]
fn a_server_that_does_not_answer_is_told_of_and_so_is_its_coming() {
    let world = World::new();
    let place = {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let server = format!("{}@{place}", world.id("server.key"));
    let words = [
        "expose",
        "a=tcp:127.0.0.1:9",
        "--allow",
        "any",
        "--bind",
        "127.0.0.1:0",
    ];
    let mut expose = Running::start(keyway(words).args(["--server", &server]));
    expose.ready();
    noted_by("note-no-server", &mut expose);
    let key = world.text("server.key");
    let mut running = Running::start(&mut keyway(["server", "--listen", &place, "--key", &key]));
    running.ready();
    noted_by("note-server", &mut expose);
}

#[test]
fn a_server_whose_name_is_unknown_is_told_of_at_once() {
    let server = format!("{ID}@name.invalid:4433");
    let words = [
        "expose",
        "a=tcp:127.0.0.1:9",
        "--allow",
        "any",
        "--server",
        &server,
    ];
    let mut expose = Running::start(&mut keyway(words));
    noted_by("note-unresolved", &mut expose);
}

#[test]
fn a_filter_that_cannot_be_read_is_told_of() {
    let ended = run(keyway(["id"]).env("RUST_LOG", "keyway=loud=very"));
    noted("note-log-filter", ended.stderr.lines().next().unwrap());
}

#[test]
fn both_sides_of_a_dead_target_are_told() {
    let world = World::new();
    let (mut expose, id) = world.expose(&format!("gone=unix:{}", world.text("nobody.sock")));
    let (_forward, address) = world.forward(&format!("{id}/gone"));
    let _client = connect(address);
    noted_by("note-target", &mut expose);
}

#[test]
fn connections_that_wait_for_a_silent_peer_are_told_of() {
    let world = World::new();
    let id = world.id("absent.key");
    let (mut forward, address) = world.forward(&format!("{id}/http"));
    let _client = connect(address);
    noted_by("note-waiting", &mut forward);
}
