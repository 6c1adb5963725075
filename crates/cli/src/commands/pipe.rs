//! `keyway pipe`

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::arguments::Pipe;
use crate::exit::{Exit, Failure};

/// A laptop sleeps overnight and its ssh session goes on in the morning.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// As much as one batch of packets carries.
const BUFFER_LEN: usize = 64 * 1024;

pub(crate) async fn run(arguments: Pipe) -> Result<Exit, Failure> {
    let patience = arguments.patience.patience.unwrap_or(PATIENCE);
    let node = arguments.node.builder()?.patience(patience).bind().await?;
    let service = arguments.service;
    let stream = node.connect(&service.peer, &service.service).await?;
    let (mut reader, mut writer) = stream.into_split();

    let upload = tokio::spawn(async move {
        let mut stdin = tokio::io::stdin();
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            let len = stdin.read(&mut buffer).await?;
            if len == 0 {
                return writer.shutdown().await;
            }
            writer.write_all(&buffer[..len]).await?;
        }
    });
    let download = async {
        let mut stdout = tokio::io::stdout();
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            let len = reader.read(&mut buffer).await?;
            if len == 0 {
                return Ok(());
            }
            stdout.write_all(&buffer[..len]).await?;
            stdout.flush().await?;
        }
    };
    let both = async {
        // Each direction ends on its own: the last word of one side says nothing about what the other still has to say.
        let downloaded: std::io::Result<()> = download.await;
        downloaded.and(
            upload
                .await
                .unwrap_or_else(|panic| Err(std::io::Error::other(panic))),
        )
    };
    let outcome = tokio::select! {
        outcome = both => outcome,
        () = crate::signals::told_to_end() => Ok(()),
    };
    super::close(&node).await;
    match outcome {
        // Whoever reads our stdout, or the peer, had enough, as `head` has. That is no failure of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        outcome => outcome.map(|()| Exit::Done).map_err(Failure::from),
    }
}
