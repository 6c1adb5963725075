//! Packets that nobody asked for, from many addresses.
#![expect(
    clippy::disallowed_methods,
    reason = "what is sent has to be spread over time"
)]

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use aws_lc_rs::{digest, hmac, rand};
use keyway::NodeId;

/// Octets of an INIT (proto/PROTOCOL.md, section 4).
const INIT_LEN: usize = 1_120;

/// Octets of a MAC.
const MAC_LEN: usize = 16;

/// Source addresses of each kind of junk.
const SOURCES: u8 = 16;

/// Packets between two looks at the clock: at 50,000 a second, that is 2 ms.
const BURST: u32 = 100;

/// Different packets of each kind.
const VARIETY: usize = 64;

/// Kinds of junk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Octets at random.
    Noise,
    /// Data packets under ids that nobody has issued.
    Data,
    /// Packets for a relay that this node is not.
    Relayed,
    /// INITs from somebody who does not know whom they are for.
    BlindInit,
    /// INITs whose `mac1` is right, and nothing else: whoever knows the node id can make these.
    AimedInit,
}

const KINDS: [Kind; 5] = [
    Kind::Noise,
    Kind::Data,
    Kind::Relayed,
    Kind::BlindInit,
    Kind::AimedInit,
];

/// One kind: its sockets, its packets, and what became of them.
struct Source {
    kind: Kind,
    sockets: Vec<UdpSocket>,
    packets: Vec<Vec<u8>>,
    /// Counts the packets that were sent.
    turn: usize,
    tally: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    packets: u64,
    octets: u64,
    answers: u64,
    answered_octets: u64,
}

pub(crate) struct Junk {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Source>>,
}

/// What was sent, and what came back.
pub(crate) struct Sent {
    tallies: Vec<(Kind, Tally)>,
}

impl Junk {
    /// Sends `rate` packets a second to this node, in a thread of its own.
    pub(crate) fn start(target: SocketAddr, id: &NodeId, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut sources: Vec<_> = KINDS.iter().map(|kind| Source::new(*kind, id)).collect();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), 0_u32);
            while !stopped.load(Ordering::Relaxed) {
                for _ in 0..BURST {
                    let source = sent as usize % sources.len();
                    sources[source].send(target);
                    sent += 1;
                }
                let due = Duration::from_secs(1) * sent / rate;
                thread::sleep(due.saturating_sub(start.elapsed()));
            }
            sources.iter_mut().for_each(Source::listen);
            sources
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let sources = self.thread.join().unwrap();
        Sent {
            tallies: sources
                .iter()
                .map(|source| (source.kind, source.tally))
                .collect(),
        }
    }
}

impl Source {
    fn new(kind: Kind, id: &NodeId) -> Self {
        let socket = |index| {
            // All of 127.0.0.0/8 is this machine, so that each socket has an address of its own.
            let address = Ipv4Addr::new(127, 66, kind as u8, index);
            let socket = UdpSocket::bind((address, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Self {
            kind,
            sockets: (1..=SOURCES).map(socket).collect(),
            packets: (0..VARIETY).map(|_| kind.packet(id)).collect(),
            turn: 0,
            tally: Tally::default(),
        }
    }

    fn send(&mut self, target: SocketAddr) {
        let turn = self.turn;
        self.turn += 1;
        let packet = &self.packets[turn % VARIETY];
        // A full buffer of the receiver's is what floods are about.
        let _ = self.sockets[turn % self.sockets.len()].send_to(packet, target);
        self.tally.packets += 1;
        self.tally.octets += packet.len() as u64;
        if turn.is_multiple_of(VARIETY) {
            self.listen();
        }
    }

    /// Counts what has come.
    fn listen(&mut self) {
        let mut buffer = [0; 2048];
        for socket in &self.sockets {
            loop {
                match socket.recv(&mut buffer) {
                    Ok(count) => {
                        self.tally.answers += 1;
                        self.tally.answered_octets += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

impl Kind {
    fn packet(self, id: &NodeId) -> Vec<u8> {
        let mut length = [0; 2];
        rand::fill(&mut length).unwrap();
        let length = 1 + usize::from(u16::from_be_bytes(length)) % 1_452;
        let mut packet = match self {
            Self::Noise => vec![0; length],
            Self::Data | Self::Relayed => vec![0; length.max(64)],
            Self::BlindInit | Self::AimedInit => vec![0; INIT_LEN],
        };
        rand::fill(&mut packet).unwrap();
        match self {
            Self::Noise => {}
            Self::Data => {
                packet[0] = 8 | (packet[0] % 8);
                packet[8] = 0;
            }
            Self::Relayed => {
                packet[0] = 5;
                packet[9] = 8;
            }
            Self::BlindInit | Self::AimedInit => packet[..3].copy_from_slice(&[4, 1, 1]),
        }
        if self == Self::AimedInit {
            aim(&mut packet, id);
        }
        packet
    }
}

/// Puts a `mac1` into an INIT that its receiver takes (proto/PROTOCOL.md, section 4).
fn aim(packet: &mut [u8], id: &NodeId) {
    let label = [&b"keyway v1 mac1"[..], id.as_bytes()].concat();
    let key = digest::digest(&digest::SHA256, &label);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
    let at = INIT_LEN - 2 * MAC_LEN;
    let tag = hmac::sign(&key, &packet[..at]);
    packet[at..at + MAC_LEN].copy_from_slice(&tag.as_ref()[..MAC_LEN]);
    packet[at + MAC_LEN..].fill(0);
}

impl Sent {
    pub(crate) fn packets(&self) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.packets).sum()
    }

    /// Answers to what shows no knowledge of the node id. Who has it may be told to come back with a cookie.
    pub(crate) fn answers(&self) -> u64 {
        let blind = self
            .tallies
            .iter()
            .filter(|(kind, _)| *kind != Kind::AimedInit);
        blind.map(|(_, tally)| tally.answers).sum()
    }

    /// Whether no more octets came back than went out.
    pub(crate) fn is_no_weapon(&self) -> bool {
        self.tallies
            .iter()
            .all(|(_, tally)| tally.answered_octets <= tally.octets)
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, tally) in &self.tallies {
            writeln!(
                f,
                "{:>9}: {:>8} packets, {:>10} octets; back {} packets, {} octets",
                format!("{kind:?}"),
                tally.packets,
                tally.octets,
                tally.answers,
                tally.answered_octets
            )?;
        }
        Ok(())
    }
}
