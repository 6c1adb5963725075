//! Secret keys in files, where nobody else can read them and nothing overwrites them.
//!
//! A key file is a PKCS#8 PEM document (see [`SecretKey::to_pem`]) in a regular file that belongs to the user who runs
//! the process (or to root) and that nobody else has any access to. Whatever is not exactly that is refused and left
//! alone: a node that cannot read its key must stop, because a new key would be another node.
//!
//! These rules hold for root as well: whoever owns a file can exchange its content, so that a file of another user
//! is not a place for a key of root's. Symbolic links are refused at the last component of the path only; the folders
//! above are trusted to belong to whom they should.
//!
//! On systems without Unix modes, access is left to what the folder passes on.

mod create;
mod error;
mod load;

use std::path::Path;

use rand_core::CryptoRng;

use crate::SecretKey;

pub use create::create;
pub use error::{KeyFileCause, KeyFileError};
pub use load::load;

/// Whether [`load_or_create`] made a new identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// There was no file: this is a node that nobody knows yet.
    Yes,
    /// The file was there, or another process made it first.
    No,
}

/// Loads the key from `path`, or makes one there from `rng` if there is nothing of that name.
///
/// Processes that do this at the same time end with the same key: one creates it, the others load that one.
///
/// # Errors
///
/// As [`load`] and [`create`]. What exists is never replaced, however broken it is.
pub fn load_or_create(
    path: &Path,
    rng: &mut dyn CryptoRng,
) -> Result<(SecretKey, Created), KeyFileError> {
    match load(path) {
        Ok(key) => return Ok((key, Created::No)),
        Err(error) if matches!(error.cause(), KeyFileCause::Missing) => {}
        Err(error) => return Err(error),
    }
    let key = SecretKey::generate(rng);
    match create(path, &key) {
        Ok(()) => Ok((key, Created::Yes)),
        Err(error) if matches!(error.cause(), KeyFileCause::Exists) => {
            load(path).map(|key| (key, Created::No))
        }
        Err(error) => Err(error),
    }
}
