//! What others can make a node say.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is not as it should be"
)]

mod world;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyway_node::{Config, Limits, Rate};
use keyway_wire::{Frame, OpenFrame, StreamFrame, StreamId, StreamKind};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use world::puppet::Puppet;
use world::talk::{SECOND, server};
use world::{World, id};

/// Counts lines by what they say, at two groups of levels.
#[derive(Clone, Default)]
struct Log {
    /// At `info` and above.
    loud: Arc<Mutex<BTreeMap<String, usize>>>,
    /// At `debug` and below.
    quiet: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let is_loud = *event.metadata().level() <= Level::INFO;
        let counts = if is_loud { &self.loud } else { &self.quiet };
        *counts.lock().unwrap().entry(message.0).or_default() += 1;
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

fn place(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 4100).into()
}

/// A server, at which everybody is a stranger, and which is soon under load.
fn busy_server() -> Config {
    Config {
        limits: Limits {
            handshakes: Rate::new(50, 50),
            ..Limits::default()
        },
        ..server()
    }
}

/// In ten seconds of each: octets at random, INITs of ever other keys, and a client that comes, breaks the protocol, and goes.
fn be_a_nuisance(world: &mut World, to: SocketAddr) {
    for number in 0..2_000_u32 {
        let octet = u8::try_from(number % 256).unwrap();
        world.inject(place(number), to, &[octet; 200]);
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        world.inject(place(number), to, &Puppet::with_key(seed).init(id(2)));
        world.run(Duration::from_millis(5));
    }
    world.run(10 * SECOND);
    for number in 0..200_u32 {
        let mut seed = [8; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let mut puppet = Puppet::with_key(seed);
        let init = puppet.init(id(2));
        world.record = Some(Vec::new());
        world.inject(place(number), to, &init);
        let sent = world.record.take().unwrap();
        if let Some(resp) = sent.iter().find(|it| it.is_resp()) {
            puppet.take_resp(&resp.bytes);
            let packet = nonsense(&mut puppet);
            world.inject(place(number), to, &packet);
        }
        world.run(Duration::from_millis(50));
    }
}

/// A packet that opens a stream to the rendezvous service, and says there what no client says.
fn nonsense(puppet: &mut Puppet) -> Vec<u8> {
    let stream = StreamId::new(u64::from(puppet.id > id(2))).unwrap();
    let open = Frame::Open(OpenFrame {
        stream,
        kind: StreamKind::Bytes,
        service: "rendezvous",
    });
    let data = Frame::Stream(StreamFrame {
        stream,
        offset: 0,
        fin: false,
        data: &[0xff; 100],
    });
    puppet.packet(&[open, data])
}

// F8
#[test]
fn what_strangers_do_is_told_above_debug_at_most_once_a_second() {
    let log = Log::default();
    let span = tracing::subscriber::with_default(log.clone(), || {
        let mut world = World::new();
        let server = world.add(2, busy_server());
        let (start, at) = (world.now, world.address(server));
        be_a_nuisance(&mut world, at);
        world.now.saturating_since(start)
    });
    let quiet = log.quiet.lock().unwrap();
    for provoked in ["connected", "association ended"] {
        assert!(quiet.contains_key(provoked), "{quiet:?}");
    }
    assert!(
        quiet["a client does not keep to the protocol"] > 50,
        "{quiet:?}"
    );
    let loud = log.loud.lock().unwrap();
    assert!(loud.contains_key("too many handshakes: asking for cookies"));
    for (line, count) in loud.iter() {
        let count = u64::try_from(*count).unwrap();
        assert!(count <= span.as_secs(), "{count} times in {span:?}: {line}");
    }
}
