//! The published vectors (`proto/vectors/wire.json`), through the public API: other implementations use the same file.
// Q12

#![expect(
    clippy::unwrap_used,
    reason = "a vector that is not as described fails the test"
)]

use keyway_wire::{
    CandidateKind, DATA_HEADER_LEN, Frame, Frames, INIT_LEN, Packet, RELAY_HEADER_LEN, StreamKind,
    VarInt,
};
use serde_json::{Value, json};

fn vectors(section: &str) -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../../../proto/vectors/wire.json")).unwrap();
    file[section].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {vector}"))
}

fn octets(vector: &Value, field: &str) -> Vec<u8> {
    let digits = text(vector, field);
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap())
        .collect()
}

/// What a writer produces: `written`, where `hex` is another spelling.
fn written(vector: &Value) -> Vec<u8> {
    octets(
        vector,
        if vector.get("written").is_some() {
            "written"
        } else {
            "hex"
        },
    )
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn describe_packet(packet: &[u8]) -> Value {
    match Packet::parse(packet).unwrap() {
        Packet::Init(init) => json!({
            "type": "INIT", "sender": hex(init.sender.as_bytes()), "noise": hex(init.noise),
            "mac1": hex(init.mac1), "mac2": hex(init.mac2),
        }),
        Packet::Resp(resp) => json!({
            "type": "RESP", "sender": hex(resp.sender.as_bytes()), "receiver": hex(resp.receiver.as_bytes()),
            "noise": hex(resp.noise), "mac1": hex(resp.mac1), "mac2": hex(resp.mac2),
        }),
        Packet::Cookie(cookie) => json!({
            "type": "COOKIE", "receiver": hex(cookie.receiver.as_bytes()), "nonce": hex(cookie.nonce),
            "sealed": hex(cookie.sealed),
        }),
        Packet::Data(header) => json!({
            "type": "DATA", "slot": header.slot.index().to_string(), "phase": u8::from(header.phase).to_string(),
            "cid": hex(header.cid.as_bytes()), "number": header.number.to_string(),
            "sealed": hex(&packet[DATA_HEADER_LEN..]),
        }),
        Packet::Relay(header) => json!({
            "type": "RELAY", "token": hex(header.token.as_bytes()), "inner": hex(&packet[RELAY_HEADER_LEN..]),
        }),
    }
}

fn emit_packet(packet: &[u8]) -> Vec<u8> {
    let mut out = vec![0xa5; packet.len().max(INIT_LEN)];
    let len = match Packet::parse(packet).unwrap() {
        Packet::Init(init) => init.emit(&mut out),
        Packet::Resp(resp) => resp.emit(&mut out),
        Packet::Cookie(cookie) => cookie.emit(&mut out),
        Packet::Data(header) => header.emit(&mut out),
        Packet::Relay(header) => header.emit(&mut out),
    };
    // What follows a header is not the header's to write.
    [&out[..len], &packet[len..]].concat()
}

/// Long because it is a table.
fn describe_frame(frame: Frame<'_>) -> Value {
    match frame {
        Frame::Ping => json!({ "type": "PING" }),
        Frame::Ack(ack) => {
            let range = |range: std::ops::RangeInclusive<u64>| {
                json!([range.start().to_string(), range.end().to_string()])
            };
            json!({
                "type": "ACK", "sequence": ack.sequence.0.to_string(), "delay": ack.delay.as_micros().to_string(),
                "ranges": ack.ranges.iter().map(range).collect::<Vec<_>>(),
            })
        }
        Frame::Reset(frame) => json!({
            "type": "RESET", "stream": frame.stream.to_string(), "code": frame.code.to_string(),
            "final_size": frame.final_size.to_string(),
        }),
        Frame::Stop(frame) => {
            json!({ "type": "STOP", "stream": frame.stream.to_string(), "code": frame.code.to_string() })
        }
        Frame::Open(frame) => json!({
            "type": "OPEN", "stream": frame.stream.to_string(), "service": frame.service,
            "carries": match frame.kind { StreamKind::Bytes => "octets", StreamKind::Datagrams => "datagrams" },
        }),
        Frame::Stream(frame) => json!({
            "type": "STREAM", "stream": frame.stream.to_string(), "offset": frame.offset.to_string(),
            "fin": u8::from(frame.fin).to_string(), "data": hex(frame.data),
        }),
        Frame::Datagram(frame) => {
            json!({ "type": "DATAGRAM", "flow": frame.flow.to_string(), "data": hex(frame.data) })
        }
        Frame::Close(frame) => {
            json!({ "type": "CLOSE", "code": frame.code.to_string(), "reason": frame.reason })
        }
        Frame::MaxData(frame) => json!({ "type": "MAX_DATA", "max": frame.max.to_string() }),
        Frame::MaxStreamData(frame) => json!({
            "type": "MAX_STREAM_DATA", "stream": frame.stream.to_string(), "max": frame.max.to_string(),
        }),
        Frame::MaxStreams(frame) => json!({ "type": "MAX_STREAMS", "max": frame.max.to_string() }),
        Frame::DataBlocked(frame) => {
            json!({ "type": "DATA_BLOCKED", "limit": frame.limit.to_string() })
        }
        Frame::StreamDataBlocked(frame) => json!({
            "type": "STREAM_DATA_BLOCKED", "stream": frame.stream.to_string(), "limit": frame.limit.to_string(),
        }),
        Frame::StreamsBlocked(frame) => {
            json!({ "type": "STREAMS_BLOCKED", "limit": frame.limit.to_string() })
        }
        Frame::NewCid(frame) => json!({
            "type": "NEW_CID", "sequence": frame.sequence.0.to_string(), "cid": hex(frame.cid.as_bytes()),
            "retire_prior_to": frame.retire_prior_to.0.to_string(),
        }),
        Frame::RetireCid(frame) => {
            json!({ "type": "RETIRE_CID", "sequence": frame.sequence.0.to_string() })
        }
        Frame::PathChallenge(frame) => {
            json!({ "type": "PATH_CHALLENGE", "data": hex(&frame.data) })
        }
        Frame::PathResponse(frame) => json!({ "type": "PATH_RESPONSE", "data": hex(&frame.data) }),
        Frame::ObservedAddress(frame) => json!({
            "type": "OBSERVED_ADDRESS", "sequence": frame.sequence.to_string(), "address": frame.address.to_string(),
        }),
        Frame::Candidates(frame) => {
            let candidate = |candidate: keyway_wire::Candidate| {
                let kind = match candidate.kind {
                    CandidateKind::Host => "host",
                    CandidateKind::Reflexive => "reflexive",
                    CandidateKind::Mapped => "mapped",
                };
                json!([kind, candidate.address.to_string()])
            };
            let candidates: Vec<_> = frame.candidates.iter().map(candidate).collect();
            json!({ "type": "CANDIDATES", "sequence": frame.sequence.to_string(), "candidates": candidates })
        }
    }
}

#[test]
fn varints_are_read_and_written() {
    for vector in vectors("varints") {
        let octets = octets(&vector, "hex");
        let (varint, len) = VarInt::parse(&octets).unwrap();
        assert_eq!(
            (varint.to_string().as_str(), len),
            (text(&vector, "value"), octets.len())
        );
        let mut out = [0xa5; 8];
        let len = varint.emit(&mut out);
        assert_eq!(out[..len], written(&vector), "{vector}");
    }
}

#[test]
fn packets_say_what_the_vectors_say() {
    for vector in vectors("packets") {
        let packet = octets(&vector, "hex");
        assert_eq!(
            describe_packet(&packet),
            vector["value"],
            "{}",
            text(&vector, "name")
        );
        assert_eq!(
            hex(&emit_packet(&packet)),
            hex(&packet),
            "{}",
            text(&vector, "name")
        );
    }
}

#[test]
fn packets_that_are_to_be_refused_are_refused() {
    for vector in vectors("refused_packets") {
        assert!(
            Packet::parse(&octets(&vector, "hex")).is_err(),
            "{}",
            text(&vector, "name")
        );
    }
}

#[test]
fn frames_say_what_the_vectors_say() {
    for vector in vectors("frames") {
        let name = text(&vector, "name");
        let payload = octets(&vector, "hex");
        let [Ok(frame)] = Frames::new(&payload).collect::<Vec<_>>()[..] else {
            panic!("{name}: refused")
        };
        assert_eq!(describe_frame(frame), vector["value"], "{name}");
        let mut out = vec![0xa5; frame.len()];
        assert_eq!(frame.emit(&mut out), out.len(), "{name}");
        assert_eq!(hex(&out), hex(&written(&vector)), "{name}");
    }
}

#[test]
fn frames_that_are_to_be_refused_are_refused() {
    for vector in vectors("refused_frames") {
        let payload = octets(&vector, "hex");
        let frames: Vec<_> = Frames::new(&payload).collect();
        assert!(
            matches!(frames[..], [Err(_)]),
            "{}: {frames:?}",
            text(&vector, "name")
        );
    }
}

#[test]
fn every_packet_and_every_frame_is_among_the_vectors() {
    let has = |section: &str, kinds: &[&str]| {
        let vectors = vectors(section);
        for kind in kinds {
            assert!(
                vectors
                    .iter()
                    .any(|vector| vector["value"]["type"] == *kind),
                "no {kind}"
            );
        }
    };
    has("packets", &["INIT", "RESP", "COOKIE", "DATA", "RELAY"]);
    has(
        "frames",
        &[
            "PING",
            "ACK",
            "RESET",
            "STOP",
            "OPEN",
            "STREAM",
            "MAX_DATA",
            "MAX_STREAM_DATA",
            "MAX_STREAMS",
        ],
    );
    has(
        "frames",
        &[
            "DATA_BLOCKED",
            "STREAM_DATA_BLOCKED",
            "STREAMS_BLOCKED",
            "NEW_CID",
            "RETIRE_CID",
        ],
    );
    has(
        "frames",
        &[
            "PATH_CHALLENGE",
            "PATH_RESPONSE",
            "OBSERVED_ADDRESS",
            "CANDIDATES",
            "DATAGRAM",
            "CLOSE",
        ],
    );
}
