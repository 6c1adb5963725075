//! What breaks looks broken at the other end, and what is refused is said.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use rustix::process::Signal;

use crate::command::DEADLINE;
use crate::service::{connect, pattern, serve};
use crate::world::World;

/// Reads to the end, and returns what came before the break; a clean end is none.
pub(crate) fn read_to_the_break(connection: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => panic!("a clean end after {} octets", all.len()),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                return all;
            }
        }
    }
}

#[test]
fn a_target_that_takes_no_connections_resets_the_local_client() {
    let world = World::new();
    let (mut expose, id) = world.expose(&format!("gone=unix:{}", world.text("nobody.sock")));
    let (mut forward, address) = world.forward(&format!("{id}/gone"));
    assert_eq!(read_to_the_break(&mut connect(address)), b"");
    expose.wait_for_words("is its program running?");
    forward.wait_for_words("what stands behind it takes no connections");
}

#[test]
fn an_unknown_service_resets_the_local_client() {
    let world = World::new();
    let (_expose, id) = world.expose("other=tcp:127.0.0.1:9");
    let (mut forward, address) = world.forward(&format!("{id}/unknown"));
    assert_eq!(read_to_the_break(&mut connect(address)), b"");
    forward.wait_for_words("has no such service");
}

#[test]
fn a_target_that_breaks_off_does_not_look_finished() {
    let world = World::new();
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(b"half of")?;
        // Closed while something is unread, a socket sends RST (RFC 2525, 2.17).
        connection.peek(&mut [0]).map(drop)
    });
    let (_expose, id) = world.expose(&format!("half={target}"));
    let (_forward, address) = world.forward(&format!("{id}/half"));
    let mut client = connect(address);
    client.write_all(b"a request that nobody reads").unwrap();
    let came = read_to_the_break(&mut client);
    assert!(b"half of".starts_with(&came[..]), "{came:?}");
}

#[test]
fn a_forward_that_is_killed_does_not_look_finished() {
    let world = World::new();
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(&pattern(1 << 20))?;
        connection.read(&mut [0]).map(drop)
    });
    let (_expose, id) = world.expose(&format!("half={target}"));
    let (forward, address) = world.forward(&format!("{id}/half"));
    let mut client = connect(address);
    client.read_exact(&mut [0; 1000]).unwrap();
    forward.signal(Signal::KILL);
    read_to_the_break(&mut client);
}

#[test]
fn a_client_that_breaks_off_is_not_finished_for_the_target() {
    let world = World::new();
    let (sender, broke) = mpsc::channel();
    let target = serve(move |mut connection: TcpStream| {
        connection.write_all(b"never read")?;
        sender.send(read_to_the_break(&mut connection)).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("upload={target}"));
    let (_forward, address) = world.forward(&format!("{id}/upload"));
    let mut client = connect(address);
    client.write_all(b"half of").unwrap();
    // Closed while something is unread.
    client.peek(&mut [0]).unwrap();
    drop(client);
    let came = broke.recv_timeout(DEADLINE).unwrap();
    assert!(b"half of".starts_with(&came[..]), "{came:?}");
}
