//! Disks that fail, and processes that die, at each step of writing a key file.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Resource, Rlimit, Signal};

use super::super::load::load;
use super::super::{KeyFileCause, load_or_create};
use super::{Step, write};
use crate::SecretKey;

const STEPS: [Step; 5] = [
    Step::Create,
    Step::Write,
    Step::Sync,
    Step::Publish,
    Step::SyncFolder,
];

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32])
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Whoever comes after a failure finds the whole key or none, and can go on.
fn assert_whole_or_absent(path: &Path, context: &str) -> bool {
    let found = match load(path) {
        Ok(found) => {
            assert_eq!(found, key(), "{context}: another key");
            true
        }
        Err(error) => {
            assert!(
                matches!(error.cause(), KeyFileCause::Missing),
                "{context}: {error}"
            );
            false
        }
    };
    let mut generator = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(1);
    let (next, _) = load_or_create(path, &mut generator).unwrap();
    assert_eq!(next == key(), found, "{context}");
    found
}

// K3: power may go between any two steps, so their order is what a reader's "whole key or none" rests on.
#[test]
fn the_content_is_on_the_disk_before_it_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let mut before = |step| {
        steps.push(step);
        Ok(())
    };
    write(&folder.path().join("node.key"), &key(), &mut before).unwrap();
    assert_eq!(steps, STEPS);
}

// K3, K4
#[test]
fn a_step_that_fails_is_an_error_and_leaves_nothing_half_done() {
    for failing in STEPS {
        for kind in [
            io::ErrorKind::StorageFull,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::Other,
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("node.key");
            let context = format!("{failing:?}, {kind}");
            let mut before = |step| {
                if step == failing {
                    Err(kind.into())
                } else {
                    Ok(())
                }
            };
            let cause = write(&path, &key(), &mut before).unwrap_err();
            assert!(matches!(cause, KeyFileCause::Io { .. }), "{context}");
            let named = failing == Step::SyncFolder;
            let expected: &[&str] = if named { &["node.key"] } else { &[] };
            assert_eq!(names(folder.path()), expected, "{context}");
            assert_eq!(assert_whole_or_absent(&path, &context), named);
        }
    }
}

const FOLDER: &str = "KEYWAY_TEST_FAULT_FOLDER";
const FAULT: &str = "KEYWAY_TEST_FAULT";

/// Starts the named test again as a process of its own, which finds what to suffer in its environment.
fn suffer(test: &str, folder: &Path, fault: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("key_file::create::faults::{test}")])
        .args(["--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder)
        .env(FAULT, fault)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

fn suffering() -> Option<(std::path::PathBuf, String)> {
    let folder = std::env::var_os(FOLDER)?;
    Some((
        Path::new(&folder).join("node.key"),
        std::env::var(FAULT).unwrap(),
    ))
}

fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

// K3: the test starts itself; the child kills itself before the step that it was told.
#[test]
fn a_process_that_is_killed_at_any_step_leaves_the_whole_key_or_none() {
    if let Some((path, fault)) = suffering() {
        let kill = |step: Step| {
            if format!("{step:?}") == fault {
                let this = rustix::process::getpid();
                rustix::process::kill_process(this, Signal::KILL).unwrap();
            }
            Ok(())
        };
        return write(&path, &key(), &mut { kill }).unwrap();
    }
    for step in STEPS {
        let folder = tempfile::tempdir().unwrap();
        let status = suffer(
            "a_process_that_is_killed_at_any_step_leaves_the_whole_key_or_none",
            folder.path(),
            &format!("{step:?}"),
        );
        assert_eq!(signal_of(status), Some(Signal::KILL.as_raw()), "{step:?}");
        let found = assert_whole_or_absent(&folder.path().join("node.key"), &format!("{step:?}"));
        assert_eq!(found, step == Step::SyncFolder);
    }
}

// K3: at a limit of the size of files, the kernel writes what fits and kills (SIGXFSZ) whoever asks for more: a death in the middle
// of writing, after each octet in turn.
#[test]
fn a_process_that_dies_in_the_middle_of_writing_leaves_no_key() {
    if let Some((path, fault)) = suffering() {
        let limit = Rlimit {
            current: Some(fault.parse().unwrap()),
            maximum: None,
        };
        rustix::process::setrlimit(Resource::Fsize, limit).unwrap();
        // That signal would leave a core file, too.
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        rustix::process::setrlimit(Resource::Core, none).unwrap();
        return write(&path, &key(), &mut |_| Ok(())).unwrap();
    }
    let whole = key().to_pem().len();
    for octets in 0..whole {
        let folder = tempfile::tempdir().unwrap();
        let test = "a_process_that_dies_in_the_middle_of_writing_leaves_no_key";
        let status = suffer(test, folder.path(), &octets.to_string());
        assert_eq!(signal_of(status), Some(Signal::XFSZ.as_raw()), "{octets}");
        let left = names(folder.path());
        assert_eq!(left.len(), 1, "{octets}: {left:?}");
        let length = fs::metadata(folder.path().join(&left[0])).unwrap().len();
        assert_eq!(length, octets as u64, "the file without a name");
        let found = assert_whole_or_absent(&folder.path().join("node.key"), &octets.to_string());
        assert!(!found, "{octets}");
    }
}
