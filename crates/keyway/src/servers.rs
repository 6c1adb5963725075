//! Where the servers are: names are resolved in the background, and again from time to time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::command::Command;
use crate::host_port::HostPort;
use crate::peer_addr::ServerAddr;
use crate::shared::Shared;

/// The pause after a name could not be resolved; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The pause after a name was resolved: servers move seldom, and resolvers cache.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Tells the driver about the servers and where they are, and goes on telling it for those that have names. The tasks end with
/// the set.
pub(crate) fn keep_resolving(servers: Vec<ServerAddr>, shared: &Arc<Shared>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for server in servers {
        // Before anything else that the driver is asked for: a node that dials right away has a server, if not its address.
        tell(shared, &server, literal(&server));
        if server.addresses().iter().any(HostPort::is_name) {
            tasks.spawn(resolve_for_ever(server, Arc::clone(shared)));
        }
    }
    tasks
}

fn literal(server: &ServerAddr) -> Vec<SocketAddr> {
    let addresses = server.addresses().iter();
    addresses
        .filter_map(|address| {
            if let HostPort::Address(address) = address {
                Some(*address)
            } else {
                None
            }
        })
        .collect()
}

async fn resolve_for_ever(server: ServerAddr, shared: Arc<Shared>) {
    let mut pause = PAUSE_MIN;
    loop {
        let resolved = resolve(&server, &shared).await;
        pause = if resolved {
            PAUSE_MAX
        } else {
            (pause * 2).min(PAUSE_MAX)
        };
        tokio::time::sleep(pause).await;
    }
}

/// True if every name of the server has an address.
async fn resolve(server: &ServerAddr, shared: &Shared) -> bool {
    let (mut found, mut complete) = (Vec::new(), true);
    for name in server
        .addresses()
        .iter()
        .filter(|address| address.is_name())
    {
        match name.resolve().await {
            Ok(addresses) => found.extend(addresses),
            Err(error) => {
                tracing::warn!(server = %name, %error, "the server's name cannot be resolved; trying again later");
                complete = false;
            }
        }
    }
    if !found.is_empty() {
        tell(shared, server, found);
    }
    complete
}

fn tell(shared: &Shared, server: &ServerAddr, addresses: Vec<SocketAddr>) {
    // If the driver has ended, this task is about to.
    let _ = shared.send(Command::AddServer {
        server: server.node_id(),
        addresses,
    });
}
