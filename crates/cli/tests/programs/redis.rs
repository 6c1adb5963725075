//! redis-cli and its server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::command::{DEADLINE, Running, program, run, run_fed};
use crate::service::{hex, pattern};
use crate::tools;
use crate::world::World;

/// A server on a Unix socket, exposed, and a TCP port of this machine that leads to it.
struct Redis {
    _world: World,
    _server: Running,
    _expose: Running,
    _forward: Running,
    cli: PathBuf,
    address: SocketAddr,
}

impl Redis {
    fn new() -> Option<Self> {
        let [server, cli] = tools::find([
            ("redis-server", "redis-server"),
            ("redis-cli", "redis-tools"),
        ])?;
        let world = World::new();
        let socket = world.text("redis.sock");
        let mut command = program(server);
        command.args([
            "--port",
            "0",
            "--unixsocket",
            &socket,
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        let mut server = Running::start(command.args(["--dir", &world.text("")]));
        server.wait_for_line("eady to accept connections");
        let (expose, id) = world.expose(&format!("redis=unix:{socket}"));
        let (forward, address) = world.forward(&format!("{id}/redis"));
        Some(Self {
            _world: world,
            _server: server,
            _expose: expose,
            _forward: forward,
            cli,
            address,
        })
    }

    fn cli(&self, words: &[&str]) -> Command {
        let mut command = program(&self.cli);
        command.args([
            "-h",
            &self.address.ip().to_string(),
            "-p",
            &self.address.port().to_string(),
        ]);
        command.args(words);
        command
    }

    fn answer(&self, words: &[&str]) -> String {
        let ended = run(&mut self.cli(words));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }
}

#[test]
fn values_small_and_large_are_stored_and_read() {
    let Some(redis) = Redis::new() else { return };
    assert_eq!(redis.answer(&["set", "greeting", "hello"]), "OK");
    assert_eq!(redis.answer(&["get", "greeting"]), "hello");
    let value = hex(&pattern(5_000_000));
    let ended = run_fed(
        &mut redis.cli(&["-x", "set", "large"]),
        value.clone().into_bytes(),
    );
    assert_eq!(ended.stdout, "OK\n", "{}", ended.stderr);
    assert!(redis.answer(&["get", "large"]) == value);
}

#[test]
fn a_hundred_thousand_commands_go_through_one_pipeline() {
    let Some(redis) = Redis::new() else { return };
    let commands: String = (0..100_000)
        .map(|number| format!("INCRBY sum {number}\r\n"))
        .collect();
    let ended = run_fed(&mut redis.cli(&["--pipe"]), commands.into_bytes());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("errors: 0, replies: 100000"),
        "{}",
        ended.stdout
    );
    assert_eq!(
        redis.answer(&["get", "sum"]),
        (0..100_000_u64).sum::<u64>().to_string()
    );
}

#[test]
fn a_subscriber_hears_what_others_publish() {
    let Some(redis) = Redis::new() else { return };
    let mut subscriber = Running::start(&mut redis.cli(&["subscribe", "news"]));
    for expected in ["subscribe", "news", "1"] {
        assert_eq!(subscriber.line(), expected);
    }
    for message in ["first", "second"] {
        assert_eq!(redis.answer(&["publish", "news", message]), "1");
        for expected in ["message", "news", message] {
            assert_eq!(subscriber.line(), expected);
        }
    }
    // Not SIGINT: what runs in the background of a shell may have inherited that it is to be ignored.
    subscriber.signal(Signal::TERM);
    subscriber.wait(DEADLINE);
}
