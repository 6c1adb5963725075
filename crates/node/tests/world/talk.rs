//! What tests let nodes do, from a connection to a transfer.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "a test stops where something is not as it should be, and waits for one event among many"
)]

use std::time::Duration;

use keyway_node::{AssociationKey, Config, Event, PathKind, ReadError, StreamKey};
use keyway_wire::StreamKind;

use super::{Index, World, id};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn server() -> Config {
    Config {
        server: true,
        ..Config::default()
    }
}

/// Connects `from` to the node of `to`'s seed and returns both ends of a new stream to `service`.
pub(crate) fn connect(
    world: &mut World,
    from: Index,
    to: Index,
    to_seed: u8,
    hinted: bool,
    service: &str,
) -> (StreamKey, StreamKey) {
    let hints = if hinted {
        vec![world.address(to)]
    } else {
        Vec::new()
    };
    let now = world.now;
    let call = world.node(from).connect(now, id(to_seed), &hints);
    let association = world.wait(from, 10 * SECOND, |event| match event {
        Event::Connected {
            id, association, ..
        } if *id == call => Some(*association),
        _ => None,
    });
    let near = world
        .node(from)
        .open(association, StreamKind::Bytes, &service.parse().unwrap())
        .unwrap();
    let far = world.wait(to, 10 * SECOND, |event| match event {
        Event::Incoming { stream, .. } => Some(*stream),
        _ => None,
    });
    (near, far)
}

/// Sends `data` over a stream, with its end, and returns what the other side read.
pub(crate) fn transfer(
    world: &mut World,
    from: (Index, StreamKey),
    to: (Index, StreamKey),
    data: &[u8],
) -> Vec<u8> {
    let (mut rest, mut received, mut buffer) = (data, Vec::new(), vec![0; 65_536]);
    let deadline = world.now + 60 * SECOND;
    let mut finished = false;
    while world.now < deadline {
        match world.node(from.0).write(from.1, rest) {
            Ok(len) => rest = &rest[len..],
            Err(_) if !rest.is_empty() => {}
            Err(_) => {}
        }
        if rest.is_empty() && !finished {
            world.node(from.0).finish(from.1);
            finished = true;
        }
        loop {
            match world.node(to.0).read(to.1, &mut buffer) {
                Ok(len) => received.extend_from_slice(&buffer[..len]),
                Err(ReadError::Finished) => return received,
                Err(ReadError::Blocked) => break,
                Err(error) => panic!("{error}"),
            }
        }
        world.run(Duration::from_millis(1));
    }
    panic!(
        "{} octets of {} arrived in time",
        received.len(),
        data.len()
    );
}

pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

pub(crate) fn direct(world: &mut World, index: Index, association: AssociationKey) -> bool {
    let paths = world.node(index).paths(association);
    paths
        .iter()
        .any(|(kind, info)| info.selected && matches!(kind, PathKind::Direct { .. }))
}
