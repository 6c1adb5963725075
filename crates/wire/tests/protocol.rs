//! The protocol's text (`proto/PROTOCOL.md`) is numbered so that tests can name its rules, and says what the code does.

#![expect(
    clippy::unwrap_used,
    reason = "a text that is not as described fails the test"
)]

use std::collections::BTreeMap;

use keyway_wire::{Frame, Frames};

const TEXT: &str = include_str!("../../../proto/PROTOCOL.md");

/// The sections, from the first: their numbers and their texts.
fn sections() -> Vec<(usize, &'static str)> {
    let parts = TEXT.split("\n## ").skip(1);
    parts
        .map(|part| (part.split('.').next().unwrap().parse().unwrap(), part))
        .collect()
}

/// What a rule begins with, without its number.
const RULE: &str = "- **R";

// Q13
#[test]
fn no_number_of_a_rule_is_left_out_or_given_twice() {
    for (section, text) in sections() {
        let rules = text.lines().filter_map(|line| line.strip_prefix(RULE));
        // A rule keeps its number wherever it is put, so they need not be in order.
        let mut numbers: Vec<u32> = rules
            .map(|rule| {
                let (of, number) = rule.split("**").next().unwrap().split_once('.').unwrap();
                assert_eq!(of, section.to_string(), "{rule}");
                number.parse().unwrap()
            })
            .collect();
        numbers.sort_unstable();
        assert!(
            numbers
                .iter()
                .copied()
                .eq(1..=numbers.iter().copied().max().unwrap_or(0)),
            "section {section}: {numbers:?}"
        );
    }
}

#[test]
fn nothing_is_demanded_outside_a_rule() {
    for (section, text) in sections() {
        let mut in_rule = false;
        for line in text.lines() {
            in_rule = line.starts_with(RULE) || (in_rule && line.starts_with("  "));
            assert!(
                in_rule || !line.contains("MUST"),
                "section {section}: {line}"
            );
        }
    }
}

#[test]
fn references_to_rules_name_rules_that_exist() {
    let exists = |number: &str| TEXT.contains(&format!("{RULE}{number}**"));
    let references = TEXT.match_indices('R').filter_map(|(position, _)| {
        let number: &str = TEXT[position + 1..]
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?;
        let number = number.trim_end_matches('.');
        (number.contains('.') && number.starts_with(|c: char| c.is_ascii_digit())).then_some(number)
    });
    let mut count = 0;
    for number in references {
        assert!(exists(number), "R{number}");
        count += 1;
    }
    assert!(count > 100, "{count} references");
}

/// Of each frame: its kinds, and whether it elicits an ACK, as section 6 has them.
fn frames_of_the_text() -> BTreeMap<&'static str, (Vec<u8>, bool)> {
    let (_, section) = sections()[5];
    let overview = section.split("\n### ").next().unwrap();
    let rows = overview.lines().filter(|line| line.starts_with("| 0x"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let kinds: Vec<_> = cells[1]
            .split([',', ' '])
            .filter_map(|kind| kind.strip_prefix("0x"))
            .collect();
        let kinds: Vec<_> = kinds
            .iter()
            .map(|kind| u8::from_str_radix(kind, 16).unwrap())
            .collect();
        let kinds = (*kinds.first().unwrap()..=*kinds.last().unwrap()).collect();
        (cells[2], (kinds, cells[3] == "yes"))
    })
    .collect()
}

/// The name that a frame has in the text.
fn name(frame: Frame<'_>) -> &'static str {
    match frame {
        Frame::Ping => "PING",
        Frame::Ack(_) => "ACK",
        Frame::Reset(_) => "RESET",
        Frame::Stop(_) => "STOP",
        Frame::Open(_) => "OPEN",
        Frame::Stream(_) => "STREAM",
        Frame::MaxData(_) => "MAX_DATA",
        Frame::MaxStreamData(_) => "MAX_STREAM_DATA",
        Frame::MaxStreams(_) => "MAX_STREAMS",
        Frame::DataBlocked(_) => "DATA_BLOCKED",
        Frame::StreamDataBlocked(_) => "STREAM_DATA_BLOCKED",
        Frame::StreamsBlocked(_) => "STREAMS_BLOCKED",
        Frame::NewCid(_) => "NEW_CID",
        Frame::RetireCid(_) => "RETIRE_CID",
        Frame::PathChallenge(_) => "PATH_CHALLENGE",
        Frame::PathResponse(_) => "PATH_RESPONSE",
        Frame::ObservedAddress(_) => "OBSERVED_ADDRESS",
        Frame::Candidates(_) => "CANDIDATES",
        Frame::Datagram(_) => "DATAGRAM",
        Frame::Close(_) => "CLOSE",
    }
}

/// A payload that some frame of each kind can be read from: lengths and counts of zero, then an IPv4 address.
fn payload(kind: u8) -> Vec<u8> {
    let rest: &[u8] = match kind {
        0x06 => &[0, 0, 1, b'a'],
        0x20 => &[0, 4, 192, 0, 2, 7, 1, 1],
        _ => &[0; 16],
    };
    [&[kind], rest].concat()
}

// R6.1
#[test]
fn kinds_and_what_elicits_an_ack_are_as_the_text_says() {
    let text = frames_of_the_text();
    let mut read = BTreeMap::from([("PADDING", (vec![0], false))]);
    for kind in 1..=255 {
        if let Some(Ok(frame)) = Frames::new(&payload(kind)).next() {
            read.entry(name(frame))
                .or_insert((Vec::new(), frame.elicits_ack()))
                .0
                .push(kind);
        }
    }
    assert_eq!(read, text);
}
