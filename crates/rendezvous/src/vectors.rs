//! Published vectors (`proto/vectors/rendezvous.json`), made by other implementations. // Q12

use keyway_identity::{NodeId, Signable, Signature, Signed};
use keyway_wire::Token;
use serde_json::Value;

use crate::framing::{MessageReader, append};
use crate::generated::{self, PublishRefusal, Refusal};
use crate::message::{ProtocolError, RequestId, ToClient, ToServer};
use crate::record::Record;
use crate::wall::Wall;

fn section(name: &str) -> Vec<Value> {
    let file = include_str!("../../../proto/vectors/rendezvous.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let vectors = file[name].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn number(vector: &Value, field: &str) -> u64 {
    text(vector, field).parse().unwrap()
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap())
        .collect()
}

fn octets(vector: &Value, field: &str) -> Vec<u8> {
    unhex(text(vector, field))
}

fn node(digits: &str) -> NodeId {
    NodeId::from_bytes(unhex(digits).try_into().unwrap()).unwrap()
}

fn signature(vector: &Value) -> Signature {
    Signature::try_from(octets(vector, "signature").as_slice()).unwrap()
}

fn token(vector: &Value) -> Token {
    Token::new(octets(vector, "token").try_into().unwrap())
}

fn request(vector: &Value) -> RequestId {
    RequestId(number(vector, "request"))
}

fn record(vector: &Value) -> Record {
    let list = |field: &str| vector[field].as_array().unwrap().clone();
    let version = |version: &Value| u32::try_from(version.as_u64().unwrap()).unwrap();
    Record {
        node: node(text(vector, "node")),
        versions: list("versions").iter().map(version).collect(),
        epoch: number(vector, "epoch"),
        instance: number(vector, "instance"),
        sequence: number(vector, "sequence"),
        servers: list("servers")
            .iter()
            .map(|id| node(id.as_str().unwrap()))
            .collect(),
        issued: Wall(number(vector, "issued")),
        expiry: Wall(number(vector, "expiry")),
    }
}

#[test]
fn records_say_what_is_published_and_verify() {
    for vector in section("records") {
        let bytes = octets(&vector, "hex");
        let signed = Signed::<Record>::verify(&bytes, &signature(&vector)).unwrap();
        assert_eq!(
            *signed.value(),
            record(&vector),
            "{}",
            text(&vector, "name")
        );
        let written = signed.value().to_bytes();
        assert!(
            bytes.starts_with(&written),
            "later fields come last, and all others are here"
        );
    }
}

#[test]
fn refused_records_are_refused() {
    for vector in section("refused_records") {
        let refused = Record::from_bytes(&octets(&vector, "hex"));
        assert!(refused.is_err(), "{}", text(&vector, "why"));
    }
}

fn to_server(vector: &Value) -> ToServer {
    match text(vector, "name") {
        "Publish" => ToServer::Publish {
            record: octets(vector, "record"),
            signature: signature(vector),
        },
        "Lookup" => ToServer::Lookup {
            request: request(vector),
            node: node(text(vector, "node")),
        },
        "Open" => ToServer::Open {
            request: request(vector),
            peer: node(text(vector, "peer")),
            first_packet: octets(vector, "first_packet"),
        },
        "CloseChannel" => ToServer::CloseChannel {
            token: token(vector),
        },
        "Unknown" => ToServer::Unknown,
        other => panic!("{other}"),
    }
}

fn to_client(vector: &Value) -> ToClient {
    let reason = || i32::try_from(vector["reason"].as_i64().unwrap()).unwrap();
    match text(vector, "name") {
        "Published" => ToClient::Published {
            epoch: number(vector, "epoch"),
            sequence: number(vector, "sequence"),
        },
        "Stale" => ToClient::Stale {
            epoch: number(vector, "epoch"),
            sequence: number(vector, "sequence"),
        },
        "NotPublished" => ToClient::NotPublished {
            reason: PublishRefusal::try_from(reason()).unwrap(),
            server_time: Wall(number(vector, "server_time")),
        },
        "Found" => ToClient::Found {
            request: request(vector),
            record: octets(vector, "record"),
            signature: signature(vector),
        },
        "NotFound" => ToClient::NotFound {
            request: request(vector),
        },
        "Opened" => ToClient::Opened {
            request: request(vector),
            token: token(vector),
        },
        "Refused" => ToClient::Refused {
            request: request(vector),
            reason: Refusal::try_from(reason()).unwrap(),
        },
        "Offered" => ToClient::Offered {
            peer: node(text(vector, "peer")),
            token: token(vector),
            first_packet: octets(vector, "first_packet"),
        },
        "ChannelClosed" => ToClient::ChannelClosed {
            token: token(vector),
        },
        "Unknown" => ToClient::Unknown,
        other => panic!("{other}"),
    }
}

fn read_to_server(bytes: &[u8]) -> Result<ToServer, ProtocolError> {
    let mut reader = MessageReader::default();
    reader.push(bytes);
    ToServer::parse(
        reader
            .next::<generated::ToServer>()?
            .expect("a whole message"),
    )
}

fn read_to_client(bytes: &[u8]) -> Result<ToClient, ProtocolError> {
    let mut reader = MessageReader::default();
    reader.push(bytes);
    ToClient::parse(
        reader
            .next::<generated::ToClient>()?
            .expect("a whole message"),
    )
}

/// What a writer makes of the message of a vector.
fn written(vector: &Value) -> Vec<u8> {
    let field = if vector["written"].is_null() {
        "hex"
    } else {
        "written"
    };
    octets(vector, field)
}

#[test]
fn messages_to_the_server_are_read_and_written_as_published() {
    for vector in section("to_server") {
        let message = to_server(&vector);
        assert_eq!(read_to_server(&octets(&vector, "hex")), Ok(message.clone()));
        let mut out = Vec::new();
        append(&message.into_wire(), &mut out);
        assert_eq!(out, written(&vector), "{}", text(&vector, "name"));
    }
}

#[test]
fn messages_to_the_client_are_read_and_written_as_published() {
    for vector in section("to_client") {
        let message = to_client(&vector);
        assert_eq!(read_to_client(&octets(&vector, "hex")), Ok(message.clone()));
        let mut out = Vec::new();
        append(&message.into_wire(), &mut out);
        assert_eq!(out, written(&vector), "{}", text(&vector, "name"));
    }
}

#[test]
fn refused_messages_are_refused() {
    for vector in section("refused_to_server") {
        let refused = read_to_server(&octets(&vector, "hex"));
        assert!(refused.is_err(), "{}", text(&vector, "why"));
    }
    for vector in section("refused_to_client") {
        let refused = read_to_client(&octets(&vector, "hex"));
        assert!(refused.is_err(), "{}", text(&vector, "why"));
    }
}
