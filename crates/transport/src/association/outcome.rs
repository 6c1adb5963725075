//! What has become of what was sent.

use keyway_wire::Time;

use super::Association;
use super::sessions::KeyTag;
use crate::sent_frame::SentFrame;
use crate::{AssociationEvent, Route};

impl Association {
    /// Hands out what an acknowledgement or a timeout of the path on `route` has settled: what arrived is done with, what
    /// was lost goes out again, wherever that is by then.
    pub(super) fn settle(&mut self, now: Time, route: Route) {
        let mut outcome = std::mem::take(&mut self.outcome);
        // Packets of a bulk transfer carry one piece of a stream each, which continues the one before: one piece, then.
        let mut piece: Option<SentFrame> = None;
        for packet in outcome.acked.drain(..) {
            self.sessions.on_acked(now, KeyTag(packet.tag));
            for frame in &packet.frames {
                match piece.map(|piece| piece.joined(frame)) {
                    Some(Some(joined)) => piece = Some(joined),
                    _ => {
                        if let Some(done) = piece.replace(*frame) {
                            self.on_frame_acked(now, route, &done);
                        }
                    }
                }
            }
        }
        if let Some(done) = piece {
            self.on_frame_acked(now, route, &done);
        }
        for packet in outcome.lost.drain(..) {
            for frame in &packet.frames {
                self.on_frame_lost(frame);
            }
        }
        self.outcome = outcome;
    }

    fn on_frame_acked(&mut self, now: Time, route: Route, frame: &SentFrame) {
        match *frame {
            SentFrame::Ack { sequence, largest } => {
                let space = self
                    .issued
                    .by_sequence(sequence)
                    .and_then(|issued| issued.space.as_mut());
                if let Some(space) = space {
                    space.on_ack_acknowledged(largest);
                }
            }
            SentFrame::NewCid(sequence) => self.issued.on_announcement_acked(sequence),
            SentFrame::RetireCid(sequence) => self.cids.on_retirement_acked(sequence),
            SentFrame::Ping(Some(id)) => {
                if let Some(rtt) = self.pings.on_acked(now, id) {
                    self.events.push(AssociationEvent::Pong { id, rtt, route });
                }
            }
            SentFrame::Ping(None) | SentFrame::Candidates(_) | SentFrame::ObservedAddress(_) => {}
            SentFrame::Stream { .. }
            | SentFrame::Open(_)
            | SentFrame::Reset(_)
            | SentFrame::Stop(_)
            | SentFrame::MaxData
            | SentFrame::MaxStreamData(_)
            | SentFrame::MaxStreams
            | SentFrame::DataBlocked
            | SentFrame::StreamDataBlocked(_)
            | SentFrame::StreamsBlocked => self.streams.on_acked(frame),
        }
    }

    /// A frame was lost, or its packet could not be sent, or it is to be repeated for a probe.
    pub(super) fn on_frame_lost(&mut self, frame: &SentFrame) {
        match *frame {
            SentFrame::NewCid(sequence) => self.issued.on_announcement_lost(sequence),
            SentFrame::RetireCid(sequence) => self.cids.on_retirement_lost(sequence),
            SentFrame::Candidates(sequence) => self.candidates.on_lost(sequence),
            SentFrame::ObservedAddress(sequence) => {
                self.paths
                    .iter_mut()
                    .for_each(|path| path.observation.on_lost(sequence));
            }
            SentFrame::Ping(Some(id)) => self.pings.on_lost(id),
            // The next acknowledgement says the same and more; the next probe asks again.
            SentFrame::Ack { .. } | SentFrame::Ping(None) => {}
            SentFrame::Stream { .. }
            | SentFrame::Open(_)
            | SentFrame::Reset(_)
            | SentFrame::Stop(_)
            | SentFrame::MaxData
            | SentFrame::MaxStreamData(_)
            | SentFrame::MaxStreams
            | SentFrame::DataBlocked
            | SentFrame::StreamDataBlocked(_)
            | SentFrame::StreamsBlocked => self.streams.on_lost(frame),
        }
    }
}
