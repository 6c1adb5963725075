//! Junk by the ten thousand beside honest use: `cargo xtask flood`, which builds for speed and holds to the figures. As one of all
//! tests it takes some seconds at a low rate, and holds to what does not depend on the machine.

#![expect(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

#[path = "../harness/mod.rs"]
mod harness;
mod honest;
mod junk;
mod memory;

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use harness::{command, service};
use honest::{Honest, Phase};
use junk::Junk;
use keyway::{NodeId, PeerAddr};

/// Seconds of junk, if these are to be figures.
const SECONDS: &str = "KEYWAY_FLOOD_SECONDS";

/// Packets a second.
const RATE: &str = "KEYWAY_FLOOD_RATE";

/// Lines of one kind that the log takes at once; from there on, one a second.
const BURST: usize = 20;

/// Connections made in each phase.
const DIALS: u32 = 100;

/// By how much a connection may take longer beside the junk, to count as made.
const LATE: Duration = Duration::from_secs(1);

/// Of a hundred connections, those that have to be made in time.
const DIALS_MIN: usize = 99;

/// What has to be left of the throughput.
const GOODPUT_MIN: f64 = 0.8;

/// What the process may grow by.
const GROWTH_MAX: u64 = 1 << 20;

fn number(variable: &str) -> Option<u32> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a whole number"))
}

// F1, F2, F4
#[test]
fn a_flood_of_junk_gets_nothing_and_hinders_nobody() {
    let measured = number(SECONDS);
    let (seconds, rate) = (measured.unwrap_or(2), number(RATE).unwrap_or(2_000));
    let time = Duration::from_secs(seconds.into());
    let port = free_port();
    let (mut serving, id) = serve(port);
    let target = ([127, 0, 0, 1], port).into();
    let mut honest = Honest::new(PeerAddr::new(id, [target]));

    // What the first connections and the first transfer need stays, and is no growth.
    honest.spend(time / 4, DIALS);
    let memory = memory::resident(&serving.in_proc());
    let before = honest.spend(time / 2, DIALS);
    let junk = Junk::start(target, &id, rate);
    let during = honest.spend(time, DIALS);
    let sent = junk.stop();
    let grown = memory::resident(&serving.in_proc()).saturating_sub(memory);
    let after = honest.spend(time / 2, DIALS);

    let idle = (before.goodput() + after.goodput()) / 2.0;
    let usual = before.median().max(after.median());
    let made = during.made_within(usual + LATE);
    println!("\n{sent}");
    print_phase("before", &before);
    print_phase("during", &during);
    print_phase("after", &after);
    println!(
        "goodput {:.0} % of idle; {made} of {DIALS} connections within {LATE:?} of idle; memory + {} KiB",
        100.0 * during.goodput() / idle,
        grown / 1024
    );
    assert!(sent.packets() > 0);
    assert_eq!(sent.answers(), 0, "junk was answered:\n{sent}");
    assert!(
        sent.is_no_weapon(),
        "answers are longer than what asked:\n{sent}"
    );
    let said = serving.all_that_was_said();
    assert!(!said.contains("panicked"), "{said}");
    // F8: by default, the log has nothing to tell of a flood.
    assert_eq!(lines_of_log(&said).count(), 0, "{said}");
    if measured.is_some() {
        assert!(made >= DIALS_MIN, "{made} connections were made in time");
        assert!(during.goodput() >= GOODPUT_MIN * idle);
        assert!(grown <= GROWTH_MAX, "{grown} octets more");
    } else {
        assert_eq!(made, DIALS as usize);
    }
}

// F8
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how many lines there may be depends on the time that they take"
)]
fn a_flood_does_not_fill_the_log_whatever_was_asked_of_it() {
    let time = Duration::from_secs(2);
    let port = free_port();
    let (mut serving, id) = serve_with_log(port, "keyway=trace");
    let target = ([127, 0, 0, 1], port).into();
    let mut honest = Honest::new(PeerAddr::new(id, [target]));
    let start = Instant::now();
    let junk = Junk::start(target, &id, 2_000);
    honest.spend(time, DIALS);
    let sent = junk.stop();
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 1;
    let said = serving.all_that_was_said();
    let mut kinds = BTreeMap::<_, usize>::new();
    for line in lines_of_log(&said) {
        *kinds.entry(kind_of_line(line)).or_default() += 1;
    }
    assert!(
        said.contains("lines like the next were left out"),
        "nothing was provoked:\n{sent}\n{said}"
    );
    for (kind, count) in &kinds {
        assert!(*count <= BURST + seconds, "{count} times `{kind}`:\n{said}");
    }
}

/// The lines of the log, which begin with the time.
fn lines_of_log(said: &str) -> impl Iterator<Item = &str> {
    said.lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_digit()))
}

/// What a line says, without its time, level and values.
fn kind_of_line(line: &str) -> String {
    let words = line.split_whitespace().skip(2);
    let words: Vec<_> = words.take_while(|word| !word.contains('=')).collect();
    words.join(" ")
}

/// A node under the flood's aim: whoever comes may use it.
fn serve(port: u16) -> (command::Running, NodeId) {
    serve_with_log(port, "")
}

/// The same, with what the log is asked for.
fn serve_with_log(port: u16, log: &str) -> (command::Running, NodeId) {
    let echo = service::serve(honest::echo);
    let drain = service::serve(honest::drain);
    let mut command = command::keyway([
        "expose",
        &format!("echo={echo}"),
        &format!("drain={drain}"),
        "--allow",
        "any",
        "--bind",
        &format!("127.0.0.1:{port}"),
    ]);
    let mut serving = command::Running::start(command.env("RUST_LOG", log));
    let id = serving.ready().parse().unwrap();
    (serving, id)
}

/// A port that nobody has: what it is has to be known before the node runs, since the junk is aimed at it.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn print_phase(name: &str, phase: &Phase) {
    println!(
        "{name:>7}: {:>6.0} Mbit/s, connect to first echoed octet {:>7.1} ms in the median, {:>7.1} ms at most",
        phase.goodput() / 1e6,
        1e3 * phase.median().as_secs_f64(),
        1e3 * phase.slowest().as_secs_f64()
    );
}
