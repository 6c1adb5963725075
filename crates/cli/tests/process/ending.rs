//! SIGTERM, SIGINT and a closed stdin end every command in order.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;

use crate::breaking::read_to_the_break;
use crate::command::{DEADLINE, ENDING_DEADLINE, Running, keyway};
use crate::service::{connect, echo_at_the_end, pattern, serve};
use crate::world::World;

#[derive(Copy, Clone, Debug)]
enum Told {
    Terminate,
    Interrupt,
    ClosedStdin,
}

const EVERY_WAY: [Told; 3] = [Told::Terminate, Told::Interrupt, Told::ClosedStdin];

fn ends(mut running: Running, told: Told) {
    match told {
        Told::Terminate => running.signal(Signal::TERM),
        Told::Interrupt => running.signal(Signal::INT),
        Told::ClosedStdin => running.close_stdin(),
    }
    assert_eq!(running.wait(ENDING_DEADLINE), Some(0), "{told:?}");
}

#[test]
fn a_server_ends_in_order() {
    for told in EVERY_WAY {
        let mut server = Running::start(&mut keyway(["server", "--listen", "127.0.0.1:0"]));
        server.ready();
        ends(server, told);
    }
}

#[test]
fn those_who_serve_and_forward_end_in_order() {
    let world = World::new();
    let target = format!("echo={}", serve(echo_at_the_end));
    for told in EVERY_WAY {
        let (expose, id) = world.expose(&target);
        let (forward, address) = world.forward(&format!("{id}/echo"));
        // A connection that rests is no reason to stay.
        let mut client = connect(address);
        client.write_all(b"hello").unwrap();
        ends(forward, told);
        ends(expose, told);
        let mut perf = world.node("perf", "serving.key", &["--serve", "--allow", "any"]);
        perf.ready();
        ends(perf, told);
    }
}

#[test]
fn a_ping_ends_in_order() {
    let world = World::new();
    let (_peer, id) = world.expose("a=tcp:127.0.0.1:9");
    for told in EVERY_WAY {
        let mut ping = world.node("ping", "pinging.key", &[&id, "--json"]);
        ping.line();
        ends(ping, told);
    }
}

#[test]
fn those_who_still_wait_for_a_silent_peer_end_in_order() {
    let world = World::new();
    let id = world.id("silent.key");
    for told in [Told::Terminate, Told::Interrupt] {
        for command in ["pipe", "ping", "perf"] {
            // A socket of its own, so that no datagram of the one before is taken for the beginning of this one.
            let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
            silent.set_read_timeout(Some(DEADLINE)).unwrap();
            let peer = format!("{id}@{}", silent.local_addr().unwrap());
            let service = format!("{peer}/a");
            let words: &[&str] = match command {
                "pipe" => &[&service],
                "ping" => &[&peer, "-c", "1"],
                _ => &[&peer],
            };
            let running = world.node(command, "waiting.key", words);
            // It dials: the signal comes after the handlers were set up.
            silent.recv_from(&mut [0; 2000]).unwrap();
            ends(running, told);
        }
    }
}

#[test]
fn a_pipe_and_a_measurement_end_in_order_in_the_middle_of_it() {
    let world = World::new();
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(b"hello\n")?;
        connection.read(&mut [0]).map(drop)
    });
    let (_expose, id) = world.expose(&format!("a={target}"));
    for signal in [Signal::TERM, Signal::INT] {
        let mut pipe = world.node("pipe", "piping.key", &[&format!("{id}/a")]);
        assert_eq!(pipe.line(), "hello");
        pipe.signal(signal);
        assert_eq!(pipe.wait(ENDING_DEADLINE), Some(0));
    }
    let mut demo = Running::start(&mut keyway(["demo"]));
    demo.line();
    ends(demo, Told::Terminate);
}

#[test]
fn an_empty_stdin_that_nobody_holds_ends_nothing() {
    let mut words = keyway(["server", "--listen", "127.0.0.1:0"]);
    let mut child = words
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 5];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut ready).unwrap();
    // It answers still: its stdout, which would end with it, does not.
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || sender.send(stdout.read_to_end(&mut Vec::new())));
    let early = ended.recv_timeout(Duration::from_secs(1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(early.is_err(), "it ended at once");
}

/// Says that everything was written, and then holds the connection open.
fn write_and_hold(
    mut connection: TcpStream,
    octets: &[u8],
    written: &mpsc::Sender<()>,
) -> std::io::Result<()> {
    connection.write_all(octets)?;
    written.send(()).unwrap();
    connection.read(&mut [0]).map(drop)
}

#[test]
fn an_expose_that_ends_delivers_what_its_target_wrote_and_does_not_call_it_the_whole() {
    let world = World::new();
    let octets = pattern(1 << 20);
    let (sender, written) = mpsc::channel();
    let all = octets.clone();
    let target = serve(move |connection| write_and_hold(connection, &all, &sender));
    let (expose, id) = world.expose(&format!("a={target}"));
    let (_forward, address) = world.forward(&format!("{id}/a"));
    let mut client = connect(address);
    written.recv_timeout(DEADLINE).unwrap();
    expose.signal(Signal::TERM);
    assert!(read_to_the_break(&mut client) == octets);
}

#[test]
fn a_forward_that_ends_delivers_what_its_client_wrote_and_does_not_call_it_the_whole() {
    let world = World::new();
    let octets = pattern(1 << 20);
    let (sender, heard) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let target = serve(move |mut connection: TcpStream| {
        connection.write_all(b"!")?;
        wait.lock().unwrap().recv_timeout(DEADLINE).unwrap();
        sender.send(read_to_the_break(&mut connection)).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("a={target}"));
    let (mut forward, address) = world.forward(&format!("{id}/a"));
    let mut client = connect(address);
    client.read_exact(&mut [0]).unwrap();
    client.write_all(&octets).unwrap();
    forward.signal(Signal::TERM);
    go.send(()).unwrap();
    assert!(heard.recv_timeout(DEADLINE).unwrap() == octets);
    assert_eq!(forward.wait(ENDING_DEADLINE), Some(0));
    read_to_the_break(&mut client);
}

#[test]
fn a_forward_that_ends_still_finishes_what_its_client_finished() {
    let world = World::new();
    let octets = pattern(1 << 20);
    let (sender, heard) = mpsc::channel();
    let target = serve(move |mut connection: TcpStream| {
        connection.write_all(b"!")?;
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        sender.send(all).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("a={target}"));
    let (mut forward, address) = world.forward(&format!("{id}/a"));
    let mut client = connect(address);
    client.read_exact(&mut [0]).unwrap();
    client.write_all(&octets).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    forward.signal(Signal::TERM);
    assert!(heard.recv_timeout(DEADLINE).unwrap() == octets);
    assert_eq!(forward.wait(ENDING_DEADLINE), Some(0));
}

// M12
#[test]
fn a_large_answer_that_was_complete_when_the_signal_came_arrives_whole() {
    let world = World::new();
    let octets = pattern(8 << 20);
    let (sender, written) = mpsc::channel();
    let all = octets.clone();
    let target = serve(move |mut connection: TcpStream| {
        connection.read_exact(&mut [0])?;
        let writing = connection.write_all(&all);
        sender.send(()).unwrap();
        writing
    });
    let (expose, id) = world.expose(&format!("a={target}"));
    let (_forward, address) = world.forward(&format!("{id}/a"));
    let mut client = connect(address);
    client.write_all(b"?").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let reading = std::thread::spawn(move || {
        let mut came = Vec::new();
        client.read_to_end(&mut came).map(|_| came)
    });
    written.recv_timeout(DEADLINE).unwrap();
    ends(expose, Told::Terminate);
    assert!(reading.join().unwrap().unwrap() == octets);
}

// M12
#[test]
fn the_other_end_sees_the_close_within_a_second() {
    let world = World::new();
    let target = serve(|mut connection: TcpStream| {
        connection.write_all(b"!")?;
        connection.read(&mut [0]).map(drop)
    });
    for terminated in ["expose", "forward"] {
        let (expose, id) = world.expose(&format!("a={target}"));
        let (forward, address) = world.forward(&format!("{id}/a"));
        let mut client = connect(address);
        client.read_exact(&mut [0]).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let told = if terminated == "expose" {
            &expose
        } else {
            &forward
        };
        told.signal(Signal::TERM);
        read_to_the_break(&mut client);
    }
}
