//! `keyway ping`, `keyway perf` and `keyway lookup`: what they print for scripts.

use std::net::UdpSocket;

use serde_json::{Map, Value};

use crate::command::{DEADLINE, Running, run};
use crate::world::World;

fn object(line: &str) -> Map<String, Value> {
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => object,
        other => panic!("`{line}` is no object: {other:?}"),
    }
}

fn names(object: &Map<String, Value>) -> Vec<&str> {
    object.keys().map(String::as_str).collect()
}

fn is_a_path(value: &Value) -> bool {
    matches!(value.as_str(), Some("direct" | "relay" | "tunnel"))
}

fn perf_server(world: &World) -> (Running, String) {
    let mut server = world.node("perf", "serving.key", &["--serve", "--allow", "any"]);
    let id = server.ready();
    (server, id)
}

#[test]
fn each_ping_is_one_object_on_one_line() {
    let world = World::new();
    let (_peer, id) = world.expose("a=tcp:127.0.0.1:9");
    let words = [&id, "-c", "3", "-i", "0.01", "--json"];
    let ended = run(&mut world.command("ping", "pinging.key", &words));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<_> = ended.stdout.lines().map(object).collect();
    assert_eq!(lines.len(), 3);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(names(line), ["path", "remote", "rtt_us", "seq"]);
        assert_eq!(line["seq"], index + 1);
        assert!(line["rtt_us"].is_u64());
        assert!(is_a_path(&line["path"]), "{line:?}");
        let remote = line["remote"].as_str().unwrap();
        assert!(remote.parse::<std::net::SocketAddr>().is_ok(), "{line:?}");
    }
}

#[test]
fn people_get_lines_and_a_summary() {
    let world = World::new();
    let (_peer, id) = world.expose("a=tcp:127.0.0.1:9");
    let ended = run(&mut world.command("ping", "pinging.key", &[&id, "-c", "2", "-i", "0.01"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(
        lines[0].starts_with("1: ") && lines[1].starts_with("2: "),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("2 sent, 2 answered; "), "{lines:?}");
}

#[test]
fn a_silent_peer_ends_a_ping_with_its_own_code() {
    let world = World::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let peer = format!(
        "{}@{}",
        world.id("silent.key"),
        silent.local_addr().unwrap()
    );
    let words = [&peer, "-c", "1", "--patience", "2s", "--json"];
    let ended = run(&mut world.command("ping", "pinging.key", &words));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_peer_that_nobody_can_name_a_way_to_is_unreachable_at_once() {
    let world = World::new();
    let id = world.id("other.key");
    let ended = run(&mut crate::command::keyway(["ping", &id, "-c", "1"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--server ID@HOST:PORT"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_record_can_be_looked_up() {
    let world = World::new();
    let (_peer, id) = world.expose("a=tcp:127.0.0.1:9");
    // A ping finds the peer, so it is listed.
    assert_eq!(
        run(&mut world.command("ping", "looking.key", &[&id, "-c", "1"])).code,
        Some(0)
    );
    let ended = run(&mut world.command("lookup", "looking.key", &[&id, "--json"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let record = object(ended.stdout.trim_end());
    assert_eq!(record["node"], id.as_str());
    assert!(record["expiry"].as_u64() > record["issued"].as_u64());
    assert_eq!(record["servers"].as_array().unwrap().len(), 1);
    let ended = run(&mut world.command("lookup", "looking.key", &[&id]));
    assert!(
        ended.stdout.starts_with(&format!("node      {id}\n")),
        "{}",
        ended.stdout
    );
}

#[test]
fn who_is_not_listed_is_not_found() {
    let world = World::new();
    let id = world.id("nobody.key");
    let ended = run(&mut world.command("lookup", "looking.key", &[&id, "--patience", "10s"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("has a record of"), "{}", ended.stderr);
}

#[test]
fn throughput_is_measured_in_both_directions_and_with_datagrams() {
    let world = World::new();
    let (_server, id) = perf_server(&world);
    for flags in [
        &["--streams", "2"][..],
        &["--reverse"],
        &["--datagrams"],
        &["--datagrams", "--reverse"],
    ] {
        let mut words = vec![id.as_str(), "--seconds", "1", "--json"];
        words.extend(flags);
        let ended = run(&mut world.command("perf", "measuring.key", &words));
        assert_eq!(ended.code, Some(0), "{flags:?}: {}", ended.stderr);
        let figures = object(ended.stdout.trim_end());
        assert_eq!(names(&figures), ["bytes", "gbit_per_s", "path", "seconds"]);
        let (bytes, seconds) = (
            figures["bytes"].as_f64().unwrap(),
            figures["seconds"].as_f64().unwrap(),
        );
        assert!(bytes > 1e5, "{flags:?}: {figures:?}");
        assert!((0.9..20.0).contains(&seconds), "{flags:?}: {figures:?}");
        let rate = figures["gbit_per_s"].as_f64().unwrap();
        assert!((rate - bytes * 8.0 / seconds / 1e9).abs() < 1e-6);
        assert!(is_a_path(&figures["path"]), "{flags:?}: {figures:?}");
    }
}

#[test]
fn a_peer_that_does_not_measure_refuses() {
    let world = World::new();
    let (_peer, id) = world.expose("a=tcp:127.0.0.1:9");
    let mut perf = world.node("perf", "measuring.key", &[&id, "--seconds", "1"]);
    assert_eq!(perf.wait(DEADLINE), Some(4));
    perf.wait_for_words("has no such service");
}
