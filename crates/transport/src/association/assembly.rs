//! What goes into a packet.

use keyway_wire::{Frame, Time};

use super::Association;
use super::packet::PacketWriter;
use super::path::PathId;
use super::receive_space::ReceiveSpace;
use crate::Route;
use crate::mtu::BASE;
use crate::recovery::SentPacket;
use crate::sent_frame::{SentFrame, SentFrames};

/// Octets of a packet of full size, with everything: what every path has to carry (RFC 9000, 14).
pub(super) const FULL_SIZE: usize = BASE as usize;

/// Octets that a packet beside challenges should at least have room for: an address that nobody has shown to be the
/// peer's gets nothing while less is allowed there.
pub(super) const ROOM_MIN: usize = 128;

/// A packet that is being filled.
pub(super) struct Draft<'a> {
    pub(super) packet: PacketWriter<'a>,
    pub(super) sent: SentFrames,
    pub(super) ack_eliciting: bool,
    pub(super) mtu_probe: bool,
}

impl<'a> Draft<'a> {
    pub(super) fn new(room: &'a mut [u8], route: Route) -> Option<Self> {
        let packet = PacketWriter::new(room, route)?;
        Some(Self {
            packet,
            sent: SentFrames::new(),
            ack_eliciting: false,
            mtu_probe: false,
        })
    }

    /// So many octets of frames were written that ask for an acknowledgement.
    fn eliciting(&mut self, octets: usize) {
        self.packet.advance(octets);
        self.ack_eliciting |= octets > 0;
    }

    pub(super) fn ping(&mut self) {
        if self.packet.frame(&Frame::Ping) {
            self.ack_eliciting = true;
            self.sent.push(SentFrame::Ping(None));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packet.frames() == 0
    }
}

impl Association {
    /// The path that acknowledgements of `space` go back on: the one its packets come by, or else the one in use.
    pub(super) fn ack_path(&self, space: &ReceiveSpace) -> Option<PathId> {
        let usable =
            |path: &&super::path::Path| path.is_usable() && path.allowance.left() >= ROOM_MIN;
        let back = self.paths.by_route(&space.route()).filter(usable);
        back.or_else(|| self.paths.selected().filter(usable))
            .map(|path| path.id)
    }

    /// Writes the acknowledgements that go out on this path anyway or are due.
    pub(super) fn write_acks(&mut self, now: Time, id: PathId, draft: &mut Draft<'_>) {
        let wanting = self.issued.spaces().filter(|(_, space)| space.ack_wanted());
        let here = wanting.filter(|(_, space)| self.ack_path(space) == Some(id));
        let sequences: smallvec::SmallVec<[_; 4]> = here.map(|(sequence, _)| sequence).collect();
        for sequence in sequences {
            let Some(space) = self
                .issued
                .by_sequence(sequence)
                .and_then(|issued| issued.space.as_mut())
            else {
                continue;
            };
            let Some(written) = space.write_ack(now, sequence, draft.packet.free()) else {
                return;
            };
            draft.packet.advance(written.len);
            draft.sent.push(SentFrame::Ack {
                sequence,
                largest: written.largest,
            });
            if written.wants_answer {
                draft.ping();
            }
        }
    }

    /// Writes everything else that waits, as far as it fits: first what keeps the association going, then what is to be
    /// said about streams, then what is said on them.
    pub(super) fn write_frames(&mut self, now: Time, id: PathId, draft: &mut Draft<'_>) {
        self.write_upkeep(now, id, draft);
        let Some(path) = self.paths.get(id) else {
            return;
        };
        // The least, since a window that is larger than the path makes the queue on it longer, and the round trip with that. But
        // not for ever: another network may lie behind the same address.
        let rtt = path.recovery.rtt();
        let rtt = rtt.min().max(rtt.smoothed() / 4);
        let probing = path.recovery.probes() > 0;
        let control = self
            .streams
            .write_control(now, rtt, draft.packet.free(), &mut draft.sent);
        draft.eliciting(control);
        let data = self
            .streams
            .write_data(draft.packet.free(), &mut draft.sent);
        draft.eliciting(data);
        if control + data > 0 {
            self.activity.on_use(now);
        }
        if probing && !draft.ack_eliciting {
            draft.ping();
        }
    }

    /// Writes what has nothing to do with streams.
    fn write_upkeep(&mut self, now: Time, id: PathId, draft: &mut Draft<'_>) {
        while let Some((len, sequence)) = self.issued.write_announcement(draft.packet.free()) {
            draft.eliciting(len);
            draft.sent.push(SentFrame::NewCid(sequence));
        }
        while let Some((len, sequence)) = self.cids.write_retirement(draft.packet.free()) {
            draft.eliciting(len);
            draft.sent.push(SentFrame::RetireCid(sequence));
        }
        if let Some((len, sequence)) = self.candidates.write(draft.packet.free()) {
            draft.eliciting(len);
            draft.sent.push(SentFrame::Candidates(sequence));
        }
        while let Some((len, ping)) = self.pings.write(now, draft.packet.free()) {
            draft.eliciting(len);
            draft.sent.push(SentFrame::Ping(Some(ping)));
        }
        self.write_for_path(id, draft);
    }

    /// Writes what has to go out on this path and no other.
    pub(super) fn write_for_path(&mut self, id: PathId, draft: &mut Draft<'_>) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if let Some((len, sequence)) = path.observation.write(draft.packet.free()) {
            draft.eliciting(len);
            draft.sent.push(SentFrame::ObservedAddress(sequence));
        }
        if std::mem::take(&mut path.ping) {
            draft.ping();
        }
    }

    /// Numbers and seals a packet on its path, and remembers what it carried. Its length; `None` if the key is used up, and
    /// then what it carried waits again. The caller has made sure that the path has an id and that there is a session.
    pub(super) fn seal_on_path(
        &mut self,
        now: Time,
        id: PathId,
        draft: Draft<'_>,
    ) -> Option<usize> {
        let Draft {
            mut packet,
            sent,
            ack_eliciting,
            mtu_probe,
        } = draft;
        let path = self.paths.get_mut(id)?;
        let cid = path.cid?;
        let session = self.sessions.sealing(now)?;
        if std::mem::take(&mut path.pad) {
            // A frame without a length fills its packet to the end, so nothing is put behind one.
            packet.pad_to(FULL_SIZE);
        }
        let number = path.recovery.next_number(&mut self.random);
        let tag = session.tag().0;
        let Ok(len) = packet.seal(session, cid, number) else {
            self.sessions.exhaust();
            sent.iter().for_each(|frame| self.on_frame_lost(frame));
            return None;
        };
        path.recovery.on_sent(
            now,
            SentPacket {
                number,
                sent_at: now,
                size: u32::try_from(len).unwrap_or(u32::MAX),
                ack_eliciting,
                in_flight: ack_eliciting,
                mtu_probe,
                tag,
                frames: sent,
            },
        );
        path.on_transmit(now, len);
        self.asked |= ack_eliciting;
        Some(len)
    }
}
