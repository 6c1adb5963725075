//! Writing a key file: all of it or nothing, and never over anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{KeyFileCause, KeyFileError};
use crate::SecretKey;

/// Writes `key` to `path`, with access for the owner only.
///
/// The document is written to a file beside it, brought to the disk, and then given its name in one step that fails if
/// the name is taken. So a reader, or a machine that lost power, sees the whole key or none. A process that dies in
/// between leaves a file `.keyway-….new` behind, with a key that was never used.
///
/// # Errors
///
/// When `path` exists in any form (a dangling link too), when its folder does not, or when the system refuses.
pub fn create(path: &Path, key: &SecretKey) -> Result<(), KeyFileError> {
    write(path, key, &mut |_| Ok(())).map_err(|cause| KeyFileError::new(path, cause))
}

/// One call to the system that may fail, or that a machine may not live to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Write,
    Sync,
    Publish,
    SyncFolder,
}

/// Asks `before` ahead of each step, which is where tests let a step fail or end the process.
fn write(
    path: &Path,
    key: &SecretKey,
    before: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<(), KeyFileCause> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (temporary, mut file) = before(Step::Create)
        .and_then(|()| Temporary::create(folder))
        .map_err(KeyFileCause::io("create a file in its folder"))?;
    before(Step::Write)
        .and_then(|()| file.write_all(key.to_pem().as_bytes()))
        .and_then(|()| before(Step::Sync))
        .and_then(|()| file.sync_all())
        .map_err(KeyFileCause::io("write it"))?;
    drop(file);
    before(Step::Publish)
        .and_then(|()| publish(&temporary.0, path))
        .map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                KeyFileCause::Exists
            } else {
                KeyFileCause::io("give the new file its name")(error)
            }
        })?;
    drop(temporary);
    before(Step::SyncFolder)
        .and_then(|()| sync_folder(folder))
        .map_err(KeyFileCause::io("bring its folder to the disk"))
}

/// A file without its final name; removed when dropped.
struct Temporary(PathBuf);

impl Temporary {
    /// Names that other processes left behind are stepped over; in a container, a process often has the id of the last
    /// one.
    const ATTEMPTS: u32 = 1000;

    fn create(folder: &Path) -> io::Result<(Self, File)> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..Self::ATTEMPTS {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".keyway-{}-{number}.new", std::process::id()));
            match create_exclusively(&path) {
                Ok(file) => return Ok((Self(path), file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Usually gone already, by its new name. Otherwise an error is on its way, which this could only hide.
        let _ = fs::remove_file(&self.0);
    }
}

fn create_exclusively(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives `temporary` the name `path`, in one step, unless that is taken.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match rename_exclusively(temporary, path) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => link(temporary, path),
        result => result,
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusively(temporary: &Path, path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE).map_err(|errno| match errno {
        // Kernels and file systems that do not know the flag.
        Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::ErrorKind::Unsupported.into(),
        other => other.into(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusively(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The older way: a second name, which fails if it is taken. The first one goes with [`Temporary`].
fn link(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(temporary, path)
}

/// Brings the new name to the disk. Not every file system can; those that cannot say so.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod faults;

#[cfg(test)]
mod tests {
    use super::*;

    type Publish = fn(&Path, &Path) -> io::Result<()>;

    /// Both ways have to do, whichever this file system has; `rename_exclusively` may be unsupported here.
    #[test]
    fn either_way_to_name_the_file_works_once_and_never_replaces() {
        for way in [publish as Publish, link as Publish] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("node.key");
            for (content, outcome) in [("first", true), ("second", false)] {
                let (temporary, mut file) = Temporary::create(folder.path()).unwrap();
                file.write_all(content.as_bytes()).unwrap();
                let result = way(&temporary.0, &path);
                assert_eq!(result.is_ok(), outcome);
                if let Err(error) = result {
                    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                }
            }
            assert_eq!(fs::read(&path).unwrap(), b"first");
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                1,
                "no other name is left"
            );
        }
    }

    #[test]
    fn an_empty_path_is_an_error_and_leaves_nothing_behind() {
        let error = create(Path::new(""), &SecretKey::from_bytes([7; 32])).unwrap_err();
        assert!(matches!(error.cause(), KeyFileCause::Io { .. }));
        let left = fs::read_dir(".").unwrap().filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(".keyway-")
        });
        assert_eq!(left.count(), 0);
    }
}
