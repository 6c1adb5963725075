//! When to stop: SIGINT, SIGTERM, or a closed stdin.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::LazyLock;

use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether a signal asked this process to end. One for the process, as signals are.
static TOLD: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// Listens for signals from here on, within the current tokio runtime. Before anything has started, so that none is missed.
pub(crate) fn listen() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        TOLD.send_replace(true);
    });
    Ok(())
}

/// Waits until a signal asks this process to end: for commands that end by themselves, or that read stdin as data.
pub(crate) async fn told_to_end() {
    // The sender is never gone.
    let _ = TOLD.subscribe().wait_for(|told| *told).await;
}

/// Waits until this process is asked to end: for commands that would go on for ever.
///
/// A closed stdin asks for it where stdin is a pipe or a socket: whoever started us holds the other end, and is gone. At
/// `/dev/null` and at files, which a service manager gives, the end comes at once and means nothing; a terminal is left alone,
/// since reading it would stop a job in the background.
pub(crate) async fn asked_to_end() {
    tokio::select! {
        () = told_to_end() => {}
        () = stdin_closed() => {}
    }
}

async fn stdin_closed() {
    if !somebody_holds_stdin() {
        return std::future::pending().await;
    }
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while let Ok(1..) = stdin.read(&mut ignored).await {}
}

fn somebody_holds_stdin() -> bool {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return false;
    }
    let file = stdin.as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata())
        .is_ok_and(|metadata| metadata.file_type().is_fifo() || metadata.file_type().is_socket())
}
