//! `keyway server`

use crate::command::{DEADLINE, Running, keyway, run};

#[test]
fn its_ready_line_has_the_real_port_and_the_id_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder
        .path()
        .join("server.key")
        .to_str()
        .unwrap()
        .to_owned();
    let id = run(&mut keyway(["id", "--key", &key])).stdout;
    let mut server = Running::start(&mut keyway([
        "server",
        "--listen",
        "127.0.0.1:0",
        "--key",
        &key,
    ]));
    let ready = server.ready();
    let (node, address) = ready.split_once('@').unwrap();
    assert_eq!(node, id.trim_end());
    let address: std::net::SocketAddr = address.parse().unwrap();
    assert!(
        address.ip().is_loopback() && address.port() != 0,
        "{address}"
    );
    server.wait_for_words("--advertise HOST:PORT");
}

#[test]
fn what_is_advertised_is_what_others_are_told() {
    let mut server = Running::start(&mut keyway([
        "server",
        "--listen",
        "127.0.0.1:0",
        "--advertise",
        "rendezvous.example.org:4433",
    ]));
    assert!(server.ready().ends_with("@rendezvous.example.org:4433"));
    server.wait_for_words("changes at each start");
}

#[test]
fn a_taken_port_is_a_failure_that_says_so() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut server = Running::start(&mut keyway(["server", "--listen", &address]));
    assert_eq!(server.wait(DEADLINE), Some(1));
    let line = server.wait_for_words("error: ");
    assert!(line.contains(&address) && line.contains("port 0"), "{line}");
}
