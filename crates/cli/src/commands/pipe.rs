//! `keyway pipe`

use std::io;
use std::time::Duration;

use keyway::{Node, RecvHalf, SendHalf, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::arguments::Pipe;
use crate::bridge::streams::is_enough;
use crate::exit::{Exit, Failure};
use crate::reach::Reach;
use crate::signals;

/// A laptop sleeps overnight and its ssh session goes on in the morning.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// As much as one batch of packets carries.
const BUFFER_LEN: usize = 64 * 1024;

pub(crate) async fn run(arguments: Pipe) -> Result<Exit, Failure> {
    let patience = arguments.patience.patience.unwrap_or(PATIENCE);
    // What was written is not given up earlier than the stream that it was written to.
    let mut builder = arguments
        .node
        .builder(super::NOT_ON_LISTS)?
        .patience(patience)
        .linger(patience);
    if let Some(deadline) = arguments.patience.patience {
        builder = builder.connect_timeout(deadline);
    }
    let node = builder.bind().await?;
    let service = arguments.service;
    let reach = Reach::new(&node, &arguments.node, [&service.peer])?;
    let carried = async {
        match node.connect(&service.peer, &service.service).await {
            Ok(stream) => carry(&node, stream).await,
            Err(error) => Err(reach.explain(error).await),
        }
    };
    let outcome = tokio::select! {
        outcome = carried => outcome,
        () = signals::told_to_end() => Ok(()),
    };
    // Nothing more is to be had of a peer that was waited for in vain, and the user has waited for as long as was asked.
    if !matches!(&outcome, Err(failure) if failure.exit == Exit::Unreachable) {
        super::close(&node).await;
    }
    outcome.map(|()| Exit::Done)
}

/// Carries both directions to their ends. Each ends on its own: the last word of one side says nothing about what the other still
/// has to say.
async fn carry(node: &Node, stream: Stream) -> Result<(), Failure> {
    let (receive, send) = stream.into_split();
    // A task of its own, not a part of this future: told to end, the node delivers what was written, and must not take the
    // dropped writer for a finished one.
    let upload = tokio::spawn(upload(send));
    let upload = async {
        upload
            .await
            .unwrap_or_else(|panic| Err(io::Error::other(panic)))
    };
    match tokio::try_join!(upload, download(receive)) {
        Ok(_) => Ok(node.close().await?),
        // Whoever reads our stdout had enough, as `head` has. That is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe && error.get_ref().is_none() => {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

async fn upload(mut to: SendHalf) -> io::Result<()> {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let len = stdin.read(&mut buffer).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        match to.write_all(&buffer[..len]).await {
            Err(error) if is_enough(&error) => return Ok(()),
            written => written?,
        }
    }
}

async fn download(mut from: RecvHalf) -> io::Result<()> {
    let mut stdout = tokio::io::stdout();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            // Whoever reads our stdout is to see the end now, not when stdin has ended, too.
            return rustix::stdio::dup2_stdout(std::fs::File::open("/dev/null")?)
                .map_err(io::Error::from);
        }
        stdout.write_all(&buffer[..len]).await?;
        stdout.flush().await?;
    }
}
