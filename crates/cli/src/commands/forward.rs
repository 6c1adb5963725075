//! `keyway forward`

use tokio::task::JoinSet;

use crate::arguments::Forward;
use crate::bridge::listen::Opened;
use crate::ending::Ending;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::{output, signals};

pub(crate) async fn run(arguments: Forward) -> Result<Exit, Failure> {
    let patience = arguments.patience.patience.unwrap_or(super::PATIENCE);
    let fixed: Vec<_> = arguments
        .forwardings
        .iter()
        .map(|forwarding| &forwarding.listen)
        .filter(|listen| !listen.is_any_port())
        .collect();
    super::once(&fixed, |listen| format!("the socket {listen}"))?;
    let peers: Vec<_> = arguments
        .forwardings
        .iter()
        .map(|forwarding| forwarding.service.peer.clone())
        .collect();
    let mut opened = Vec::new();
    for forwarding in arguments.forwardings {
        opened.push(Opened::open(forwarding).await?);
    }
    let node = arguments
        .node
        .builder(super::NOT_ON_LISTS)?
        .patience(patience)
        .connect_timeout(patience)
        .bind()
        .await?;
    let reach = Reach::new(&node, &arguments.node, &peers)?;
    let ending = Ending::new();
    let mut sockets = JoinSet::new();
    for socket in opened {
        let service = socket.service();
        output::note(format_args!(
            "{} leads to {}/{}",
            socket.address(),
            service.peer,
            service.service
        ));
        sockets.spawn(socket.serve(node.clone(), reach.clone(), ending.hold()));
    }
    output::line("ready")?;
    tokio::select! {
        () = signals::asked_to_end() => {}
        failure = reach.node_failed() => return Err(failure),
    }
    // Socket files are removed with their tasks.
    sockets.shutdown().await;
    ending.end().await;
    super::close(&node).await;
    Ok(Exit::Done)
}
