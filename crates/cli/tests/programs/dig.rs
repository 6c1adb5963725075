//! dig, through UDP and TCP ports of `keyway forward`, and dnsmasq as the name server.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use crate::command::{DEADLINE, Running, program, run};
use crate::tools;
use crate::world::{World, address};

/// Longer than DNS over UDP was without extensions (512 octets, RFC 1035, 4.2.1), and than one string of a TXT record.
const LONG_TEXT: usize = 200;

/// A name server of its own, which knows these names and asks nobody.
fn dnsmasq(path: &Path) -> (Running, SocketAddr) {
    // dnsmasq takes no port of the system's choice, and the one chosen here may be gone by the time it starts.
    for _ in 0..10 {
        let address = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut command = program(path);
        command.args([
            "--no-daemon",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ]);
        command.args([
            "--pid-file=",
            "--user=root",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
        ]);
        command.arg(format!("--port={}", address.port()));
        command.args([
            "--host-record=web.example,192.0.2.7",
            "--host-record=web.example,2001:db8::7",
        ]);
        for record in 0..5 {
            let letter = char::from(b'a' + record).to_string();
            command.arg(format!(
                "--txt-record=long.example,{}",
                letter.repeat(LONG_TEXT)
            ));
        }
        let mut running = Running::start(&mut command);
        if running.words_within(DEADLINE, "started, version").is_ok() {
            return (running, address);
        }
    }
    panic!("dnsmasq does not start");
}

fn dig(path: &Path, server: SocketAddr, words: &[&str]) -> Vec<String> {
    let mut command = program(path);
    let (at, port) = (format!("@{}", server.ip()), server.port().to_string());
    // No file of the user's, and a second try: UDP may lose a datagram.
    command.args(["-r", &at, "-p", &port, "+short", "+tries=3", "+time=5"]);
    let ended = run(command.args(words));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let mut lines: Vec<_> = ended.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn tools() -> Option<[PathBuf; 2]> {
    tools::find([("dig", "bind9-dnsutils"), ("dnsmasq", "dnsmasq-base")])
}

#[test]
fn names_are_resolved_over_udp() {
    let Some([dig_path, dnsmasq_path]) = tools() else {
        return;
    };
    let world = World::new();
    let (_server, at) = dnsmasq(&dnsmasq_path);
    let (_expose, id) = world.expose(&format!("dns=udp:{at}"));
    let mut forward = world.node(
        "forward",
        "forwarding.key",
        &[&format!("udp:127.0.0.1:0={id}/dns")],
    );
    forward.ready();
    let address = address(&mut forward, "udp");
    let ask = |words: &[&str]| dig(&dig_path, address, words);
    assert_eq!(ask(&["+notcp", "web.example", "A"]), ["192.0.2.7"]);
    assert_eq!(ask(&["+notcp", "web.example", "AAAA"]), ["2001:db8::7"]);
    let long = ask(&["+notcp", "+ignore", "+bufsize=1232", "long.example", "TXT"]);
    assert_eq!(long.len(), 5);
    assert!(
        long.iter().all(|text| text.len() == LONG_TEXT + 2),
        "{long:?}"
    );
    // Each dig is another sender, with a flow of its own.
    for _ in 0..20 {
        assert_eq!(ask(&["+notcp", "web.example", "A"]), ["192.0.2.7"]);
    }
}

#[test]
fn names_are_resolved_over_tcp() {
    let Some([dig_path, dnsmasq_path]) = tools() else {
        return;
    };
    let world = World::new();
    let (_server, at) = dnsmasq(&dnsmasq_path);
    let (_expose, id) = world.expose(&format!("dns=tcp:{at}"));
    let (_forward, address) = world.forward(&format!("{id}/dns"));
    let long = dig(&dig_path, address, &["+tcp", "long.example", "TXT"]);
    assert_eq!(long.len(), 5);
    assert_eq!(
        dig(&dig_path, address, &["+tcp", "web.example", "A"]),
        ["192.0.2.7"]
    );
}
