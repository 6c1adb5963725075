//! What commands say, at the most talkative, has nothing of their keys.

use rustix::process::Signal;

use crate::command::{ENDING_DEADLINE, Running, keyway, run};
use crate::service::{connect, echo_at_the_end, serve};
use crate::world::{World, address};

/// The ways in which octets are usually printed.
fn forms(document: &str) -> Vec<String> {
    let body: String = document
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let key = decode(&body);
    let octets = &key[20..28];
    let join = |separator: &str, each: fn(&u8) -> String| {
        octets.iter().map(each).collect::<Vec<_>>().join(separator)
    };
    vec![
        body[28..48].to_owned(),
        join("", |octet| format!("{octet:02x}")),
        join("", |octet| format!("{octet:02X}")),
        join(":", |octet| format!("{octet:02x}")),
        join(", ", u8::to_string),
        join(", ", |octet| format!("{octet:#04x}")),
    ]
}

/// Base64 (RFC 4648, 4), as `openssl` would read it.
fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |character| {
        ALPHABET
            .iter()
            .position(|other| *other == character)
            .unwrap()
    };
    let values: Vec<_> = text.trim_end_matches('=').bytes().map(value).collect();
    let groups = values.chunks_exact(4);
    groups
        .flat_map(|group| {
            let bits = group.iter().fold(0, |bits, value| bits << 6 | value);
            [bits >> 16, bits >> 8, bits].map(|octet| (octet & 0xff).try_into().unwrap())
        })
        .collect()
}

// K5
#[test]
fn no_log_at_any_level_shows_a_key() {
    let world = World::new();
    let target = format!("echo={}", serve(echo_at_the_end));
    let keys = [
        "exposing.key",
        "forwarding.key",
        "pinging.key",
        "server.key",
    ];
    let id = world.id(keys[0]);
    let mut server = {
        let words = [
            "server",
            "--listen",
            "127.0.0.1:0",
            "--key",
            &world.text(keys[3]),
        ];
        Running::start(keyway(words).env("RUST_LOG", "trace"))
    };
    let place = server.ready();
    let loud = |command: &str, key: &str, arguments: &[&str]| {
        let mut command = world.command(command, key, arguments);
        command.args(["--server", &place]);
        Running::start(command.env("RUST_LOG", "trace"))
    };
    let mut expose = loud("expose", keys[0], &[&target, "--allow", "any"]);
    expose.ready();
    let mut forward = loud("forward", keys[1], &[&format!("tcp:127.0.0.1:0={id}/echo")]);
    forward.ready();
    let mut client = connect(address(&mut forward, "tcp"));
    std::io::Write::write_all(&mut client, b"hello").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    std::io::Read::read_to_end(&mut client, &mut Vec::new()).unwrap();
    let words = [&id, "-c", "3", "-i", "0.01"];
    let ping = run(world
        .command("ping", keys[2], &words)
        .env("RUST_LOG", "trace"));
    assert_eq!(ping.code, Some(0), "{}", ping.stderr);
    let mut said = ping.stdout + &ping.stderr;
    for mut running in [expose, forward, server] {
        running.signal(Signal::TERM);
        running.wait(ENDING_DEADLINE);
        said += &running.all_that_was_said();
    }
    assert!(said.lines().count() > 20, "nothing was logged: {said}");
    for key in keys {
        let document = std::fs::read_to_string(world.path(key)).unwrap();
        for form in forms(&document) {
            assert!(!said.contains(&form), "the logs have octets of {key}");
        }
    }
}
