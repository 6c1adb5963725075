use super::*;

/// Seeds that every change is tested with. `cargo xtask sim --matrix` runs more.
const SEEDS: u64 = 2;

/// Runs all cells of a setting in which the dialler is of this kind, as far as the punching of today goes: where it takes guesses
/// at ports to be direct, a pair has to connect, and may be direct.
fn holds(setting: Setting, dialler: NatKind) {
    let cells: Vec<Cell> = setting
        .cells()
        .into_iter()
        .filter(|cell| cell.a == dialler)
        .collect();
    assert!(!cells.is_empty());
    for cell in cells {
        for seed in 0..SEEDS {
            let outcome = cell.run(Run { seed, trace: false });
            let outcome =
                outcome.unwrap_or_else(|failure| panic!("{cell:?} seed {seed}: {failure}"));
            assert!(outcome.connected, "{cell:?} seed {seed}: {outcome:?}");
            let is_direct = outcome.direct.is_some();
            match Demand::of(&cell) {
                Demand::Must => assert!(is_direct, "{cell:?} seed {seed}: {outcome:?}"),
                Demand::Cannot => assert!(!is_direct, "{cell:?} seed {seed}: {outcome:?}"),
                Demand::Mostly | Demand::May => {}
            }
        }
    }
}

// M4
#[test]
fn from_a_public_host_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::Public);
}

// M4
#[test]
fn from_behind_a_full_cone_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::FullCone);
}

// M4
#[test]
fn from_behind_an_address_restricted_nat_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::AddressRestricted);
}

// M4
#[test]
fn from_behind_a_port_restricted_nat_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::PortRestricted);
}

// M4
#[test]
fn from_behind_two_nats_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::CarrierDouble);
}

// M4
#[test]
fn from_behind_a_symmetric_nat_with_sequential_ports_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::SymmetricSequential);
}

// M4
#[test]
fn from_behind_a_symmetric_nat_with_random_ports_every_kind_is_reached() {
    holds(Setting::Apart, NatKind::SymmetricRandom);
}

// M4
#[test]
fn networks_may_use_the_same_addresses() {
    holds(Setting::Overlapping, NatKind::PortRestricted);
    holds(Setting::Overlapping, NatKind::CarrierDouble);
}

// M4
#[test]
fn neighbours_behind_one_nat_are_direct_whatever_its_kind_with_hairpinning_and_without() {
    for kind in &NatKind::ALL[1..] {
        holds(Setting::OneNat, *kind);
        holds(Setting::OneNatHairpin, *kind);
    }
}

// M4
#[test]
fn two_homes_behind_one_carrier_are_direct_if_it_hairpins() {
    holds(Setting::OneCarrier, NatKind::PortRestricted);
    holds(Setting::OneCarrierHairpin, NatKind::PortRestricted);
}

// M4
#[test]
fn where_both_have_ipv6_it_does_not_matter_what_is_before_ipv4() {
    holds(Setting::Ipv6, NatKind::SymmetricRandom);
    holds(Setting::Ipv6, NatKind::CarrierDouble);
}

// Q2
#[test]
fn a_cell_and_a_seed_always_go_the_same_way() {
    let cell = Cell {
        setting: Setting::Apart,
        a: NatKind::SymmetricSequential,
        b: NatKind::CarrierDouble,
    };
    let run = |seed| cell.run(Run { seed, trace: false }).unwrap();
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).trace_hash, run(6).trace_hash);
}
