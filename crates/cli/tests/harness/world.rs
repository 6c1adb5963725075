//! A server and the nodes that meet there.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::command::{Running, keyway, run};

/// A server, and a folder for keys and sockets.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// What others pass to `--server`.
    pub(crate) server: String,
    running: Running,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut running = Running::start(&mut keyway(["server", "--listen", "127.0.0.1:0"]));
        Self {
            folder: tempfile::tempdir().unwrap(),
            server: running.ready(),
            running,
        }
    }

    /// The server's process.
    pub(crate) const fn server_process(&self) -> &Running {
        &self.running
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path as it is written on the command line.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The id of the key with this name, made on first use.
    pub(crate) fn id(&self, name: &str) -> String {
        let ended = run(&mut keyway(["id", "--key", &self.text(name)]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// A command of a node that knows the server and nobody's address.
    pub(crate) fn node(&self, command: &str, key: &str, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(command, key, arguments))
    }

    pub(crate) fn command(
        &self,
        command: &str,
        key: &str,
        arguments: &[&str],
    ) -> std::process::Command {
        let key = self.text(key);
        let mut words = vec![command, "--server", &self.server, "--key", &key];
        words.extend(["--bind", "127.0.0.1:0"]);
        words.extend(arguments);
        keyway(words)
    }

    /// Exposes one service to everybody; returns the node's id with it.
    pub(crate) fn expose(&self, service: &str) -> (Running, String) {
        let mut running = self.node("expose", "exposing.key", &[service, "--allow", "any"]);
        let id = running.ready();
        (running, id)
    }

    /// Forwards a free TCP port to a service, as in `ID/http`.
    pub(crate) fn forward(&self, service: &str) -> (Running, SocketAddr) {
        let forwarding = format!("tcp:127.0.0.1:0={service}");
        let mut running = self.node("forward", "forwarding.key", &[&forwarding]);
        assert_eq!(running.ready(), "");
        let address = address(&mut running, "tcp");
        (running, address)
    }
}

/// The address that `keyway forward` told it took for a socket of this kind.
pub(crate) fn address(running: &mut Running, kind: &str) -> SocketAddr {
    let before = format!("keyway: {kind}:");
    let line = running.wait_for_words(&before);
    let (address, _) = line[before.len()..].split_once(" leads to ").unwrap();
    address.parse().unwrap()
}
