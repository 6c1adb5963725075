//! What happens to an initiator whose static key is a point of small order.

use super::{
    Noise,
    lying::{Static, initiator},
    x25519::tests::{NOT_CANONICAL, SMALL_ORDER, hex},
};
use crate::{HandshakeError, tests::bob};

// A2
#[test]
fn weak_static_keys_are_refused() {
    for point in SMALL_ORDER.map(hex).into_iter().chain([hex(NOT_CANONICAL)]) {
        let message = message_1(Static::Weak(point));
        let refused =
            Noise::responder(&bob().static_key, &bob().node_id()).read(&message, &mut [0; 64]);
        assert_eq!(refused, Err(HandshakeError::WeakKey), "{point:02x?}");
    }
    // The same message with an honest key is read, so nothing else is wrong with it.
    let read = Noise::responder(&bob().static_key, &bob().node_id())
        .read(&message_1(Static::Honest), &mut [0; 64]);
    assert_eq!(read, Ok(7));
}

/// Message 1 to Bob under this static key. Whatever its private key is, the result of its exchange with Bob is zeros, so
/// who does not check takes the message for authentic.
fn message_1(says: Static) -> Vec<u8> {
    let mut message = vec![0; 200];
    let length = initiator(says)
        .write_message(b"payload", &mut message)
        .unwrap();
    message.truncate(length);
    message
}
