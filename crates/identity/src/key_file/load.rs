//! Reading a key file, after a hard look at it.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::{KeyFileCause, KeyFileError};
use crate::{PemError, SecretKey};

/// The most octets that are read. A document of ours has about 170; this leaves room for explanatory text before it.
pub(super) const LEN_MAX: usize = 16 * 1024;

/// Loads the key from `path`.
///
/// # Errors
///
/// When there is no file, when it is not a regular file that only its owner may read, when it belongs to neither the
/// user of this process nor root, or when its content is not a sound key. The message says what to do.
pub fn load(path: &Path) -> Result<SecretKey, KeyFileError> {
    read(path)
        .and_then(|content| {
            let text = std::str::from_utf8(&content).map_err(|_| PemError::NotPem);
            text.and_then(SecretKey::from_pem)
                .map_err(KeyFileCause::Key)
        })
        .map_err(|cause| KeyFileError::new(path, cause))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileCause> {
    // Looked at by name first, because opening a pipe or a device may have effects.
    check_type(fs::symlink_metadata(path).map_err(not_read)?.file_type())?;
    let file = open(path).map_err(not_read)?;
    // And by handle, because the name may have been given to something else in between.
    let metadata = file.metadata().map_err(not_read)?;
    check_type(metadata.file_type())?;
    check_access(&metadata)?;
    // With all the room at once, so that the content does not move and leave copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LEN_MAX + 1));
    file.take(LEN_MAX as u64 + 1)
        .read_to_end(&mut content)
        .map_err(not_read)?;
    if content.len() > LEN_MAX {
        return Err(KeyFileCause::TooLarge);
    }
    Ok(content)
}

fn not_read(error: io::Error) -> KeyFileCause {
    if error.kind() == io::ErrorKind::NotFound {
        KeyFileCause::Missing
    } else {
        KeyFileCause::io("read it")(error)
    }
}

fn check_type(kind: FileType) -> Result<(), KeyFileCause> {
    if kind.is_symlink() {
        Err(KeyFileCause::Symlink)
    } else if kind.is_file() {
        Ok(())
    } else {
        Err(KeyFileCause::NotAFile)
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    // Neither flag matters unless the file was exchanged after its type was checked.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn check_access(metadata: &Metadata) -> Result<(), KeyFileCause> {
    use std::os::unix::fs::MetadataExt;

    check_owner(metadata.uid(), rustix::process::geteuid().as_raw())?;
    check_mode(metadata.mode() & 0o7777)
}

#[cfg(not(unix))]
fn check_access(_: &Metadata) -> Result<(), KeyFileCause> {
    Ok(())
}

/// Root may own the file, since it could read and exchange it in any case.
#[cfg(unix)]
fn check_owner(owner: u32, user: u32) -> Result<(), KeyFileCause> {
    const ROOT: u32 = 0;
    if owner == user || owner == ROOT {
        Ok(())
    } else {
        Err(KeyFileCause::Owner { owner, user })
    }
}

#[cfg(unix)]
fn check_mode(mode: u32) -> Result<(), KeyFileCause> {
    const GROUP_AND_OTHERS: u32 = 0o077;
    if mode & GROUP_AND_OTHERS == 0 {
        Ok(())
    } else {
        Err(KeyFileCause::Mode { mode })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    // K1
    #[test]
    fn a_file_of_another_user_is_refused_even_to_root() {
        assert!(check_owner(1000, 1000).is_ok());
        assert!(check_owner(0, 1000).is_ok());
        assert!(check_owner(0, 0).is_ok());
        for (owner, user) in [(1001, 1000), (1000, 0)] {
            let refused = check_owner(owner, user);
            assert!(
                matches!(refused, Err(KeyFileCause::Owner { owner: o, user: u }) if (o, u) == (owner, user))
            );
        }
    }

    #[test]
    fn the_owner_of_the_real_file_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        super::super::create(&path, &SecretKey::from_bytes([7; 32])).unwrap();
        const NOBODY: u32 = 65534;
        // Only root may give files away; everybody else sees that their own file is accepted.
        match std::os::unix::fs::chown(&path, Some(NOBODY), None) {
            Ok(()) => {
                let error = load(&path).unwrap_err();
                assert!(
                    matches!(error.cause(), KeyFileCause::Owner { owner: NOBODY, .. }),
                    "{error}"
                );
                assert!(error.to_string().contains("chown"), "{error}");
            }
            Err(_) => assert!(load(&path).is_ok()),
        }
    }
}
