//! Memory of large pieces, kept for the next ones.
//!
//! A bulk transfer fills and empties pieces tens of thousands of times a second. Allocators give memory of this size back to
//! the system and fault it in again, page by page, which costs more than all that is done with it. So a few pieces are kept,
//! for all threads of the process: whoever reads gives back what somebody else will write to.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::CHUNK_MAX;

/// Pieces that are kept for later: 2 MiB. Acknowledgements and readers free some eight of them at a time, of several streams
/// at once.
const KEPT_MAX: usize = 32;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Room for a whole piece, empty.
pub(super) fn take() -> Vec<u8> {
    let kept = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    kept.unwrap_or_else(|| Vec::with_capacity(CHUNK_MAX))
}

/// What was written, to be shared. Memory of a whole piece comes back here with its last user.
pub(super) fn share(octets: Vec<u8>) -> Bytes {
    if octets.capacity() == CHUNK_MAX {
        Bytes::from_owner(Piece(octets))
    } else {
        Bytes::from(octets)
    }
}

/// Takes memory back.
pub(super) fn give_back(mut octets: Vec<u8>) {
    if octets.capacity() != CHUNK_MAX {
        return;
    }
    octets.clear();
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    if free.len() < KEPT_MAX {
        free.push(octets);
    }
}

struct Piece(Vec<u8>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.0));
    }
}
