//! Unix sockets at both ends.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use rustix::process::Signal;

use crate::command::{DEADLINE, ENDING_DEADLINE};
use crate::service::pattern;
use crate::world::World;

/// Hears everything first, and then says it again.
fn serve(listener: UnixListener) {
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut heard = Vec::new();
            connection.read_to_end(&mut heard).unwrap();
            connection.write_all(&heard).unwrap();
        }
    });
}

#[test]
fn a_unix_socket_leads_to_a_unix_socket_and_is_its_owners_alone() {
    let world = World::new();
    serve(UnixListener::bind(world.path("target.sock")).unwrap());
    let (_expose, id) = world.expose(&format!("db=unix:{}", world.text("target.sock")));
    let local = world.path("local.sock");
    let forwarding = format!("unix:{}={id}/db", world.text("local.sock"));
    let mut forward = world.node("forward", "forwarding.key", &[&forwarding]);
    forward.ready();
    let mode = std::fs::metadata(&local).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut client = UnixStream::connect(&local).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let sent = pattern(1 << 20);
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received == sent, "{} octets came back", received.len());

    forward.signal(Signal::TERM);
    assert_eq!(forward.wait(ENDING_DEADLINE), Some(0));
    assert!(!local.exists(), "the socket file is still there");
}

#[test]
fn a_dead_socket_file_is_replaced_and_a_live_one_is_not() {
    let world = World::new();
    let id = world.id("other.key");
    let forwarding = format!("unix:{}={id}/db", world.text("local.sock"));
    drop(UnixListener::bind(world.path("local.sock")).unwrap());
    let mut first = world.node("forward", "first.key", &[&forwarding]);
    first.ready();
    let mut second = world.node("forward", "second.key", &[&forwarding]);
    assert_eq!(second.wait(DEADLINE), Some(1));
    second.wait_for_words("another program has it");
    assert!(UnixStream::connect(world.path("local.sock")).is_ok());
}

#[test]
fn a_file_that_is_no_socket_is_left_as_it_is() {
    let world = World::new();
    let id = world.id("other.key");
    std::fs::write(world.path("notes.txt"), "precious").unwrap();
    let forwarding = format!("unix:{}={id}/db", world.text("notes.txt"));
    let mut forward = world.node("forward", "forwarding.key", &[&forwarding]);
    assert_eq!(forward.wait(DEADLINE), Some(1));
    assert_eq!(std::fs::read(world.path("notes.txt")).unwrap(), b"precious");
}
