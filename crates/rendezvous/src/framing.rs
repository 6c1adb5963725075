//! Where a message in the stream ends.

use prost::Message;

use crate::message::ProtocolError;

/// Octets of the length before each message.
const LENGTH_LEN: usize = 2;

/// The most octets of a message, so that it makes 16 KiB with its length.
pub const MESSAGE_LEN_MAX: usize = 16 * 1024 - LENGTH_LEN;

/// Cuts a stream of octets into messages. Holds less than one message between calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageReader {
    buffer: Vec<u8>,
    /// Octets of `buffer` that were read already.
    read: usize,
}

impl MessageReader {
    /// Takes what came next. All messages in it must be read with [`next`](Self::next) before more is taken.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, or `None` until more octets have come.
    pub(crate) fn next<M: Message + Default>(&mut self) -> Result<Option<M>, ProtocolError> {
        let Some((length, rest)) = self.buffer[self.read..].split_first_chunk::<LENGTH_LEN>()
        else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length > MESSAGE_LEN_MAX {
            return Err(ProtocolError::TooLong { length });
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = M::decode(body).map_err(|_| ProtocolError::Malformed)?;
        self.read += LENGTH_LEN + length;
        Ok(Some(message))
    }
}

/// Appends a message, preceded by its length. All messages of this crate are far shorter than they may be.
pub(crate) fn append(message: &impl Message, out: &mut Vec<u8>) {
    let length = message.encoded_len();
    debug_assert!(length <= MESSAGE_LEN_MAX, "{length} octets");
    let length = u16::try_from(length).expect("a message of ours is shorter than 16 KiB");
    out.extend_from_slice(&length.to_be_bytes());
    message.encode(out).expect("a vector grows as needed");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generated::Lookup;

    fn lookup(request: u64) -> Lookup {
        Lookup {
            request,
            node: vec![7; 32],
        }
    }

    #[test]
    fn golden_bytes() {
        let mut out = Vec::new();
        append(
            &Lookup {
                request: 5,
                node: vec![1, 2],
            },
            &mut out,
        );
        assert_eq!(out, [0, 6, 0x08, 5, 0x12, 2, 1, 2]);
    }

    #[test]
    fn an_empty_message_is_a_message() {
        let mut reader = MessageReader::default();
        reader.push(&[0, 0]);
        assert_eq!(reader.next(), Ok(Some(Lookup::default())));
        assert_eq!(reader.next::<Lookup>(), Ok(None));
    }

    // L10, R10.1
    #[test]
    fn a_length_beyond_the_limit_is_refused_before_anything_is_kept_for_it() {
        let mut reader = MessageReader::default();
        reader.push(&[0x3f, 0xfe]);
        assert_eq!(reader.next::<Lookup>(), Ok(None));
        let mut reader = MessageReader::default();
        reader.push(&[0x3f, 0xff]);
        assert_eq!(
            reader.next::<Lookup>(),
            Err(ProtocolError::TooLong { length: 16383 })
        );
    }

    #[test]
    fn what_is_not_protobuf_is_refused() {
        let mut reader = MessageReader::default();
        reader.push(&[0, 1, 0xff]);
        assert_eq!(reader.next::<Lookup>(), Err(ProtocolError::Malformed));
    }

    proptest! {
        #[test]
        fn messages_arrive_however_the_stream_is_cut(
            requests in proptest::collection::vec(any::<u64>(), 0..20),
            cuts in proptest::collection::vec(1usize..100, 1..100),
        ) {
            let mut stream = Vec::new();
            for request in &requests {
                append(&lookup(*request), &mut stream);
            }
            let mut reader = MessageReader::default();
            let mut read = Vec::new();
            let mut cuts = cuts.iter().cycle();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                rest = after;
                reader.push(piece);
                while let Some(message) = reader.next::<Lookup>().unwrap() {
                    read.push(message.request);
                }
            }
            prop_assert_eq!(read, requests);
        }
    }
}
