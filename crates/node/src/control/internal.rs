//! Streams that the node itself uses: they never reach the application.

use keyway_transport::ReadError;
use keyway_wire::Time;

use super::Control;
use crate::keys::StreamKey;
use crate::worker::Worker;

/// Read at once from an internal stream. Messages are at most 16 KiB.
const READ_LEN: usize = 16 * 1024;

/// Who uses a stream of ours, where it is not the application.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Internal {
    /// Our stream to a server.
    Client(u32),
    /// A client's stream to us.
    Served,
}

impl Control {
    /// Who uses this stream, if it is not the application.
    pub(super) fn internal(&self, stream: StreamKey) -> Option<Internal> {
        let (known, internal) = self.internal.get(&stream.association)?;
        (*known == stream).then_some(*internal)
    }

    pub(super) fn read_internal(
        &mut self,
        worker: &mut Worker,
        now: Time,
        stream: StreamKey,
        internal: Internal,
    ) {
        let mut buffer = vec![0; READ_LEN];
        loop {
            let Some(association) = worker.touch(stream.association) else {
                return;
            };
            match association.read(stream.stream, &mut buffer) {
                Ok(len) => match internal {
                    Internal::Client(index) => {
                        self.read_from_server(worker, now, index, &buffer[..len]);
                    }
                    Internal::Served => {
                        self.read_from_client(worker, now, stream, &buffer[..len]);
                    }
                },
                Err(ReadError::Blocked) => return,
                Err(_) => return self.internal_ended(worker, now, stream, internal),
            }
            if self.internal(stream).is_none() {
                return;
            }
        }
    }

    pub(super) fn write_internal(
        &mut self,
        worker: &mut Worker,
        now: Time,
        stream: StreamKey,
        internal: Internal,
    ) {
        match internal {
            Internal::Client(index) => self.write_to_server(worker, index),
            Internal::Served => self.write_to_client(worker, now, stream),
        }
    }

    /// The stream is over. Without it an association with a server is of no use, so that is closed and made anew.
    pub(super) fn internal_ended(
        &mut self,
        worker: &mut Worker,
        now: Time,
        stream: StreamKey,
        internal: Internal,
    ) {
        self.internal.remove(&stream.association);
        match internal {
            Internal::Served => self.client_left(worker, now, stream),
            Internal::Client(_) => {
                if let Some(association) = worker.touch(stream.association) {
                    association.close(now, keyway_transport::codes::NONE, "");
                }
            }
        }
    }
}
