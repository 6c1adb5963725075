use keyway_handshake::{InitPayload, RespPayload};

/// What INIT says under its seal: whatever is accepted can be said again, and means the same then.
pub fn init_payload(data: &[u8]) {
    let Ok((payload, cid)) = InitPayload::decode(data) else {
        return;
    };
    let octets = payload.encode(cid).expect("it was accepted");
    assert_eq!(InitPayload::decode(&octets), Ok((payload, cid)));
}

/// What RESP says under its seal, likewise.
pub fn resp_payload(data: &[u8]) {
    let Ok((payload, cid)) = RespPayload::decode(data) else {
        return;
    };
    let octets = payload.encode(cid).expect("it was accepted");
    assert_eq!(RespPayload::decode(&octets), Ok((payload, cid)));
}
