//! Both sides send a content that the other knows, check every octet that comes, and end in order.

use std::fmt;
use std::time::Duration;

use keyway_node::{Node, ReadError, StreamKey, WriteError};
use keyway_wire::Time;

use super::content::Content;

/// How much is written or read in one call.
const PIECE: usize = 16 * 1024;

/// How far it is, for people.
impl fmt::Display for Exchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delivered = if self.delivered {
            "delivered"
        } else {
            "not delivered"
        };
        let ended = if self.ended { "ended" } else { "not ended" };
        let (written, read) = (self.written, self.read);
        let (all_out, all_in) = (self.outgoing.length, self.incoming.length);
        write!(
            formatter,
            "{written}/{all_out} written and {delivered}, {read}/{all_in} read and {ended}"
        )
    }
}

/// One side of an exchange over one stream.
#[derive(Clone, Debug)]
pub struct Exchange {
    outgoing: Content,
    incoming: Content,
    written: u64,
    read: u64,
    finished: bool,
    delivered: bool,
    ended: bool,
    last_read: Time,
    longest_wait: Duration,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Ready to send `outgoing`, and expecting `incoming` and nothing else.
    #[must_use]
    pub fn new(now: Time, outgoing: Content, incoming: Content) -> Self {
        Self {
            outgoing,
            incoming,
            written: 0,
            read: 0,
            finished: false,
            delivered: false,
            ended: false,
            last_read: now,
            longest_wait: Duration::ZERO,
            buffer: vec![0; PIECE],
        }
    }

    /// Whether everything came, and everything sent arrived, with both ends in order.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ended && self.delivered
    }

    /// How many octets have come, all of them the expected ones.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The longest time between two reads so far, or since the last one if more is to come.
    #[must_use]
    pub fn longest_wait(&self, now: Time) -> Duration {
        let waiting = if self.ended {
            Duration::ZERO
        } else {
            now.saturating_since(self.last_read)
        };
        self.longest_wait.max(waiting)
    }

    /// Writes while there is room and something left, then ends our half.
    pub(super) fn write(&mut self, node: &mut Node, stream: StreamKey) -> Result<(), String> {
        while !self.finished {
            let length = self.outgoing.read(self.written, &mut self.buffer);
            if length == 0 {
                node.finish(stream);
                self.finished = true;
                break;
            }
            match node.write(stream, &self.buffer[..length]) {
                Ok(taken) => self.written += taken as u64,
                Err(WriteError::Blocked) => break,
                Err(error) => {
                    return Err(format!(
                        "cannot write after {} octets: {error}",
                        self.written
                    ));
                }
            }
        }
        Ok(())
    }

    /// Reads while there is something, and compares it.
    pub(super) fn read_all(
        &mut self,
        now: Time,
        node: &mut Node,
        stream: StreamKey,
    ) -> Result<(), String> {
        while !self.ended {
            match node.read(stream, &mut self.buffer) {
                Ok(length) => self.take(now, length)?,
                Err(ReadError::Blocked) => break,
                Err(ReadError::Finished) if self.read == self.incoming.length => self.ended = true,
                Err(ReadError::Finished) => {
                    return Err(format!("the end came after {} octets", self.read));
                }
                Err(error) => {
                    return Err(format!("cannot read after {} octets: {error}", self.read));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, now: Time, length: usize) -> Result<(), String> {
        if !self.incoming.matches(self.read, &self.buffer[..length]) {
            return Err(format!(
                "what came at octet {} is not what was sent there",
                self.read
            ));
        }
        self.read += length as u64;
        self.longest_wait = self.longest_wait(now);
        self.last_read = now;
        Ok(())
    }

    pub(super) fn delivered(&mut self) {
        self.delivered = true;
    }
}
