//! Where a node's key comes from.

use std::io;
use std::path::{Path, PathBuf};

use keyway_identity::{NodeId, SecretKey, key_file};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::error::BindError;

/// What the application said about the key.
#[derive(Debug)]
pub(crate) enum Key {
    Ephemeral,
    File(PathBuf),
    Secret(SecretKey),
}

impl Key {
    pub(crate) fn obtain(self) -> Result<SecretKey, BindError> {
        match self {
            Self::Ephemeral => Ok(SecretKey::generate(&mut generator()?)),
            Self::Secret(key) => Ok(key),
            Self::File(path) => load_or_create(&path),
        }
    }
}

/// The id that a node has with the key in the file at `path`. If there is no such file, it is made with a fresh key, as
/// [`NodeBuilder::key_file`](crate::NodeBuilder::key_file) does.
///
/// # Errors
/// [`BindError::KeyFile`] or [`BindError::Randomness`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("agent.key");
/// let id = keyway::key_file_id(&path)?; // makes the file
/// assert_eq!(keyway::key_file_id(&path)?, id);
/// # Ok(())
/// # }
/// ```
pub fn key_file_id(path: impl AsRef<Path>) -> Result<NodeId, BindError> {
    Ok(load_or_create(path.as_ref())?.node_id())
}

fn load_or_create(path: &Path) -> Result<SecretKey, BindError> {
    let (key, _) = key_file::load_or_create(path, &mut generator()?)?;
    Ok(key)
}

fn generator() -> Result<ChaCha20Rng, BindError> {
    Ok(ChaCha20Rng::from_seed(random()?))
}

/// 32 octets from the system's generator.
pub(crate) fn random() -> Result<[u8; 32], BindError> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets)
        .map_err(|error| BindError::Randomness(io::Error::other(error.to_string())))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_is_made_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        let id = key_file_id(&path).unwrap();
        assert_eq!(key_file_id(&path).unwrap(), id);
        assert_eq!(Key::File(path).obtain().unwrap().node_id(), id);
    }

    #[test]
    fn a_file_that_is_no_key_file_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.key");
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(key_file_id(&path), Err(BindError::KeyFile(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
    }

    #[test]
    fn two_ephemeral_nodes_have_two_identities() {
        let ids = [Key::Ephemeral, Key::Ephemeral].map(|key| key.obtain().unwrap().node_id());
        assert_ne!(ids[0], ids[1]);
    }
}
