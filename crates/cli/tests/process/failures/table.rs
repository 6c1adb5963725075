//! The tables of `docs/errors.md`, compared with what the command says.

use crate::command::{Ended, keyway, run};

const PAGE: &str = include_str!("../../../../../docs/errors.md");

/// Where the rows are run into.
const TESTS: [&str; 8] = [
    include_str!("ids.rs"),
    include_str!("keys.rs"),
    include_str!("notes.rs"),
    include_str!("output.rs"),
    include_str!("reaching.rs"),
    include_str!("services.rs"),
    include_str!("sockets.rs"),
    include_str!("words.rs"),
];

/// One message of the page.
#[derive(Debug)]
struct Row {
    name: &'static str,
    message: &'static str,
    /// None for notes, which end nothing.
    exit: Option<i32>,
}

fn rows() -> Vec<Row> {
    PAGE.lines().filter_map(row).collect()
}

fn row(line: &'static str) -> Option<Row> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let [name, message, _, exit]: [&str; 4] =
        cells.split(" | ").collect::<Vec<_>>().try_into().ok()?;
    let is_heading = name == "name" || name.starts_with('-');
    (!is_heading).then(|| Row {
        name,
        message: message.trim_matches('`').trim(),
        exit: exit.trim().parse().ok(),
    })
}

/// Whether the text is what the pattern says, where `…` stands for anything.
fn matches(text: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some(place) = rest.find(piece) else {
            return false;
        };
        rest = &rest[place + piece.len()..];
    }
    rest.ends_with(last)
}

fn find(name: &str) -> Row {
    let found = rows().into_iter().find(|row| row.name == name);
    found.unwrap_or_else(|| panic!("docs/errors.md has no row `{name}`"))
}

/// The command ended as the row says: its message in the last line, its exit code, and nothing on stdout.
#[track_caller]
pub(super) fn documented(name: &str, ended: &Ended) {
    let row = find(name);
    let said = &ended.stderr;
    assert_eq!(ended.code, row.exit, "{name}: {said}");
    assert_eq!(ended.stdout, "", "{name}");
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{name}: {said}");
    let last = said.lines().last().unwrap();
    let message = last
        .strip_prefix("error: ")
        .unwrap_or_else(|| panic!("{name}: {said}"));
    assert!(matches(message, row.message), "{name} is not: {message}");
    assert!(!said.contains("bug in keyway"), "{name}: {said}");
}

/// The command said on its way what the row says.
#[track_caller]
pub(super) fn noted(name: &str, line: &str) {
    let row = find(name);
    assert_eq!(row.exit, None, "{name} ends something");
    assert!(matches(line, row.message), "{name} is not: {line}");
}

/// The words of a row that stand between what differs: to wait for.
pub(super) fn words_of(name: &str) -> &'static str {
    let pieces = find(name).message.split('…');
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default()
}

/// Runs the command to its documented end.
#[track_caller]
pub(super) fn fails(name: &str, words: &[&str]) -> Ended {
    let ended = run(&mut keyway(words));
    documented(name, &ended);
    ended
}

#[test]
fn every_row_of_the_page_is_run_into_by_a_test() {
    let rows = rows();
    assert!(rows.len() > 60, "{} rows were read", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let quoted = format!("\"{}\"", row.name);
        let tested = TESTS.iter().any(|test| test.contains(&quoted));
        assert!(tested, "nothing tests `{}`", row.name);
        let again = rows[..index].iter().any(|other| other.name == row.name);
        assert!(!again, "two rows are called `{}`", row.name);
        assert!(row.message.len() > 15, "{row:?} says nothing");
    }
}

#[test]
fn what_happens_seldom_is_still_said() {
    let sources = concat!(
        include_str!("../../../src/exit.rs"),
        include_str!("../../../src/main.rs"),
        include_str!("../../../../keyway/src/error/bind.rs"),
        include_str!("../../../../keyway/src/error/close.rs"),
        include_str!("../../../../keyway/src/error/connection.rs"),
    );
    let (_, section) = PAGE.split_once("## Seldom").unwrap();
    let messages: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
        .map(|(message, _)| message.trim_end_matches('…').trim_end())
        .collect();
    assert_eq!(messages.len(), 8, "{messages:?}");
    for message in messages {
        assert!(sources.contains(message), "nothing says `{message}`");
    }
}

#[test]
fn a_pattern_matches_what_it_says_and_nothing_else() {
    assert!(matches(
        "key file a: empty; restore",
        "key file …: empty; restore"
    ));
    assert!(!matches(
        "key file a: empty; restore it",
        "key file …: empty; restore"
    ));
    assert!(!matches(
        "my key file a: empty; restore",
        "key file …: empty; restore"
    ));
    assert!(matches("a b c", "…b…"));
    assert!(!matches("a c", "…b…"));
    assert!(matches("exactly", "exactly") && !matches("exactly so", "exactly"));
}
