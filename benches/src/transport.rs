//! What do associations cost beside the network?
//!
//! Octets go from one association to the other in this process, in packets of 1,452 octets: framing, sealing, opening, loss recovery,
//! congestion control and acknowledgements, with one copy that stands for the network's. Virtual time moves by 100 us a round trip.

mod ends;

use self::ends::Ends;
use crate::{Amount, Meter};

/// What a flight carries: it fits in one batch.
const FLIGHT: usize = 60 << 10;

/// What one bulk transfer carries.
const BULK: usize = 1 << 20;

/// One packet of so many is lost, where some are.
const LOSS: usize = 8;

/// A flight of packets by its parts: made; received, in order and in the worst one, which leaves the most to put together; and
/// acknowledged, also where packets are missing and have to be found lost. The cipher is in each.
pub(crate) fn flights(meter: &mut impl Meter) {
    let amount = Amount::Octets(FLIGHT);
    meter.measure_prepared(
        "transport/flight/send",
        amount,
        Ends::warm,
        |ends| {
            ends.settle();
            ends.write(FLIGHT);
        },
        |ends, ()| ends.depart(),
    );
    meter.measure_prepared(
        "transport/flight/receive",
        amount,
        Ends::warm,
        |ends| ends.flight(FLIGHT),
        |ends, mut flight| ends.arrive(flight.packets()),
    );
    meter.measure_prepared(
        "transport/flight/receive, the last one first",
        amount,
        Ends::warm,
        |ends| ends.flight(FLIGHT),
        |ends, mut flight| ends.arrive(flight.packets().rev()),
    );
    meter.measure_prepared(
        "transport/flight/take its ACK",
        amount,
        Ends::warm,
        |ends| {
            let mut flight = ends.flight(FLIGHT);
            ends.arrive(flight.packets());
            ends.answer()
        },
        |ends, answer| ends.take_answer(answer),
    );
    meter.measure_prepared(
        "transport/flight/take an ACK that shows losses",
        amount,
        Ends::warm,
        |ends| {
            // Losses narrow the congestion window: each flight has a new pair.
            *ends = Ends::warm();
            let mut flight = ends.flight(FLIGHT);
            let arrived = flight.packets().enumerate();
            ends.arrive(
                arrived.filter_map(|(place, packet)| (place % LOSS != 1).then_some(packet)),
            );
            ends.answer()
        },
        |ends, answer| ends.take_answer(answer),
    );
}

/// All of it for both ends, with the copies from and to the application.
pub(crate) fn bulk(meter: &mut impl Meter) {
    meter.measure_prepared(
        "transport/bulk/both ends",
        Amount::Octets(BULK),
        Ends::warm,
        |_| (),
        |ends, ()| ends.transfer(BULK),
    );
}
