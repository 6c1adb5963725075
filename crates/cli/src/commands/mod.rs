//! One file for each command, and what they share: making a node, and ending it.

mod completions;
mod demo;
mod expose;
mod forward;
mod id;
mod lookup;
mod perf;
mod ping;
mod pipe;
mod server;

use std::time::Duration;

use keyway::{Allow, Node, NodeBuilder};

use crate::arguments::{Admission, Command, NodeOptions};
use crate::exit::{Exit, Failure};

/// How long `expose` and `forward` bear with a silent peer: a change of network, a router's restart.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long a node that was asked to end waits for its peers. Whoever sent SIGTERM will send SIGKILL before long.
const LINGER: Duration = Duration::from_secs(5);

pub(crate) async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Id(id) => id::run(&id),
        Command::Server(server) => server::run(server).await,
        Command::Expose(expose) => expose::run(expose).await,
        Command::Forward(forward) => forward::run(forward).await,
        Command::Pipe(pipe) => pipe::run(pipe).await,
        Command::Ping(ping) => ping::run(ping).await,
        Command::Perf(perf) => perf::run(perf).await,
        Command::Lookup(lookup) => lookup::run(lookup).await,
        Command::Demo => demo::run().await,
        Command::Completions(completions) => Ok(completions::run(&completions)),
    }
}

impl NodeOptions {
    /// A node as the options describe it, not bound yet.
    fn builder(&self) -> Result<NodeBuilder, Failure> {
        let mut builder = self.identity.apply(Node::builder())?.linger(LINGER);
        for server in &self.servers {
            builder = builder.server(server.clone());
        }
        if let Some(address) = self.bind {
            builder = builder.bind_address(address);
        }
        Ok(builder)
    }
}

/// Whom a service serves. Nobody must have said so: then `what` does not start.
fn allow(admissions: &[Admission], what: &str) -> Result<Allow, Failure> {
    if admissions.is_empty() {
        return Err(Failure::usage(format!(
            "{what} serves nobody without --allow: name the node ids that may connect (--allow ID, several times), or write \
             --allow any for everybody who knows this node's id"
        )));
    }
    if admissions.contains(&Admission::Any) {
        return Ok(Allow::any());
    }
    Ok(Allow::only(admissions.iter().filter_map(
        |admission| match admission {
            Admission::Node(node) => Some(*node),
            Admission::Any => None,
        },
    )))
}

/// Ends a node in order. What a peer did not take within [`LINGER`] is said, and is no reason to hang.
async fn close(node: &Node) {
    if let Err(error) = node.close().await {
        tracing::warn!(%error, "ended");
    }
}
