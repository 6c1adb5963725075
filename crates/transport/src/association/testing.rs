//! What tests of whole associations need to see and to do.

use keyway_wire::{DATA_HEADER_LEN, DataHeader, TAG_LEN, Time};

use super::Association;
use crate::recovery::SentPacket;
use crate::sent_frame::SentFrames;

impl Association {
    /// How many sealing keys there were before the current one.
    pub(crate) fn keys_before(&self) -> u64 {
        self.sessions.keys_before()
    }

    /// A packet of any frames, as a hostile peer would send it: authentic, on the path in use, remembered by nobody.
    pub(crate) fn seal_frames(&mut self, now: Time, frames: &[u8]) -> Vec<u8> {
        let path = self.paths.selected_mut().expect("there is a path");
        let number = path.recovery.next_number(&mut self.random);
        path.recovery.on_sent(
            now,
            SentPacket {
                number,
                sent_at: now,
                size: 0,
                ack_eliciting: false,
                in_flight: false,
                mtu_probe: false,
                tag: 0,
                frames: SentFrames::new(),
            },
        );
        self.seal_frames_as(now, number, frames)
    }

    /// The same with a packet number of choice, which counts nowhere.
    pub(crate) fn seal_frames_as(&mut self, now: Time, number: u64, frames: &[u8]) -> Vec<u8> {
        let path = self.paths.selected().expect("there is a path");
        let cid = path.cid.expect("a path in use has an id");
        let session = self.sessions.sealing(now).expect("there is a session");
        let (slot, phase) = session.header_bits();
        let mut packet = vec![0; DATA_HEADER_LEN];
        DataHeader {
            slot,
            phase,
            cid: cid.cid,
            number,
        }
        .emit(&mut packet);
        packet.extend_from_slice(frames);
        packet.resize(packet.len() + TAG_LEN, 0);
        let (header, payload) = packet.split_at_mut(DATA_HEADER_LEN);
        session
            .seal(header, cid.sequence, number, payload)
            .expect("few packets");
        packet
    }

    /// Everything that a packet which is not authentic must leave as it was, but for the count of such packets.
    pub(crate) fn fingerprint(&self) -> String {
        let spaces: Vec<_> = self
            .issued
            .spaces()
            .map(|(sequence, space)| (sequence, space.fingerprint()))
            .collect();
        format!(
            "{spaces:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {}",
            self.issued.cids().collect::<Vec<_>>(),
            self.sessions.fingerprint(),
            self.paths,
            self.streams,
            self.events,
            self.responses,
            self.activity,
            self.phase,
            self.poll_timeout(),
            self.validations.len(),
        )
    }

    /// Whether the association closes or has ended.
    pub(crate) fn is_closing(&self) -> bool {
        !self.is_open()
    }

    /// Everything a peer can fill: a measure of memory that may not grow.
    pub(crate) fn kept(&self) -> usize {
        self.issued.cids().count()
            + self.paths.iter().count()
            + self.validations.len()
            + self.cids.len()
    }
}
