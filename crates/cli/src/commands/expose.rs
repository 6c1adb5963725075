//! `keyway expose`

use keyway::Node;
use tokio::task::JoinSet;

use crate::arguments::Expose;
use crate::bridge::target;
use crate::ending::Ending;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};

pub(crate) async fn run(arguments: Expose) -> Result<Exit, Failure> {
    let allow = super::allow(&arguments.allow, "keyway expose")?;
    let names: Vec<_> = arguments
        .services
        .iter()
        .map(|exposure| &exposure.service)
        .collect();
    super::once(&names, |name| format!("the service `{name}`"))?;
    let patience = arguments.patience.patience.unwrap_or(super::PATIENCE);
    let node = arguments
        .node
        .builder(super::ID_CHANGES)?
        .patience(patience)
        .bind()
        .await?;
    let reach = Reach::new(&node, &arguments.node, [])?;
    let ending = Ending::new();
    let mut services = JoinSet::new();
    for exposure in arguments.services {
        let listener = node
            .listen(&exposure.service)
            .allow(allow.clone())
            .start()?;
        services.spawn(target::serve(listener, exposure.target, ending.hold()));
    }
    if arguments.node.servers.is_empty() {
        note_addresses(&node);
    }
    output::line(format_args!("ready {}", node.node_id()))?;
    tokio::select! {
        () = signals::asked_to_end() => {}
        failure = reach.node_failed() => return Err(failure),
    }
    services.shutdown().await;
    ending.end().await;
    super::close(&node).await;
    Ok(Exit::Done)
}

fn note_addresses(node: &Node) {
    let addresses = node.local_addresses();
    let at: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    output::note(format_args!(
        "no --server: peers need an address of this node, which listens on {}",
        at.join(" and ")
    ));
}
