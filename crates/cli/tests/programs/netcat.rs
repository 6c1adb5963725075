//! OpenBSD's netcat with `-N`: at the end of its input it closes its half of the connection, and still hears the other.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use crate::command::{DEADLINE, Running, program};
use crate::service::{echo_at_the_end, pattern, serve};
use crate::tools;
use crate::world::World;

/// More than all buffers on the way hold.
const LENGTH: usize = 20_000_000;

fn nc() -> Option<PathBuf> {
    let [nc] = tools::find([("nc.openbsd", "netcat-openbsd")])?;
    Some(nc)
}

/// A netcat that listens; returns the target as the command line has it.
fn listen(nc: &Path) -> (Running, String) {
    let words = ["-N", "-n", "-v", "-l", "127.0.0.1", "0"];
    let mut running = Running::start(program(nc).args(words));
    let line = running.wait_for_words("Listening on ");
    let address = line.trim_start_matches("Listening on ").replace(' ', ":");
    (running, format!("tcp:{address}"))
}

fn connect(nc: &Path, address: SocketAddr) -> Running {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Running::start(program(nc).args(["-N", &host, &port]))
}

/// Octets that end with the end of a line.
fn words() -> Vec<u8> {
    let mut words = pattern(LENGTH);
    words.push(b'\n');
    words
}

#[test]
fn whoever_connected_is_answered_after_it_closed_its_half() {
    let Some(nc) = nc() else { return };
    let world = World::new();
    let (_expose, id) = world.expose(&format!("echo={}", serve(echo_at_the_end)));
    let (_forward, address) = world.forward(&format!("{id}/echo"));
    let mut client = connect(&nc, address);
    let words = words();
    client.feed(words.clone());
    let came = client.rest_of_stdout_as_octets();
    assert!(came == words, "{} octets came", came.len());
    assert_eq!(client.wait(DEADLINE), Some(0));
}

#[test]
fn whoever_listened_is_answered_after_it_closed_its_half() {
    let Some(nc) = nc() else { return };
    let world = World::new();
    let (mut server, target) = listen(&nc);
    let (_expose, id) = world.expose(&format!("half={target}"));
    let (_forward, address) = world.forward(&format!("{id}/half"));
    let mut client = connect(&nc, address);
    let words = words();
    server.feed(words.clone());
    let came = client.octets(words.len());
    assert!(came == words, "{} octets came", came.len());
    client.feed(words.clone());
    let came = server.rest_of_stdout_as_octets();
    assert!(came == words, "{} octets came", came.len());
    assert_eq!(server.wait(DEADLINE), Some(0));
    assert_eq!(client.rest_of_stdout_as_octets(), b"");
    assert_eq!(client.wait(DEADLINE), Some(0));
}

#[test]
fn both_close_their_halves_while_the_other_half_is_full() {
    let Some(nc) = nc() else { return };
    let world = World::new();
    let (sender, heard) = mpsc::channel();
    // Not a netcat: one that listens goes as soon as the other half is closed, whatever it still has to say.
    let target = serve(move |connection: TcpStream| {
        let mut writer = connection.try_clone()?;
        let writing = thread::spawn(move || {
            writer.write_all(&words())?;
            writer.shutdown(Shutdown::Write)
        });
        let mut came = Vec::new();
        (&connection).read_to_end(&mut came)?;
        sender.send(came).unwrap();
        writing.join().unwrap()
    });
    let (_expose, id) = world.expose(&format!("both={target}"));
    let (_forward, address) = world.forward(&format!("{id}/both"));
    let mut client = connect(&nc, address);
    client.feed(words());
    let came = client.rest_of_stdout_as_octets();
    assert!(came == words(), "{} octets came", came.len());
    assert_eq!(client.wait(DEADLINE), Some(0));
    let came = heard.recv_timeout(DEADLINE).unwrap();
    assert!(came == words(), "{} octets came", came.len());
}
