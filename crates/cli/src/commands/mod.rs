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

use crate::admission::Admission;
use crate::arguments::{Command, NodeOptions};
use crate::exit::{Exit, Failure};
use crate::listed::Listed;
use crate::signals;

/// How long `expose` and `forward` bear with a silent peer: a change of network, a router's restart.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// What an ephemeral identity means to a node that reaches others.
const NOT_ON_LISTS: &str =
    "this node has a new identity at each start, so only peers that --allow any let it in";

/// What it means to one that others reach.
const ID_CHANGES: &str =
    "this node has a new id at each start, which others must be told; --key keeps one";

/// How long a node that ends waits for its peers to acknowledge what was written.
const LINGER: Duration = Duration::from_secs(2);

/// How long the whole end of a node may take, goodbyes included. Whoever sends SIGTERM sends SIGKILL before long.
const CLOSING_MAX: Duration = Duration::from_secs(3);

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
        Command::Demo => tokio::select! {
            outcome = demo::run() => outcome,
            () = signals::told_to_end() => Ok(Exit::Done),
        },
        Command::Completions(completions) => completions::run(&completions),
    }
}

impl NodeOptions {
    /// A node as the options describe it, not bound yet.
    ///
    /// Where the identity is ephemeral, that is said on stderr, `meaning` being what it means.
    fn builder(&self, meaning: &str) -> Result<NodeBuilder, Failure> {
        let builder = self.identity.apply(Node::builder(), meaning)?;
        let mut builder = builder.linger(LINGER);
        for server in self.servers() {
            builder = builder.server(server.clone());
        }
        if let Some(address) = self.bind {
            builder = builder.bind_address(address);
        }
        Ok(builder)
    }
}

/// Whom a service serves. Nobody must have said so: then `what` does not start.
fn allow(admissions: &[Listed<Admission>], what: &str) -> Result<Allow, Failure> {
    let admissions: Vec<_> = admissions.iter().flat_map(|listed| &listed.0).collect();
    if admissions.is_empty() {
        return Err(Failure::usage(format!(
            "{what} serves nobody without --allow: name the node ids that may connect (--allow ID, several times), or write \
             --allow any for everybody who knows this node's id"
        )));
    }
    if admissions.contains(&&Admission::Any) {
        return Ok(Allow::any());
    }
    Ok(Allow::only(admissions.iter().filter_map(
        |admission| match admission {
            Admission::Node(node) => Some(*node),
            Admission::Any => None,
        },
    )))
}

/// Refuses what is given twice, before anything has started.
fn once<T: PartialEq>(given: &[T], what: impl Fn(&T) -> String) -> Result<(), Failure> {
    let again = given
        .iter()
        .enumerate()
        .find(|(index, one)| given[..*index].contains(one));
    match again {
        None => Ok(()),
        Some((_, one)) => Err(Failure::usage(format!(
            "{} is given twice: leave one out, or give it another name",
            what(one)
        ))),
    }
}

/// Ends a node in order. What a peer did not take in time is said, and is no reason to hang.
async fn close(node: &Node) {
    match tokio::time::timeout(CLOSING_MAX, node.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("{error}"),
        Err(_) => tracing::warn!(
            "ended before the peers had everything that was written, or had said goodbye"
        ),
    }
}
