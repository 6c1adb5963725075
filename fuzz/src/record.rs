use keyway_identity::{Signable, Signature, Signed};
use keyway_rendezvous::Record;

/// A record: what is accepted says the same when it is written again, and counts for nothing without a signature.
pub fn record(data: &[u8]) {
    let unsigned = Signed::<Record>::verify(data, &Signature::from_bytes([0; 64]));
    assert!(unsigned.is_err(), "{unsigned:?}");
    let Ok(record) = Record::from_bytes(data) else {
        return;
    };
    let written = record.to_bytes();
    assert!(written.len() <= Record::LEN_MAX);
    assert_eq!(Record::from_bytes(&written), Ok(record));
}
