//! `keyway expose`

use crate::arguments::Expose;
use crate::bridge::target;
use crate::exit::{Exit, Failure};
use crate::{output, signals};

pub(crate) async fn run(arguments: Expose) -> Result<Exit, Failure> {
    let allow = super::allow(&arguments.allow, "keyway expose")?;
    let patience = arguments.patience.patience.unwrap_or(super::PATIENCE);
    let node = arguments.node.builder()?.patience(patience).bind().await?;
    for exposure in arguments.services {
        let listener = node
            .listen(&exposure.service)
            .allow(allow.clone())
            .start()?;
        tokio::spawn(target::serve(listener, exposure.target));
    }
    output::line(format_args!("ready {}", node.node_id()))?;
    if arguments.node.servers.is_empty() {
        let at: Vec<_> = node
            .local_addresses()
            .iter()
            .map(ToString::to_string)
            .collect();
        eprintln!(
            "keyway: no --server: peers need an address of this node, at {}",
            at.join(" or ")
        );
    }
    signals::asked_to_end().await;
    super::close(&node).await;
    Ok(Exit::Done)
}
