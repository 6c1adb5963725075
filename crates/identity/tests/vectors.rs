//! Published vectors (`proto/vectors/identity.json`), made by other implementations. // Q12
#![expect(
    clippy::unwrap_used,
    reason = "a vector that is not as described fails the test"
)]

use keyway_identity::{NodeId, SecretKey, Signature};
use serde_json::Value;

fn section(name: &str) -> Vec<Value> {
    let file: Value =
        serde_json::from_str(include_str!("../../../proto/vectors/identity.json")).unwrap();
    let vectors = file[name].as_array().unwrap().clone();
    assert!(!vectors.is_empty());
    vectors
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn octets(vector: &Value, field: &str) -> Vec<u8> {
    let digits = text(vector, field);
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(vector: &Value, field: &str) -> [u8; N] {
    octets(vector, field).try_into().unwrap()
}

#[test]
fn keys_give_the_published_ids_texts_documents_and_x25519_forms() {
    for vector in section("keys") {
        let key = SecretKey::from_bytes(array(&vector, "seed"));
        let id = key.node_id();
        assert_eq!(*id.as_bytes(), array(&vector, "node_id"));
        assert_eq!(id.to_string(), text(&vector, "text"));
        assert_eq!(text(&vector, "text").parse(), Ok(id));
        assert_eq!(*key.to_pem(), text(&vector, "pem"));
        assert_eq!(*key.to_x25519(), array(&vector, "x25519_private"));
        assert_eq!(id.to_x25519(), array(&vector, "x25519_public"));
        for document in ["pem", "pem_version_1"] {
            let read = SecretKey::from_pem(text(&vector, document)).unwrap();
            assert_eq!(read.node_id(), id, "{document}");
        }
    }
}

#[test]
fn signatures_are_the_published_ones() {
    for vector in section("signatures") {
        let key = SecretKey::from_bytes(array(&vector, "seed"));
        // Labels are names in the program, never input.
        let label: &'static str = String::leak(text(&vector, "label").to_owned());
        let message = octets(&vector, "message");
        let signature = Signature::from_bytes(array(&vector, "signature"));
        assert_eq!(key.sign(label, &message), signature);
        assert_eq!(key.node_id().verify(label, &message, &signature), Ok(()));
        assert!(octets(&vector, "signed").ends_with(&message));
    }
}

// A2, R3.1
#[test]
fn refused_ids_are_refused() {
    for vector in section("refused_node_ids") {
        assert!(
            NodeId::from_bytes(array(&vector, "hex")).is_err(),
            "{}",
            text(&vector, "why")
        );
    }
}

// R3.4
#[test]
fn refused_texts_are_refused() {
    for vector in section("refused_texts") {
        assert!(
            text(&vector, "text").parse::<NodeId>().is_err(),
            "{}",
            text(&vector, "why")
        );
    }
}
