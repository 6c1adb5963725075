//! What can be said on the command line. Every flag is also an environment variable, `KEYWAY_` and its name; what is said on
//! the command line wins.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};
use keyway::{PeerAddr, ServerAddr};

use crate::admission::Admission;
use crate::duration;
use crate::forwarding::Forwarding;
use crate::listed::Listed;
use crate::service::{Exposure, Service};
use crate::size;

/// Streams of one measurement: half of what a peer grants at once.
const STREAMS_MAX: u32 = 512;

/// Programs reach each other by public key.
#[derive(Debug, Parser)]
#[command(
    name = "keyway",
    version,
    max_term_width = 110,
    propagate_version = true
)]
#[command(after_help = "\
Examples:
  keyway server --key server.key                               prints what others pass to --server
  keyway expose --key web.key http=tcp:127.0.0.1:8080 --allow ID --server SERVER
  keyway forward tcp:127.0.0.1:9000=ID/http --server SERVER
  ssh -o ProxyCommand='keyway pipe ID/ssh' user@laptop
  keyway demo                                                  all of it on this machine

Every flag is also an environment variable: --server is KEYWAY_SERVER.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 unreachable or timed out, 4 refused.
Logs go to stderr; RUST_LOG=keyway=debug shows more.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the node id of a key, making the key file if there is none
    Id(Id),
    /// Be a rendezvous and relay server for others
    Server(Server),
    /// Let others reach local sockets
    Expose(Expose),
    /// Open local sockets that lead to a peer's services
    Forward(Forward),
    /// Connect stdin and stdout to a peer's service, as ssh's ProxyCommand wants it
    Pipe(Pipe),
    /// Measure round trips to a peer, and show by which path
    Ping(Ping),
    /// Measure throughput between two nodes
    Perf(Perf),
    /// Show the signed record that a server has of a node
    Lookup(Lookup),
    /// Show the main job on this machine: relay first, then direct
    Demo,
    /// Print a completion script for a shell
    Completions(Completions),
}

impl Command {
    /// Whether results, and the last words of a failure, are JSON.
    pub(crate) const fn json(&self) -> bool {
        match self {
            Self::Ping(ping) => ping.json,
            Self::Perf(perf) => perf.json,
            Self::Lookup(lookup) => lookup.json,
            Self::Id(_)
            | Self::Server(_)
            | Self::Expose(_)
            | Self::Forward(_)
            | Self::Pipe(_)
            | Self::Demo
            | Self::Completions(_) => false,
        }
    }
}

/// Who this node is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Identity {
    /// Key file; made with mode 0600 if there is none
    ///
    /// Without it the key is taken from KEYWAY_SECRET_KEY, which holds the content of a key file. Without either the node gets a
    /// new identity at each start.
    #[arg(long, value_name = "FILE", env = "KEYWAY_KEY")]
    pub(crate) key: Option<PathBuf>,
}

/// How this node is reached and reaches others.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeOptions {
    #[command(flatten)]
    pub(crate) identity: Identity,

    /// A server to meet peers at: what `keyway server` printed after `ready`; may be given several times
    ///
    /// In KEYWAY_SERVER they are separated by spaces.
    #[arg(long = "server", value_name = "ID@HOST:PORT", env = "KEYWAY_SERVER")]
    pub(crate) servers: Vec<Listed<ServerAddr>>,

    /// Local address for UDP [default: every address, a port of the system's choice]
    #[arg(long, value_name = "IP:PORT", env = "KEYWAY_BIND", value_parser = local_address)]
    pub(crate) bind: Option<SocketAddr>,

    /// Memory that streams and datagrams of all peers together may take, like 64M or 2G [default: 4G]
    ///
    /// Each peer takes up to 64K beside that.
    #[arg(long, value_name = "SIZE", env = "KEYWAY_MEMORY", value_parser = size::memory)]
    pub(crate) memory: Option<u64>,
}

impl NodeOptions {
    pub(crate) fn servers(&self) -> impl Iterator<Item = &ServerAddr> {
        self.servers.iter().flat_map(|listed| &listed.0)
    }
}

/// How long to wait for a peer that does not answer.
#[derive(Copy, Clone, Debug, Args)]
pub(crate) struct Patience {
    /// How long to bear with a peer that does not answer, like 90s, 5m or 24h [default: 5m]
    #[arg(long, value_name = "TIME", env = "KEYWAY_PATIENCE", value_parser = duration::parse)]
    pub(crate) patience: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway id --key agent.key")]
pub(crate) struct Id {
    #[command(flatten)]
    pub(crate) identity: Identity,
}

#[derive(Debug, Args)]
#[command(after_help = "\
When it is ready it prints one line on stdout, `ready ID@HOST:PORT`: others pass the second word to --server.

Examples:
  keyway server --key server.key
  keyway server --key server.key --advertise rendezvous.example.org:4433
  keyway server --listen 127.0.0.1:0                           for tests: any free port")]
pub(crate) struct Server {
    #[command(flatten)]
    pub(crate) identity: Identity,

    /// UDP address to listen on
    #[arg(long, value_name = "IP:PORT", env = "KEYWAY_LISTEN", default_value = "[::]:4433", value_parser = local_address)]
    pub(crate) listen: SocketAddr,

    /// Address that others reach this server at [default: that of the default route]
    #[arg(long, value_name = "HOST:PORT", env = "KEYWAY_ADVERTISE")]
    pub(crate) advertise: Option<String>,

    /// Memory that streams and datagrams of all peers together may take, like 64M or 2G [default: 4G]
    ///
    /// Each peer takes up to 64K beside that.
    #[arg(long, value_name = "SIZE", env = "KEYWAY_MEMORY", value_parser = size::memory)]
    pub(crate) memory: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
When it is ready it prints `ready ID` on stdout. Targets are tcp:HOST:PORT, unix:PATH and udp:HOST:PORT.

Examples:
  keyway expose http=tcp:127.0.0.1:8080 --allow ID --server SERVER
  keyway expose db=unix:/run/pg.sock dns=udp:127.0.0.1:53 --allow ID --allow OTHER
  keyway expose http=tcp:127.0.0.1:8080 --allow any            everybody who knows the id")]
pub(crate) struct Expose {
    #[command(flatten)]
    pub(crate) node: NodeOptions,
    #[command(flatten)]
    pub(crate) patience: Patience,

    /// Who may connect, nobody without it: a node id, or `any`; may be given several times, or as a list with commas
    #[arg(long = "allow", value_name = "ID|any", env = "KEYWAY_ALLOW")]
    pub(crate) allow: Vec<Listed<Admission>>,

    /// Services and what they lead to
    #[arg(required = true, value_name = "SERVICE=TARGET")]
    pub(crate) services: Vec<Exposure>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
When all sockets are open it prints `ready` on stdout. The peer may come later: a connection waits for it.
Sockets are tcp:HOST:PORT, unix:PATH (mode 0600) and udp:HOST:PORT; port 0 takes a free one, told on stderr.

Examples:
  keyway forward tcp:127.0.0.1:9000=ID/http --server SERVER
  keyway forward unix:/tmp/pg.sock=ID/db udp:127.0.0.1:5353=ID/dns")]
pub(crate) struct Forward {
    #[command(flatten)]
    pub(crate) node: NodeOptions,
    #[command(flatten)]
    pub(crate) patience: Patience,

    /// Local sockets and the services they lead to
    #[arg(required = true, value_name = "LISTEN=PEER/SERVICE")]
    pub(crate) forwardings: Vec<Forwarding>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssh -o ProxyCommand='keyway pipe ID/ssh' user@laptop
  tar c . | keyway pipe ID/backup")]
#[command(mut_arg("patience", |patience| patience.help(
    "How long to bear with a peer that does not answer, like 90s, 5m or 24h [default: 30s to connect, then 24h]"
)))]
pub(crate) struct Pipe {
    #[command(flatten)]
    pub(crate) node: NodeOptions,
    #[command(flatten)]
    pub(crate) patience: Patience,

    /// The peer and its service
    #[arg(value_name = "PEER/SERVICE")]
    pub(crate) service: Service,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyway ping ID -c 3 --server SERVER
  keyway ping ID@192.0.2.7:4100 --json")]
pub(crate) struct Ping {
    #[command(flatten)]
    pub(crate) node: NodeOptions,

    /// The peer: a node id, with addresses where they are known
    #[arg(value_name = "PEER")]
    pub(crate) peer: PeerAddr,

    /// Stop after this many round trips [default: go on until interrupted, or until stdin, where it is a pipe, is closed]
    #[arg(short, long, value_name = "N", env = "KEYWAY_COUNT", value_parser = count::<u64>)]
    pub(crate) count: Option<u64>,

    /// Seconds between two pings
    #[arg(short, long, value_name = "SECS", env = "KEYWAY_INTERVAL", default_value = "1", value_parser = duration::seconds)]
    pub(crate) interval: Duration,

    /// How long to wait for the peer and for each answer, like 90s or 5m
    #[arg(long, value_name = "TIME", env = "KEYWAY_PATIENCE", default_value = "30s", value_parser = duration::parse)]
    pub(crate) patience: Duration,

    /// One JSON object a line
    #[arg(long, env = "KEYWAY_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Figures are what the receiver received.

Examples:
  keyway perf --serve --allow any --key perf.key --server SERVER
  keyway perf ID --seconds 10 --streams 4 --server SERVER
  keyway perf ID --reverse --json")]
#[command(mut_arg("patience", |patience| patience.help(
    "How long to bear with a peer that does not answer, like 90s, 5m or 24h [default: 30s to connect, then 5m]"
)))]
pub(crate) struct Perf {
    #[command(flatten)]
    pub(crate) node: NodeOptions,
    #[command(flatten)]
    pub(crate) patience: Patience,

    /// The peer, which runs `keyway perf --serve`
    #[arg(
        value_name = "PEER",
        required_unless_present = "serve",
        conflicts_with = "serve"
    )]
    pub(crate) peer: Option<PeerAddr>,

    /// Be the other side
    #[arg(long, env = "KEYWAY_SERVE", value_parser = BoolishValueParser::new())]
    pub(crate) serve: bool,

    /// With --serve, who may measure: a node id, or `any`; may be given several times, or as a list with commas
    #[arg(long = "allow", value_name = "ID|any", env = "KEYWAY_ALLOW")]
    pub(crate) allow: Vec<Listed<Admission>>,

    /// For how many seconds to measure
    #[arg(long, value_name = "N", env = "KEYWAY_SECONDS", default_value = "10", value_parser = duration::seconds)]
    pub(crate) seconds: Duration,

    /// Streams at once
    #[arg(long, value_name = "N", env = "KEYWAY_STREAMS", default_value_t = 1, value_parser = streams)]
    pub(crate) streams: u32,

    /// The peer sends, this side receives
    #[arg(long, env = "KEYWAY_REVERSE", value_parser = BoolishValueParser::new())]
    pub(crate) reverse: bool,

    /// Datagrams instead of streams
    #[arg(long, env = "KEYWAY_DATAGRAMS", value_parser = BoolishValueParser::new(), conflicts_with = "streams")]
    pub(crate) datagrams: bool,

    /// One JSON object at the end
    #[arg(long, env = "KEYWAY_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  keyway lookup ID --server SERVER --json")]
pub(crate) struct Lookup {
    #[command(flatten)]
    pub(crate) node: NodeOptions,

    /// The node to look up
    #[arg(value_name = "PEER")]
    pub(crate) peer: PeerAddr,

    /// How long to wait for a server
    #[arg(long, value_name = "TIME", env = "KEYWAY_PATIENCE", default_value = "30s", value_parser = duration::parse)]
    pub(crate) patience: Duration,

    /// One JSON object
    #[arg(long, env = "KEYWAY_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  keyway completions bash > ~/.local/share/bash-completion/completions/keyway"
)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

fn count<T: std::str::FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number != T::default());
    number.ok_or_else(|| "not a whole number from 1 on".to_owned())
}

fn streams(text: &str) -> Result<u32, String> {
    let number = count(text).ok().filter(|number| *number <= STREAMS_MAX);
    number.ok_or_else(|| format!("not a whole number from 1 to {STREAMS_MAX}"))
}

/// An address of this machine to bind. Names are not for this: one name may stand for several addresses.
fn local_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "not an address with a port: write IP:PORT, as in 127.0.0.1:4433, 0.0.0.0:4433 or [::]:4433 (port 0: any free one)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_description_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_long_flag_can_be_said_in_the_environment() {
        for command in Arguments::command().get_subcommands() {
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                let variable = argument
                    .get_env()
                    .map(|name| name.to_string_lossy().into_owned());
                let expected = format!("KEYWAY_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(
                    variable,
                    Some(expected),
                    "--{long} of `{}`",
                    command.get_name()
                );
            }
        }
    }
}
