//! Gives back what comes, octet by octet, and ends when the other side ends.

use keyway_node::{Node, ReadError, StreamKey, WriteError};

/// The most that is kept while the other side does not read what it is given back.
const KEPT_MAX: usize = 64 * 1024;

/// One echoing stream.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    kept: Vec<u8>,
    peer_ended: bool,
    finished: bool,
}

impl Echo {
    /// Reads and gives back as long as either goes on.
    pub(super) fn pass(&mut self, node: &mut Node, stream: StreamKey) -> Result<(), String> {
        loop {
            let read = self.read(node, stream)?;
            let wrote = self.write(node, stream)?;
            if !read && !wrote {
                return Ok(());
            }
        }
    }

    /// Whether anything was read.
    fn read(&mut self, node: &mut Node, stream: StreamKey) -> Result<bool, String> {
        if self.peer_ended || self.kept.len() >= KEPT_MAX {
            return Ok(false);
        }
        let before = self.kept.len();
        self.kept.resize(KEPT_MAX, 0);
        let result = node.read(stream, &mut self.kept[before..]);
        self.kept
            .truncate(before + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(_) => Ok(true),
            Err(ReadError::Blocked) => Ok(false),
            Err(ReadError::Finished) => {
                self.peer_ended = true;
                Ok(true)
            }
            Err(error) => Err(format!("echo cannot read: {error}")),
        }
    }

    /// Whether anything was written.
    fn write(&mut self, node: &mut Node, stream: StreamKey) -> Result<bool, String> {
        if self.kept.is_empty() {
            if self.peer_ended && !self.finished {
                node.finish(stream);
                self.finished = true;
            }
            return Ok(false);
        }
        match node.write(stream, &self.kept) {
            Ok(length) => {
                self.kept.drain(..length);
                Ok(true)
            }
            Err(WriteError::Blocked) => Ok(false),
            Err(error) => Err(format!("echo cannot write: {error}")),
        }
    }
}
