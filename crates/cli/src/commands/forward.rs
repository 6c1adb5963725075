//! `keyway forward`

use tokio::task::JoinSet;

use crate::arguments::Forward;
use crate::bridge::listen::Opened;
use crate::exit::{Exit, Failure};
use crate::{output, signals};

pub(crate) async fn run(arguments: Forward) -> Result<Exit, Failure> {
    let patience = arguments.patience.patience.unwrap_or(super::PATIENCE);
    let mut opened = Vec::new();
    for forwarding in arguments.forwardings {
        opened.push(Opened::open(forwarding).await?);
    }
    let builder = arguments.node.builder()?.patience(patience);
    let node = builder
        .connect_deadline(patience.max(CONNECT_DEADLINE_MIN))
        .bind()
        .await?;
    let mut sockets = JoinSet::new();
    for socket in opened {
        let service = socket.service();
        eprintln!(
            "keyway: {} leads to {}/{}",
            socket.address(),
            service.peer,
            service.service
        );
        sockets.spawn(socket.serve(node.clone()));
    }
    output::line("ready")?;
    signals::asked_to_end().await;
    // Socket files are removed with their tasks.
    sockets.shutdown().await;
    super::close(&node).await;
    Ok(Exit::Done)
}

/// A local connection waits at least this long for the peer, however little patience its streams are to have.
const CONNECT_DEADLINE_MIN: std::time::Duration = std::time::Duration::from_secs(1);
