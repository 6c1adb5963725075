//! Key files on a real file system: what is refused, what is created, and who wins a race.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Barrier;

use keyway_identity::key_file::{
    Created, KeyFileCause, KeyFileError, create, load, load_or_create,
};
use keyway_identity::{NodeId, PemError, SecretKey};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32])
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A key file that was put there by other means.
fn place(path: &Path, content: impl AsRef<[u8]>, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn names(folder: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into())
        .collect();
    names.sort();
    names
}

/// Both ways to load must refuse, and must leave the file as it is.
fn refused(path: &Path) -> KeyFileError {
    let before = fs::symlink_metadata(path).map(|metadata| (metadata.ino(), metadata.mtime_nsec()));
    load_or_create(path, &mut rng(1)).expect_err("a new identity in place of a broken one");
    let after = fs::symlink_metadata(path).map(|metadata| (metadata.ino(), metadata.mtime_nsec()));
    assert_eq!(before.unwrap(), after.unwrap());
    load(path).unwrap_err()
}

#[test]
fn a_created_key_is_loaded_again_and_only_its_owner_has_access() {
    let folder = folder();
    let path = folder.path().join("node.key");
    create(&path, &key()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(load(&path).unwrap(), key());
    assert_eq!(names(&folder), [Path::new("node.key")]);
}

#[test]
fn creation_never_overwrites_anything() {
    let folder = folder();
    for (name, prepare) in [
        (
            "file",
            (|path| fs::write(path, "precious").unwrap()) as fn(&Path),
        ),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("dangling", |path| symlink("nowhere", path).unwrap()),
    ] {
        let path = folder.path().join(name);
        prepare(&path);
        let before = names(&folder);
        let error = create(&path, &key()).unwrap_err();
        assert!(
            matches!(error.cause(), KeyFileCause::Exists),
            "{name}: {error}"
        );
        assert_eq!(names(&folder), before);
    }
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"precious");
}

#[test]
fn a_missing_file_is_missing_to_load_and_created_by_load_or_create() {
    let folder = folder();
    let path = folder.path().join("node.key");
    assert!(matches!(
        load(&path).unwrap_err().cause(),
        KeyFileCause::Missing
    ));
    let (made, created) = load_or_create(&path, &mut rng(1)).unwrap();
    assert_eq!(created, Created::Yes);
    let (loaded, created) = load_or_create(&path, &mut rng(2)).unwrap();
    assert_eq!(created, Created::No);
    assert_eq!(loaded, made);
}

#[test]
fn a_missing_folder_is_an_error_that_names_the_file() {
    let path = folder().path().join("gone/node.key");
    let error = load_or_create(&path, &mut rng(1)).unwrap_err();
    assert!(matches!(error.cause(), KeyFileCause::Io { .. }));
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
}

// K1
#[test]
fn any_access_for_others_is_refused_with_the_command_that_ends_it() {
    let folder = folder();
    let path = folder.path().join("node.key");
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        place(&path, key().to_pem().as_bytes(), mode);
        let error = refused(&path);
        assert!(matches!(error.cause(), KeyFileCause::Mode { mode: found } if *found == mode));
        let command = format!("chmod 600 {}", path.display());
        assert!(error.to_string().contains(&command), "{error}");
    }
    for mode in [0o600, 0o400, 0o700] {
        place(&path, key().to_pem().as_bytes(), mode);
        assert_eq!(load(&path).unwrap(), key(), "mode {mode:o}");
        fs::remove_file(&path).unwrap();
    }
}

// K1
#[test]
fn links_folders_pipes_and_sockets_are_refused() {
    let folder = folder();
    let target = folder.path().join("target");
    create(&target, &key()).unwrap();
    let link = folder.path().join("link");
    symlink(&target, &link).unwrap();
    assert!(matches!(refused(&link).cause(), KeyFileCause::Symlink));
    let dangling = folder.path().join("dangling");
    symlink("nowhere", &dangling).unwrap();
    assert!(matches!(refused(&dangling).cause(), KeyFileCause::Symlink));

    assert!(matches!(
        refused(folder.path()).cause(),
        KeyFileCause::NotAFile
    ));
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert!(matches!(refused(&pipe).cause(), KeyFileCause::NotAFile));
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(refused(&socket).cause(), KeyFileCause::NotAFile));
}

#[test]
fn folders_above_the_file_may_be_links() {
    let folder = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let path = folder.path().join("link/node.key");
    create(&path, &key()).unwrap();
    assert_eq!(load(&path).unwrap(), key());
}

// K1: every truncation and every flipped bit, through the file.
#[test]
fn a_damaged_file_is_refused_and_never_replaced() {
    let folder = folder();
    let path = folder.path().join("node.key");
    let document = key().to_pem();
    for length in 0..document.trim_end().len() {
        place(&path, &document[..length], 0o600);
        let error = refused(&path);
        assert!(
            matches!(error.cause(), KeyFileCause::Key(_)),
            "{length} octets: {error}"
        );
    }
    for bit in 0..document.len() * 8 {
        let mut octets = document.as_bytes().to_vec();
        octets[bit / 8] ^= 1 << (bit % 8);
        place(&path, octets, 0o600);
        match load(&path) {
            Ok(read) => assert_eq!(read, key(), "bit {bit} made another identity"),
            Err(error) => assert!(
                matches!(error.cause(), KeyFileCause::Key(_)),
                "bit {bit}: {error}"
            ),
        }
    }
}

#[test]
fn octets_that_are_no_text_are_no_key() {
    let folder = folder();
    let path = folder.path().join("node.key");
    place(&path, [0xff; 100], 0o600);
    assert!(matches!(
        refused(&path).cause(),
        KeyFileCause::Key(PemError::NotPem)
    ));
}

#[test]
fn a_file_larger_than_any_key_is_refused_without_reading_it_all() {
    let folder = folder();
    let path = folder.path().join("node.key");
    let padded = |length: usize| {
        let document = key().to_pem();
        format!("{}\n{}", "x".repeat(length - document.len() - 1), *document)
    };
    place(&path, padded(16 * 1024), 0o600);
    assert_eq!(load(&path).unwrap(), key());
    place(&path, padded(16 * 1024 + 1), 0o600);
    assert!(matches!(refused(&path).cause(), KeyFileCause::TooLarge));
    // Sparse: reading all of it would take more memory than there is.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 42).unwrap();
    assert!(matches!(refused(&path).cause(), KeyFileCause::TooLarge));
}

#[test]
fn what_a_dead_process_left_behind_is_stepped_over() {
    let folder = folder();
    for number in 0..100 {
        let name = format!(".keyway-{}-{number}.new", std::process::id());
        fs::write(folder.path().join(name), "left behind").unwrap();
    }
    let path = folder.path().join("node.key");
    create(&path, &key()).unwrap();
    assert_eq!(load(&path).unwrap(), key());
    assert_eq!(
        names(&folder).len(),
        101,
        "neither more nor less than before, and the key"
    );
}

#[test]
fn threads_that_create_at_once_end_with_one_key() {
    for round in 0..20 {
        let folder = folder();
        let path = folder.path().join("node.key");
        let barrier = Barrier::new(8);
        let outcomes: Vec<(NodeId, Created)> = std::thread::scope(|scope| {
            let contender = |number| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let (key, created) = load_or_create(path, &mut rng(number)).unwrap();
                    (key.node_id(), created)
                })
            };
            let threads: Vec<_> = (0..8).map(|number| contender(round * 8 + number)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_one_winner(&outcomes, &path);
        assert_eq!(names(&folder).len(), 1, "nothing is left behind");
    }
}

/// The test starts itself several times; a child finds the folder in its environment.
#[test]
fn processes_that_create_at_once_end_with_one_key() {
    const FOLDER: &str = "KEYWAY_TEST_KEY_FOLDER";
    const NUMBER: &str = "KEYWAY_TEST_KEY_NUMBER";
    if let (Ok(folder), Ok(number)) = (std::env::var(FOLDER), std::env::var(NUMBER)) {
        return contend(Path::new(&folder), number.parse().unwrap());
    }
    let folder = folder();
    let children: Vec<_> = (0..6)
        .map(|number| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes_that_create_at_once_end_with_one_key"])
                .env(FOLDER, folder.path())
                .env(NUMBER, number.to_string())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    fs::write(folder.path().join("go"), "").unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let outcome = |number: u64| {
        let text = fs::read_to_string(folder.path().join(format!("outcome-{number}"))).unwrap();
        let (id, created) = text.split_once(' ').unwrap();
        (
            id.parse().unwrap(),
            if created == "Yes" {
                Created::Yes
            } else {
                Created::No
            },
        )
    };
    let outcomes: Vec<_> = (0..6).map(outcome).collect();
    assert_one_winner(&outcomes, &folder.path().join("node.key"));
}

fn contend(folder: &Path, number: u64) {
    while !folder.join("go").exists() {
        std::thread::yield_now();
    }
    let (key, created) = load_or_create(&folder.join("node.key"), &mut rng(number)).unwrap();
    let outcome = format!("{} {created:?}", key.node_id());
    fs::write(folder.join(format!("outcome-{number}")), outcome).unwrap();
}

fn assert_one_winner(outcomes: &[(NodeId, Created)], path: &Path) {
    let winners = outcomes
        .iter()
        .filter(|(_, created)| *created == Created::Yes);
    assert_eq!(winners.count(), 1, "{outcomes:?}");
    let kept = load(path).unwrap().node_id();
    assert!(outcomes.iter().all(|(id, _)| *id == kept), "{outcomes:?}");
}
