//! `keyway expose` and `keyway forward`: TCP end to end, by public key alone.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::command::{DEADLINE, Running, keyway};
use crate::service::{connect, echo_at_the_end, fetch, hash, pattern, serve, web};
use crate::world::{World, address};

#[test]
fn a_large_body_arrives_with_equal_hash() {
    let world = World::new();
    let (_expose, id) = world.expose(&format!("http={}", serve(web)));
    let (_forward, address) = world.forward(&format!("{id}/http"));
    let length = 64 << 20;
    assert_eq!(fetch(address, length), hash(length));
}

#[test]
fn two_hundred_requests_fifty_at_a_time_all_succeed() {
    let world = World::new();
    let (_expose, id) = world.expose(&format!("http={}", serve(web)));
    let (_forward, address) = world.forward(&format!("{id}/http"));
    let clients: Vec<_> = (0..50)
        .map(|client| {
            thread::spawn(move || {
                for request in 0..4 {
                    let length = 1000 * client + request;
                    assert_eq!(fetch(address, length), hash(length));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_client_that_has_finished_still_reads_everything() {
    let world = World::new();
    let (_expose, id) = world.expose(&format!("echo={}", serve(echo_at_the_end)));
    let (_forward, address) = world.forward(&format!("{id}/echo"));
    let mut client = connect(address);
    let sent = pattern(3 << 20);
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    client.read_to_end(&mut received).unwrap();
    assert!(received == sent, "{} octets came back", received.len());
}

#[test]
fn a_service_that_has_finished_still_reads_everything() {
    let world = World::new();
    let (sender, heard) = mpsc::channel();
    let target = serve(move |mut connection: TcpStream| {
        connection.write_all(b"all I have to say")?;
        connection.shutdown(Shutdown::Write)?;
        let mut all = Vec::new();
        connection.read_to_end(&mut all)?;
        sender.send(all).unwrap();
        Ok(())
    });
    let (_expose, id) = world.expose(&format!("listener={target}"));
    let (_forward, address) = world.forward(&format!("{id}/listener"));
    let mut client = connect(address);
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "all I have to say");
    let sent = pattern(3 << 20);
    client.write_all(&sent).unwrap();
    drop(client);
    assert!(heard.recv_timeout(DEADLINE).unwrap() == sent);
}

#[test]
fn a_peer_that_comes_later_is_waited_for() {
    let world = World::new();
    let id = world.id("exposing.key");
    let (mut forward, address) = world.forward(&format!("{id}/http"));
    let client = thread::spawn(move || fetch(address, 1000));
    // Said once the connection waits for the peer.
    forward.wait_for_words("has not answered yet");
    let _expose = world.expose(&format!("http={}", serve(web)));
    assert_eq!(client.join().unwrap(), hash(1000));
}

#[test]
fn two_nodes_need_no_server_where_an_address_is_known() {
    let target = format!("http={}", serve(web));
    let words = ["expose", "--allow", "any", "--bind", "127.0.0.1:0", &target];
    let mut expose = Running::start(&mut keyway(words));
    let id = expose.ready();
    let line = expose.wait_for_words("listens on 127.0.0.1:");
    let at = line.split("listens on ").nth(1).unwrap();
    let service = format!("tcp:127.0.0.1:0={id}@{at}/http");
    let words = ["forward", "--bind", "127.0.0.1:0", &service];
    let mut forward = Running::start(&mut keyway(words));
    forward.ready();
    let address = address(&mut forward, "tcp");
    assert_eq!(fetch(address, 1000), hash(1000));
}
