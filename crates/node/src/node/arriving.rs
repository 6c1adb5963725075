//! Datagrams that arrived, sorted out by the batch: what one association gets in a row, it gets in one go.

use keyway_transport::Route;
use keyway_wire::planted::{Fault, planted};
use keyway_wire::{Cid, DataHeader, RELAY_HEADER_LEN, RelayHeader, Time};

use super::Node;
use crate::directory::Addressee;
use crate::io::Arrival;
use crate::keys::AssociationKey;

/// The first octet of a relayed packet.
const RELAYED: u8 = 5;

/// What the datagrams of one batch have in common, and which association was fed last.
struct Batch {
    now: Time,
    arrival: Arrival,
    /// Octets of each datagram but the last.
    stride: usize,
    touched: Option<AssociationKey>,
}

impl Node {
    /// Takes datagrams that arrived together: `buffer` holds one after another, each `stride` octets long, the last one
    /// perhaps shorter. The buffer is used as working space: packets are opened in place.
    ///
    /// What is not authentic changes nothing and is not answered.
    pub fn handle_batch(&mut self, now: Time, arrival: Arrival, buffer: &mut [u8], stride: usize) {
        let mut batch = Batch {
            now,
            arrival,
            stride: stride.max(1),
            touched: None,
        };
        let mut rest = buffer;
        while let Some(first) = rest.first().copied() {
            let taken = if first == RELAYED {
                self.take_relayed(&mut batch, rest)
            } else {
                let remote = arrival.remote;
                self.take_direct(&mut batch, Route::Direct { remote }, rest)
            };
            rest = &mut rest[taken..];
        }
        self.batch_done(now, batch.touched);
        self.settle(now);
    }

    /// Passes on what others sent each other, or takes what a relay passed on to us. How many octets that were.
    fn take_relayed(&mut self, batch: &mut Batch, rest: &mut [u8]) -> usize {
        let (now, remote) = (batch.now, batch.arrival.remote);
        let passed_on = self
            .control
            .relay_batch(&mut self.worker, now, remote, rest, batch.stride);
        if passed_on > 0 {
            return passed_on;
        }
        let len = batch.stride.min(rest.len());
        let packet = &mut rest[..len];
        if let Ok(header) = RelayHeader::parse(packet)
            && let Some(channel) = self.control.channel(header.token)
        {
            let route = Route::Relay { channel };
            self.take_packet(batch, route, &mut packet[RELAY_HEADER_LEN..]);
        }
        len
    }

    /// Takes the first datagram, and those behind it that bear the same connection id. How many octets that were.
    fn take_direct(&mut self, batch: &mut Batch, route: Route, rest: &mut [u8]) -> usize {
        let len = batch.stride.min(rest.len());
        let Ok(header) = DataHeader::parse(&rest[..len]) else {
            self.take_packet(batch, route, &mut rest[..len]);
            return len;
        };
        let Some(Addressee::Association(key)) = self.worker.directory.find(&header.cid) else {
            self.take_data(batch, route, header.cid, &mut rest[..len]);
            return len;
        };
        let len = run_len(rest, batch.stride, &header.cid);
        self.deliver(batch, route, key, &mut rest[..len]);
        len
    }

    fn take_packet(&mut self, batch: &mut Batch, route: Route, packet: &mut [u8]) {
        match DataHeader::parse(packet) {
            Ok(header) => self.take_data(batch, route, header.cid, packet),
            Err(_) => self
                .control
                .handle_handshake(&mut self.worker, batch.now, route, packet),
        }
    }

    fn take_data(&mut self, batch: &mut Batch, route: Route, cid: Cid, packet: &mut [u8]) {
        let candidates = match self.worker.directory.find(&cid) {
            None => return,
            Some(Addressee::Association(key)) => return self.deliver(batch, route, key, packet),
            Some(Addressee::Pending(peer)) => self.control.half_open_of(&peer),
        };
        // Opening destroys the packet where the key is wrong, so each but the last gets a copy of its own.
        let Some((last, others)) = candidates.split_last() else {
            return;
        };
        for key in others {
            self.deliver(batch, route, *key, &mut packet.to_vec());
        }
        self.deliver(batch, route, *last, packet);
    }

    /// Gives an association packets that lie one after another.
    fn deliver(&mut self, batch: &mut Batch, route: Route, key: AssociationKey, run: &mut [u8]) {
        let Batch { now, arrival, .. } = *batch;
        if batch.touched != Some(key) {
            self.batch_done(now, batch.touched.take());
        }
        // What is dropped must not be felt: not even by letting an association speak that had something left to say.
        let Some(association) = self.worker.get_mut(key) else {
            return;
        };
        let mut accepted = false;
        for packet in run.chunks_mut(batch.stride) {
            match association.handle_data(now, route, arrival.local, arrival.ecn, packet) {
                Ok(()) => accepted = true,
                Err(_) if planted(Fault::CloseWithoutAuthentic) => {
                    association.end(keyway_transport::EndReason::TimedOut);
                }
                Err(error) => tracing::trace!(%error, "a packet was dropped"),
            }
        }
        if accepted {
            self.worker.wake(key);
            batch.touched = Some(key);
        }
    }

    fn batch_done(&mut self, now: Time, touched: Option<AssociationKey>) {
        if let Some(association) = touched.and_then(|key| self.worker.touch(key)) {
            association.batch_done(now);
        }
    }
}

/// Octets of the datagrams at the front of `rest` that are data packets with this connection id: one at least.
fn run_len(rest: &[u8], stride: usize, cid: &Cid) -> usize {
    let others = rest.chunks(stride).skip(1);
    let same = others
        .take_while(|packet| DataHeader::parse(packet).is_ok_and(|header| header.cid == *cid));
    let len = stride + same.map(<[u8]>::len).sum::<usize>();
    len.min(rest.len())
}
