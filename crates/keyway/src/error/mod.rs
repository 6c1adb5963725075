//! What can go wrong, one small enum for each operation. Each becomes an [`io::Error`](std::io::Error) by `?`, with the kind that
//! fits best and itself as the source.
//!
//! | file         | why |
//! |--------------|---|
//! | `bind`       | a node could not be set up |
//! | `close`      | not everything was delivered when a node was closed |
//! | `connect`    | there is no connection to a peer |
//! | `connection` | what two nodes share came to its end; part of all others but `bind` |
//! | `datagram`   | a datagram could not be sent, or none can come any more |
//! | `listen`     | a service could not be offered |
//! | `lookup`     | a record could not be looked up |
//! | `read`       | a stream yields nothing more |
//! | `write`      | a stream takes nothing more |

mod bind;
mod close;
mod connect;
mod connection;
mod datagram;
mod listen;
mod lookup;
mod read;
mod seconds;
mod write;

pub use bind::BindError;
pub use close::CloseError;
pub use connect::ConnectError;
pub use connection::ConnectionError;
pub use datagram::DatagramError;
pub use listen::ListenError;
pub use lookup::LookupError;
pub use read::ReadError;
pub use write::WriteError;

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_io_error_carries_its_kind_and_its_source() {
        let error = io::Error::from(ReadError::Refused);
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let source = error
            .get_ref()
            .and_then(|source| source.downcast_ref::<ReadError>());
        assert_eq!(source, Some(&ReadError::Refused));
        let error = io::Error::from(WriteError::Lost(ConnectionError::TimedOut {
            patience: Duration::from_secs(300),
        }));
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn every_error_is_an_io_error_of_the_kind_that_fits() {
        use io::ErrorKind::{AddrInUse, InvalidInput, NotFound, PermissionDenied, TimedOut};
        let peer = keyway_identity::SecretKey::from_bytes([1; 32]).node_id();
        let second = Duration::from_secs(1);
        let socket = BindError::Socket {
            address: ([127, 0, 0, 1], 53).into(),
            source: PermissionDenied.into(),
        };
        let in_use = ListenError::InUse {
            service: "echo".to_owned(),
        };
        let kinds = [
            (io::Error::from(socket).kind(), PermissionDenied),
            (io::Error::from(in_use).kind(), AddrInUse),
            (
                io::Error::from(LookupError::NotFound { peer }).kind(),
                NotFound,
            ),
            (io::Error::from(LookupError::NoServer).kind(), InvalidInput),
            (
                io::Error::from(CloseError::Undelivered { linger: second }).kind(),
                TimedOut,
            ),
        ];
        for (kind, expected) in kinds {
            assert_eq!(kind, expected);
        }
    }
}
