//! Processes that are killed in the middle of it: the other end is told in time, and whoever comes back is met as a stranger.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::breaking::read_to_the_break;
use crate::command::Running;
use crate::service::{connect, pattern, serve};
use crate::world::World;

/// How long the other end may take to give up, with ten seconds of patience.
const GIVEN_UP: Duration = Duration::from_secs(14);

/// How long it may take until a process that came back is known to be another one.
const NOTICED: Duration = Duration::from_secs(4);

/// Says a word, and then nothing.
const REST: &str = "rest";
/// Talks for as long as somebody listens.
const TALK: &str = "talk";
/// Listens for as long as somebody talks.
const LISTEN: &str = "listen";

const EVERY_WAY: [&str; 3] = [REST, TALK, LISTEN];

/// Reads until the connection breaks, and writes all the while if it is `talking`.
fn until_it_breaks(mut connection: &TcpStream, talking: bool) {
    if !talking {
        read_to_the_break(&mut connection);
        return;
    }
    let mut listening = connection.try_clone().unwrap();
    let reading = thread::spawn(move || std::io::copy(&mut listening, &mut std::io::sink()));
    let words = pattern(1 << 20);
    let error = loop {
        if let Err(error) = connection.write_all(&words) {
            break error;
        }
    };
    // The kernel tells of a break once: the reader hears of it, or the writer, which otherwise finds the connection gone.
    let read = reading.join().unwrap();
    let told = [Some(error), read.err()];
    let mut told = told.iter().flatten().map(std::io::Error::kind);
    assert!(told.any(|kind| kind == ErrorKind::ConnectionReset));
}

/// Tells when a connection broke.
fn watch(connection: TcpStream, talking: bool) -> Receiver<()> {
    let (sender, broke) = mpsc::channel();
    thread::spawn(move || {
        until_it_breaks(&connection, talking);
        sender.send(())
    });
    broke
}

/// The services of one side: each says a word first, so that the other knows that it is connected, and its breaks are told.
struct Services {
    targets: Vec<String>,
    broke: Vec<Receiver<()>>,
}

impl Services {
    fn new() -> Self {
        let (mut targets, mut broke) = (Vec::new(), Vec::new());
        for way in EVERY_WAY {
            let (sender, breaks) = mpsc::channel();
            let target = serve(move |mut connection: TcpStream| {
                connection.write_all(b"!\n")?;
                until_it_breaks(&connection, way == TALK);
                let _ = sender.send(());
                Ok(())
            });
            targets.push(format!("{way}={target}"));
            broke.push(breaks);
        }
        Self { targets, broke }
    }

    fn expose(&self, world: &World, words: &[&str]) -> (Running, String) {
        let mut all: Vec<&str> = self.targets.iter().map(String::as_str).collect();
        all.extend(["--allow", "any"]);
        all.extend(words);
        let mut running = world.node("expose", "exposing.key", &all);
        let id = running.ready();
        (running, id)
    }
}

/// One local port for each service.
fn forward(world: &World, id: &str, words: &[&str]) -> (Running, Vec<SocketAddr>) {
    let forwardings = EVERY_WAY.map(|way| format!("tcp:127.0.0.1:0={id}/{way}"));
    let mut all: Vec<&str> = forwardings.iter().map(String::as_str).collect();
    all.extend(words);
    let mut running = world.node("forward", "forwarding.key", &all);
    running.ready();
    let addresses = EVERY_WAY.map(|way| {
        let line = running.wait_for_words(&format!("/{way}"));
        let address = line.split("tcp:").nth(1).unwrap();
        address.split(' ').next().unwrap().parse().unwrap()
    });
    (running, addresses.into())
}

/// A connection to each service, in the middle of what it is for, and when it breaks.
fn clients(addresses: &[SocketAddr]) -> Vec<Receiver<()>> {
    let clients = EVERY_WAY.iter().zip(addresses).map(|(way, address)| {
        let mut client = connect(*address);
        client.read_exact(&mut [0; 2]).unwrap();
        if *way == TALK {
            client.read_exact(&mut vec![0; 5 << 20]).unwrap();
        }
        if *way == LISTEN {
            client.write_all(&pattern(5 << 20)).unwrap();
        }
        watch(client, *way == LISTEN)
    });
    clients.collect()
}

/// All of them within this time, but for what the threads of a test need.
fn all_are_told(broke: &[Receiver<()>], within: Duration) {
    let slack = Duration::from_secs(1);
    for (way, broke) in EVERY_WAY.iter().zip(broke) {
        let left = if *way == EVERY_WAY[0] {
            within
        } else {
            Duration::ZERO
        };
        assert!(
            broke.recv_timeout(left + slack).is_ok(),
            "`{way}` was not told"
        );
    }
}

// M11
#[test]
fn whoever_waits_for_a_killed_peer_is_told_when_patience_ends() {
    let world = World::new();
    let services = Services::new();
    let (expose, id) = services.expose(&world, &[]);
    let patience = ["--patience", "10s"];
    let (_forward, addresses) = forward(&world, &id, &patience);
    let rest = format!("{id}/{REST}");
    let mut pipe = world.node("pipe", "piping.key", &[&rest, "--patience", "10s"]);
    assert_eq!(pipe.line(), "!");
    let broke = clients(&addresses);
    expose.signal(Signal::KILL);
    assert_eq!(pipe.wait(GIVEN_UP), Some(3));
    pipe.wait_for_words("has not answered for 10 s");
    // They had the same time, which is over.
    all_are_told(&broke, Duration::ZERO);
}

// M11
#[test]
fn services_are_told_of_a_killed_client_when_patience_ends() {
    let world = World::new();
    let services = Services::new();
    let (_expose, id) = services.expose(&world, &["--patience", "10s"]);
    let (forward, addresses) = forward(&world, &id, &[]);
    let clients = clients(&addresses);
    forward.signal(Signal::KILL);
    all_are_told(&services.broke, GIVEN_UP);
    drop(clients);
}

// M11
#[test]
fn a_peer_that_comes_back_without_its_state_is_another_one() {
    for away in [Duration::ZERO, Duration::from_secs(8)] {
        let world = World::new();
        let services = Services::new();
        let (expose, id) = services.expose(&world, &[]);
        let (_forward, addresses) = forward(&world, &id, &[]);
        let broke = clients(&addresses);
        expose.signal(Signal::KILL);
        assert!(broke[0].recv_timeout(away).is_err(), "told too early");
        let (_expose, _) = services.expose(&world, &[]);
        all_are_told(&broke, NOTICED);
        // What is opened anew works at once, from the first octet on.
        clients(&addresses);
    }
}

// M11
#[test]
fn a_client_that_comes_back_without_its_state_is_another_one() {
    for away in [Duration::ZERO, Duration::from_secs(8)] {
        let world = World::new();
        let services = Services::new();
        let (_expose, id) = services.expose(&world, &[]);
        let (killed, addresses) = forward(&world, &id, &[]);
        let _clients = clients(&addresses);
        killed.signal(Signal::KILL);
        assert!(
            services.broke[0].recv_timeout(away).is_err(),
            "told too early"
        );
        let (_forward, addresses) = forward(&world, &id, &[]);
        // What is opened anew works at once, and shows that whoever opened the rest is no more.
        let _clients = clients(&addresses);
        all_are_told(&services.broke, NOTICED);
    }
}
