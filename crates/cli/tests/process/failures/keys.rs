//! Key files that cannot be used, and places where none can be made.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::ids::ID;
use super::privileges::without_privileges;
use super::table::{documented, fails};
use crate::command::{Ended, keyway, run};
use crate::world::World;

/// From `openssl genpkey -algorithm x25519`.
const X25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIBA9GZuRWpiQDu0ypE3x3lnkxS2UihbEsJcWLH6dnWJH
-----END PRIVATE KEY-----
";

/// A folder with a sound key in it.
struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    fn new() -> Self {
        let keys = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let made = run(&mut keyway(["id", "--key", &keys.text("sound.key")]));
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn sound(&self) -> String {
        fs::read_to_string(self.path("sound.key")).unwrap()
    }

    fn place(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Every command refuses the file, names it, and leaves it as it is.
    fn refused(&self, row: &str, name: &str) {
        let path = self.text(name);
        let before = fs::read(&path).ok();
        let commands: [&[&str]; 4] = [
            &["id"],
            &["server", "--listen", "127.0.0.1:0"],
            &["expose", "a=tcp:127.0.0.1:1", "--allow", "any"],
            &["ping", ID],
        ];
        for words in commands {
            let ended = run(keyway(words).args(["--key", &path]));
            documented(row, &ended);
            assert!(ended.stderr.contains(&path), "{}", ended.stderr);
        }
        assert_eq!(fs::read(&path).ok(), before, "{name} was changed");
    }
}

// K1
#[test]
fn a_key_file_that_others_may_read_is_refused_with_the_command_that_ends_it() {
    let keys = Keys::new();
    let path = keys.place("open.key", keys.sound());
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    keys.refused("key-mode", "open.key");
}

// K1
#[test]
fn links_and_folders_are_no_key_files() {
    let keys = Keys::new();
    symlink(keys.path("sound.key"), keys.path("link.key")).unwrap();
    keys.refused("key-symlink", "link.key");
    fs::create_dir(keys.path("folder.key")).unwrap();
    keys.refused("key-not-a-file", "folder.key");
}

// K1
#[test]
fn a_key_file_of_another_user_is_refused() {
    let keys = Keys::new();
    let path = keys.place("foreign.key", keys.sound());
    // Only root may give files away; to everybody else this cannot happen by accident either.
    if chown(&path, Some(1234), None).is_ok() {
        keys.refused("key-owner", "foreign.key");
    }
}

// K1
#[test]
fn what_is_in_the_file_instead_of_a_key_is_told() {
    let keys = Keys::new();
    let sound = keys.sound();
    keys.place("empty.key", "");
    keys.refused("key-empty", "empty.key");
    keys.place("cut.key", &sound[..60]);
    keys.refused("key-not-pem", "cut.key");
    keys.place("junk.key", [0xff; 300]);
    keys.refused("key-not-pem", "junk.key");
    keys.place("base64.key", sound.replacen('M', "*", 1));
    keys.refused("key-base64", "base64.key");
    keys.place("huge.key", "x".repeat(20_000));
    keys.refused("key-too-large", "huge.key");
    keys.place("several.key", sound.repeat(2));
    keys.refused("key-several", "several.key");
    keys.place("ssh.key", sound.replace("PRIVATE", "OPENSSH PRIVATE"));
    keys.refused("key-other-kind", "ssh.key");
    keys.place("tls.key", X25519);
    keys.refused("key-other-algorithm", "tls.key");
    keys.place("structure.key", sound.replacen('M', "N", 1));
    keys.refused("key-structure", "structure.key");
    keys.place("mismatch.key", with_another_seed(&sound));
    keys.refused("key-mismatch", "mismatch.key");
}

/// The document with one character of its private half changed: the 30th of the base64 text, which is the 21st octet of 81.
fn with_another_seed(document: &str) -> String {
    let place = document.find('\n').unwrap() + 1 + 29;
    let other = if &document[place..=place] == "A" {
        "B"
    } else {
        "A"
    };
    let mut changed = document.to_owned();
    changed.replace_range(place..=place, other);
    changed
}

// K1: the library refuses every truncation and every bit; here the process does, for one of each octet.
#[test]
fn no_damage_of_a_key_file_makes_a_panic_or_another_node() {
    let keys = Keys::new();
    let sound = keys.sound().into_bytes();
    let id = run(&mut keyway(["id", "--key", &keys.text("sound.key")])).stdout;
    let whole = sound.trim_ascii_end().len();
    for place in 0..whole {
        let mut flipped = sound.clone();
        flipped[place] ^= 1 << (place % 8);
        for damaged in [&sound[..place], &flipped] {
            let path = keys.place("damaged.key", damaged);
            let ended = run(&mut keyway(["id", "--key", path.to_str().unwrap()]));
            if ended.code == Some(0) {
                assert_eq!(ended.stdout, id, "octet {place} made another node");
                continue;
            }
            assert_eq!(ended.code, Some(1), "octet {place}: {}", ended.stderr);
            assert_eq!(ended.stdout, "");
            assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
            let named = format!("error: key file {}: ", path.display());
            assert!(ended.stderr.starts_with(&named), "{}", ended.stderr);
            assert_eq!(fs::read(&path).unwrap(), *damaged);
        }
    }
}

#[test]
fn a_secret_in_the_environment_is_refused_for_the_same_reasons_and_never_shown() {
    let keys = Keys::new();
    let sound = keys.sound();
    for wrong in ["hunter2", &sound[..60], &X25519.replace('\n', " ")] {
        let ended = run(keyway(["id"]).env("KEYWAY_SECRET_KEY", wrong));
        documented("secret-variable", &ended);
        for word in wrong.split_whitespace().filter(|word| word.len() > 6) {
            let is_label = word.starts_with('-') || word.ends_with('-') || word == "PRIVATE";
            assert!(is_label || !ended.stderr.contains(word), "{}", ended.stderr);
        }
    }
    let binary = std::os::unix::ffi::OsStrExt::from_bytes(&[0xff, 0xfe]);
    let binary: &std::ffi::OsStr = binary;
    documented(
        "secret-variable",
        &run(keyway(["id"]).env("KEYWAY_SECRET_KEY", binary)),
    );
    fails("whose-id", &["id"]);
    documented(
        "whose-id",
        &run(keyway(["id"]).env("KEYWAY_SECRET_KEY", "")),
    );
}

#[test]
fn a_key_file_serves_one_command_at_a_time() {
    let world = World::new();
    let mut expose = world.node(
        "expose",
        "same.key",
        &["a=tcp:127.0.0.1:9", "--allow", "any"],
    );
    expose.ready();
    let lookup = run(&mut world.command("lookup", "same.key", &[ID]));
    documented("key-in-use", &lookup);
    // Its id may be asked for at any time, and one that ends is waited for.
    world.id("same.key");
    expose.signal(Signal::TERM);
    let lookup = run(&mut world.command("lookup", "same.key", &[ID]));
    documented("lookup-not-found", &lookup);
}

#[test]
fn a_folder_that_is_not_there_is_named_with_the_file() {
    let keys = Keys::new();
    fails(
        "key-no-folder",
        &["id", "--key", &keys.text("gone/agent.key")],
    );
}

#[test]
fn a_folder_or_a_file_that_is_closed_to_this_user_is_told() {
    let keys = Keys::new();
    let path = keys.text("sound.key");
    fs::set_permissions(keys.folder.path(), Permissions::from_mode(0o555)).unwrap();
    let new = keys.text("new.key");
    if let Some(mut command) = without_privileges(&["id", "--key", &new]) {
        documented("key-folder-closed", &run(&mut command));
    }
    fs::set_permissions(keys.folder.path(), Permissions::from_mode(0o755)).unwrap();
    // Not even its owner may read it; root, who may, is somebody else here.
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    if let Some(mut command) = without_privileges(&["id", "--key", &path]) {
        documented("key-unreadable", &run(&mut command));
    }
}

/// A shell that runs the command once its own words have prepared the place.
fn shell(prepare: &str, place: &Path) -> Command {
    let mut command = keyway::<&str>([]);
    let program = command.get_program().to_owned();
    let mut shell = Command::new("sh");
    let script = format!("{prepare} && exec \"$0\" id --key \"$1/agent.key\"");
    shell.args(["-c", &script]).arg(program).arg(place);
    for (name, value) in command.env("KEYWAY_KEY", "").get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

// K4: a limit of the size of files stands for a disk without room. Ignoring the signal makes it an error, as a full disk is.
#[test]
fn no_room_for_a_key_is_told_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&mut shell("trap '' XFSZ && ulimit -f 0", folder.path()));
    documented("key-disk-full", &ended);
    assert_eq!(names(folder.path()), 0, "something is left");
    let again = run(&mut shell("true", folder.path()));
    assert_eq!(again.code, Some(0), "{}", again.stderr);
}

/// Runs the command where a small file system is mounted at the folder, if this user may do that; tells aloud if not.
fn on_a_small_disk(prepare: &str) -> Option<Ended> {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let mount = |then: &str| format!("mount -t tmpfs -o size=64k tmpfs \"$1\" && {then}");
    let possible = in_own_namespace(&mut shell(&mount("true"), place));
    if run(&mut { possible }).code != Some(0) {
        eprintln!("skipped: this user may not mount a file system in a namespace of its own");
        return None;
    }
    Some(run(&mut in_own_namespace(&mut shell(
        &mount(prepare),
        place,
    ))))
}

fn in_own_namespace(shell: &mut Command) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount"]);
    unshare.arg(shell.get_program()).args(shell.get_args());
    for (name, value) in shell.get_envs() {
        match value {
            Some(value) => unshare.env(name, value),
            None => unshare.env_remove(name),
        };
    }
    unshare
}

// K4
#[test]
fn a_disk_that_is_really_full_is_told_and_so_is_one_that_is_read_only() {
    // Whatever size it has, this fills it.
    let fill = "{ cat /dev/zero > \"$1/filling\" 2>/dev/null || true; }";
    if let Some(full) = on_a_small_disk(fill) {
        documented("key-disk-full", &full);
        assert!(full.stderr.contains("No space left"), "{}", full.stderr);
    }
    if let Some(read_only) = on_a_small_disk("mount -o remount,ro \"$1\"") {
        documented("key-read-only", &read_only);
    }
}
