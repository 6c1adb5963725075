//! What the settings and faults of a scenario are, in the terms of nodes and links.

use std::sync::Arc;
use std::time::Duration;

use keyway_handshake::Limits;
use keyway_node::{AssociationConfig, Config, Wall};
use keyway_wire::Time;

use super::{Faults, Settings};
use crate::link::LinkConfig;
use crate::loss::Loss;
use crate::random::Chance;

/// The wall-clock time at which every world begins: some second in 2027.
const BEGINNING: u64 = 1_800_000_000;

/// How many packets a link with a rate keeps waiting, in milliseconds of that rate.
const QUEUE_MS: u64 = 200;

/// What a wall clock shows that is wrong by so much.
pub(super) fn wall(now: Time, error: i64) -> Wall {
    let right = BEGINNING + now.saturating_since(Time::ZERO).as_secs();
    Wall(right.saturating_add_signed(error))
}

pub(super) fn links(faults: &Faults) -> LinkConfig {
    let chance = |percent: u32| Chance::percent(percent);
    let loss = match faults.loss {
        0 => Loss::None,
        percent if faults.bursts => bursts_of_three(percent),
        percent => Loss::Independent(chance(percent)),
    };
    LinkConfig {
        delay: Duration::from_millis(faults.delay_ms),
        jitter: Duration::from_millis(faults.jitter_ms),
        loss,
        reorder: chance(faults.reorder),
        reorder_delay: Duration::from_millis(5),
        duplicate: chance(faults.duplicate),
        corrupt: chance(faults.corrupt),
        rate: (faults.rate > 0).then_some(faults.rate),
        queue: (faults.rate * QUEUE_MS / 1000).max(8 * 1500),
        mtu: faults.mtu,
    }
}

/// Three packets in a row on average, and so often that in all as many are lost as if it were one by one.
fn bursts_of_three(percent: u32) -> Loss {
    const LENGTH: u32 = 3;
    let good = 100_u32.saturating_sub(percent).max(1);
    Loss::Bursts {
        begin: Chance::millionths(percent * 1_000_000 / (LENGTH * good)),
        end: Chance::millionths(1_000_000 / LENGTH),
        within: Chance::ALWAYS,
    }
}

pub(super) fn config(settings: &Settings, server: bool) -> Config {
    let mut association = AssociationConfig::default();
    if let Some(rekey_ms) = settings.rekey_ms {
        // In the proportions of the defaults.
        let times = |eighths: u64| Duration::from_millis(rekey_ms * eighths / 8);
        association.rekey_after = times(8);
        association.rekey_after_as_responder = times(10);
        association.session_lifetime = times(12);
    }
    if let Some(packets_per_phase) = settings.packets_per_phase {
        association.session = Limits {
            packets_per_phase,
            ..Limits::default()
        };
    }
    if let Some(window) = settings.window {
        association.streams.stream_window_initial = window;
        association.streams.window_initial = window;
    }
    let mut config = Config {
        server,
        association: Arc::new(association),
        ..Config::default()
    };
    if let Some(refresh_ms) = settings.refresh_ms {
        config.record_refresh = Duration::from_millis(refresh_ms);
        config.record_lifetime = config.record_refresh * 5;
    }
    config
}
