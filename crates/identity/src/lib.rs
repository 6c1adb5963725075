//! Who a Keyway node is: keys, node ids, their text form, key files, and signed data.
//!
//! A node makes one Ed25519 keypair ([`SecretKey`]) and keeps it for life. The public key ([`NodeId`]) is its address:
//! whoever has it can reach the node and needs nothing else, because the key that Noise authenticates is the X25519
//! form of the same key. What a node says in public (records, memberships) is [`Signed`].
//!
//! # Invariants
//!
//! - A [`NodeId`] is always a canonical encoding of a point of prime order. Every way in, from bytes, text or a
//!   signature, goes through [`NodeId::from_bytes`].
//! - A secret has no `Display`, a redacted `Debug`, equality in constant time, and is wiped when dropped.
//! - No signature without a context label, no verification except the strict one.
//! - A key file is never overwritten, and never replaced because it could not be read.
//!
//! # What is left to others
//!
//! Drawing randomness (generators are arguments), deciding where the key file is, asking the environment for a key,
//! and resolving names to addresses. The files of [`key_file`] are the only I/O in this crate.

mod crc;
pub mod key_file;
mod node_id;
mod pem;
mod secret_key;
mod signature;
mod signed;
mod text;

pub use node_id::{NodeId, NodeIdError};
pub use pem::PemError;
pub use secret_key::SecretKey;
pub use signature::{Signature, SignatureError};
pub use signed::{SignError, Signable, Signed, VerifyError};
pub use text::ParseNodeIdError;
