//! `keyway id` and where keys come from.

use std::os::unix::fs::PermissionsExt;

use crate::command::{keyway, run};

#[test]
fn a_key_file_is_made_for_its_owner_alone_and_keeps_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    let words = ["id", "--key", path.to_str().unwrap()];
    let first = run(&mut keyway(words));
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = run(&mut keyway(words));
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(first.stdout.lines().count(), 1);
    assert_eq!(first.stdout.trim_end().len(), 56);
}

#[test]
fn a_file_that_is_no_key_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.key");
    std::fs::write(&path, "not a key\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ended = run(&mut keyway(["id", "--key", path.to_str().unwrap()]));
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.starts_with("error: ") && ended.stderr.contains("agent.key"),
        "{}",
        ended.stderr
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"not a key\n");
}

#[test]
fn the_content_of_a_key_file_may_come_in_the_environment_and_a_flag_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let one = run(&mut keyway(["id", "--key", &path("one")])).stdout;
    let two = run(&mut keyway(["id", "--key", &path("two")])).stdout;
    assert_ne!(one, two);
    let secret = std::fs::read_to_string(path("one")).unwrap();
    let from_secret = run(keyway(["id"]).env("KEYWAY_SECRET_KEY", &secret));
    assert_eq!(from_secret.stdout, one);
    let with_flag = run(keyway(["id", "--key", &path("two")]).env("KEYWAY_SECRET_KEY", &secret));
    assert_eq!(with_flag.stdout, two);
    let from_variable = run(keyway(["id"]).env("KEYWAY_KEY", path("two")));
    assert_eq!(from_variable.stdout, two);
}

#[test]
fn a_broken_secret_is_not_printed() {
    let ended = run(keyway(["id"]).env("KEYWAY_SECRET_KEY", "hunter2"));
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("KEYWAY_SECRET_KEY") && !ended.stderr.contains("hunter2"),
        "{}",
        ended.stderr
    );
}
