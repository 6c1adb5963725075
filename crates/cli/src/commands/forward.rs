//! `keyway forward`

use tokio::task::JoinSet;

use crate::arguments::Forward;
use crate::bridge::listen::Opened;
use crate::ending::Ending;
use crate::exit::{Exit, Failure};
use crate::{output, signals};

pub(crate) async fn run(arguments: Forward) -> Result<Exit, Failure> {
    let patience = arguments.patience.patience.unwrap_or(super::PATIENCE);
    let mut opened = Vec::new();
    for forwarding in arguments.forwardings {
        opened.push(Opened::open(forwarding).await?);
    }
    let node = arguments
        .node
        .builder(super::NOT_ON_LISTS)?
        .patience(patience)
        .connect_deadline(patience)
        .bind()
        .await?;
    let ending = Ending::new();
    let mut sockets = JoinSet::new();
    for socket in opened {
        let service = socket.service();
        eprintln!(
            "keyway: {} leads to {}/{}",
            socket.address(),
            service.peer,
            service.service
        );
        sockets.spawn(socket.serve(node.clone(), ending.hold()));
    }
    output::line("ready")?;
    signals::asked_to_end().await;
    // Socket files are removed with their tasks.
    sockets.shutdown().await;
    ending.end().await;
    super::close(&node).await;
    Ok(Exit::Done)
}
