//! UDP at both ends.

use std::net::UdpSocket;
use std::thread;

use crate::command::DEADLINE;
use crate::world::{World, address};

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

#[test]
fn datagrams_go_both_ways_and_each_sender_gets_its_own_answers() {
    let world = World::new();
    let target = socket();
    let place = format!("dns=udp:{}", target.local_addr().unwrap());
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((len, sender)) = target.recv_from(&mut buffer) {
            target
                .send_to(&buffer[..len].to_ascii_uppercase(), sender)
                .unwrap();
        }
    });
    let (_expose, id) = world.expose(&place);
    let forwarding = format!("udp:127.0.0.1:0={id}/dns");
    let mut forward = world.node("forward", "forwarding.key", &[&forwarding]);
    forward.ready();
    let address = address(&mut forward, "udp");
    let clients = [socket(), socket()];
    for round in 0..3 {
        for (number, client) in clients.iter().enumerate() {
            client
                .send_to(format!("question {number}.{round}").as_bytes(), address)
                .unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            let mut buffer = [0; 2000];
            let (len, sender) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(sender, address);
            let answer = std::str::from_utf8(&buffer[..len]).unwrap();
            assert_eq!(answer, format!("QUESTION {number}.{round}"));
        }
    }
}

#[test]
fn a_refused_flow_is_said_once_however_much_is_sent() {
    let world = World::new();
    let (_expose, id) = world.expose("other=udp:127.0.0.1:9");
    let forwarding = format!("udp:127.0.0.1:0={id}/unknown");
    let mut forward = world.node("forward", "forwarding.key", &[&forwarding]);
    forward.ready();
    let address = address(&mut forward, "udp");
    let client = socket();
    client.send_to(b"first", address).unwrap();
    forward.wait_for_words("has no such service");
    for _ in 0..20 {
        client.send_to(b"more", address).unwrap();
    }
    forward.close_stdin();
    assert_eq!(forward.wait(DEADLINE), Some(0));
    let said = forward.all_that_was_said();
    assert_eq!(said.matches("has no such service").count(), 1, "{said}");
}
