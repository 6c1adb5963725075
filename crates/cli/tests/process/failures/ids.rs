//! Mistyped ids and addresses.

use super::table::fails;
use crate::command::{keyway, run};

pub(super) const ID: &str = "wv7q7qnwdqu7l2ghyatl2wkrwe54ilu66qomrqkqjljtxpgigbfpwjab";

#[test]
fn an_id_of_another_length_is_told_how_many_characters_are_missing_or_too_many() {
    for (id, length) in [(&ID[1..], 55), (&format!("{ID}a"), 57), ("abc", 3)] {
        let ended = fails("id-length", &["ping", id]);
        assert!(
            ended.stderr.contains(&format!("this has {length}:")),
            "{}",
            ended.stderr
        );
    }
    fails("id-length", &["pipe", "/http"]);
    fails("id-length", &["ping", ID, "--server", "example.org:4433"]);
}

#[test]
fn an_illegal_character_is_named_with_its_place() {
    let illegal = |character: &str, expected: &str| {
        let id = format!("{}{character}{}", &ID[..20], &ID[21..]);
        let ended = fails("id-character", &["ping", &id]);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    illegal("1", "'1' at position 21 (the letter 'l' or 'i'?)");
    illegal("0", "'0' at position 21 (the letter 'o'?)");
    illegal("8", "'8' at position 21 (the letter 'b'?)");
    illegal("-", "'-' at position 21");
    illegal("é", "'é' at position 21");
    let broken = format!("{}\n{}", &ID[..28], &ID[28..]);
    let ended = fails_in_one_line(&["ping", &broken]);
    assert!(
        ended.contains("'\\n' at position 29 (white space: remove it)"),
        "{ended}"
    );
    fails("id-character", &["ping", &format!(" {ID}")]);
}

/// What was given is shown, but a line break in it does not break the line.
fn fails_in_one_line(words: &[&str]) -> String {
    let ended = fails("id-character", words);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}

#[test]
fn a_whole_id_with_something_behind_it_is_told_what_to_leave_out() {
    let followed = |words: &[&str], expected: &str| {
        let ended = fails("id-followed", words);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    };
    followed(&["ping", &format!("{ID} ")], "white space: remove it");
    followed(&["ping", &format!("{ID}/http")], "leave the service out");
    followed(&["ping", &format!("{ID}\r\n")], "white space: remove it");
}

#[test]
fn one_wrong_character_is_found_by_the_checksum_and_case_means_nothing() {
    fails("id-checksum", &["ping", &format!("{}c", &ID[..55])]);
    let mut swapped = ID.to_owned();
    swapped.replace_range(0..2, "vw");
    fails("id-checksum", &["lookup", &swapped]);
    // Nothing is wrong with it, so what is missing is a way to the peer.
    fails("no-route", &["ping", &ID.to_uppercase(), "-c", "1"]);
}

#[test]
fn who_is_allowed_is_an_id_alone_or_any() {
    let allow = |word: &str| {
        fails(
            "allow-word",
            &["expose", "a=tcp:127.0.0.1:1", "--allow", word],
        )
    };
    allow("everybody");
    allow("Any");
    assert!(
        allow(&format!("{ID}@192.0.2.7:4100"))
            .stderr
            .contains("leave the address out")
    );
    assert!(allow(&format!("{ID},nobody")).stderr.contains("`nobody`"));
}

#[test]
fn a_server_and_a_peer_have_addresses_with_ports() {
    fails("server-address-missing", &["ping", ID, "--server", ID]);
    let address = |name: &str, address: &str| {
        fails(name, &["ping", ID, "--server", &format!("{ID}@{address}")]);
        fails(name, &["ping", &format!("{ID}@{address}")]);
        fails(name, &["pipe", &format!("{ID}@{address}/http")]);
    };
    address("address-port-missing", "example.org");
    address("address-host-missing", "");
    address("address-host-missing", ":4433");
    address("address-port", "example.org:70000");
    address("address-brackets", "2001:db8::1:4433");
}

#[test]
fn a_variable_is_named_where_it_said_what_is_wrong() {
    let wrong = run(keyway(["ping", ID]).env("KEYWAY_SERVER", "nonsense"));
    super::table::documented("id-length", &wrong);
    assert!(
        wrong
            .stderr
            .starts_with("error: KEYWAY_SERVER `nonsense`: "),
        "{}",
        wrong.stderr
    );
    let wrong = run(keyway(["ping", ID, "--server", "flag"]).env("KEYWAY_SERVER", "nonsense"));
    assert!(
        wrong.stderr.starts_with("error: --server `flag`: "),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let ended = run(keyway(["lookup", ID])
        .env("KEYWAY_SERVER", " ")
        .env("KEYWAY_PATIENCE", ""));
    super::table::documented("lookup-no-server", &ended);
}
