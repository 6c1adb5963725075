use keyway_wire::{INIT_LEN, Packet};

/// A datagram: what is accepted is written back octet by octet.
///
/// There is one spelling of each header, so that a relay may rewrite one, and a MAC or tag over it means what was read.
pub fn packet(data: &[u8]) {
    let Ok(packet) = Packet::parse(data) else {
        return;
    };
    let mut out = vec![0xa5; data.len().max(INIT_LEN)];
    let written = match packet {
        Packet::Init(init) => init.emit(&mut out),
        Packet::Resp(resp) => resp.emit(&mut out),
        Packet::Cookie(cookie) => cookie.emit(&mut out),
        Packet::Data(header) => header.emit(&mut out),
        Packet::Relay(header) => header.emit(&mut out),
    };
    assert_eq!(
        out[..written],
        data[..written],
        "{packet:?} has another spelling"
    );
    assert!(
        out[written..].iter().all(|octet| *octet == 0xa5),
        "written beyond the end"
    );
    assert!(packet_is_whole(packet, written, data.len()));
}

/// INIT, RESP and COOKIE are the whole datagram; of the others, something follows the header.
fn packet_is_whole(packet: Packet<'_>, written: usize, length: usize) -> bool {
    match packet {
        Packet::Init(_) | Packet::Resp(_) | Packet::Cookie(_) => written == length,
        Packet::Data(_) | Packet::Relay(_) => written < length,
    }
}
