use keyway_wire::{
    ACK_RANGES_MAX, AckFrame, CANDIDATES_MAX, CandidatesFrame, DatagramFrame, Frame, Frames,
    StreamFrame, VarInt, canonical_address, emit_ack, emit_candidates,
};

/// The payload of an authentic packet: every frame that is accepted is written and read back as the same, alone and
/// together with the others.
pub fn frames(data: &[u8]) {
    varint(data);
    let frames: Vec<_> = Frames::new(data).map_while(Result::ok).collect();
    let mut all = Vec::new();
    for frame in &frames {
        let written = emit(*frame);
        assert_eq!(read(&written), [*frame]);
        all.extend(written);
        lists_are_valid(*frame);
        to_end_is_the_same(*frame);
    }
    assert_eq!(read(&all), frames);
}

fn varint(data: &[u8]) {
    let Some((varint, read)) = VarInt::parse(data) else {
        return;
    };
    let mut out = [0xa5; 8];
    let written = varint.emit(&mut out);
    assert!(written <= read, "{varint} has a shorter spelling");
    assert_eq!(VarInt::parse(&out[..written]), Some((varint, written)));
}

fn emit(frame: Frame<'_>) -> Vec<u8> {
    let mut out = vec![0xa5; frame.len() + 1];
    assert_eq!(
        frame.emit(&mut out),
        frame.len(),
        "{frame:?} announces another length"
    );
    assert_eq!(out.pop(), Some(0xa5), "{frame:?} is written beyond its end");
    out
}

fn read(payload: &[u8]) -> Vec<Frame<'_>> {
    Frames::new(payload)
        .map(|frame| frame.unwrap_or_else(|error| panic!("{error}: {payload:02x?}")))
        .collect()
}

/// Lists inside frames hold what they promise, and are written alike from their elements.
fn lists_are_valid(frame: Frame<'_>) {
    if let Frame::Ack(ack) = frame {
        ack_is_valid(ack);
    }
    if let Frame::Candidates(candidates) = frame {
        candidates_are_valid(candidates);
    }
    if let Frame::ObservedAddress(observed) = frame {
        assert_eq!(canonical_address(observed.address), Ok(observed.address));
    }
}

fn ack_is_valid(ack: AckFrame<'_>) {
    let ranges: Vec<_> = ack.ranges.iter().collect();
    assert_eq!(ranges.len(), ack.ranges.len());
    assert!((1..=ACK_RANGES_MAX).contains(&ranges.len()));
    assert_eq!(*ranges[0].end(), ack.ranges.largest());
    assert!(ranges.iter().all(|range| range.start() <= range.end()));
    assert!(
        ranges
            .windows(2)
            .all(|pair| *pair[1].end() + 1 < *pair[0].start()),
        "{ranges:?} touch"
    );
    let mut out = [0xa5; AckFrame::LEN_MAX];
    let len = emit_ack(&mut out, ack.sequence, ack.delay, ranges);
    assert_eq!(out[..len], emit(Frame::Ack(ack)));
}

fn candidates_are_valid(frame: CandidatesFrame<'_>) {
    let candidates: Vec<_> = frame.candidates.iter().collect();
    assert_eq!(candidates.len(), frame.candidates.len());
    assert!(candidates.len() <= CANDIDATES_MAX);
    for candidate in &candidates {
        assert_eq!(canonical_address(candidate.address), Ok(candidate.address));
    }
    let mut out = vec![0xa5; frame.len()];
    assert_eq!(
        emit_candidates(&mut out, frame.sequence, &candidates),
        out.len()
    );
    assert_eq!(out, emit(Frame::Candidates(frame)));
}

/// STREAM and DATAGRAM as the last of a packet, without their length.
fn to_end_is_the_same(frame: Frame<'_>) {
    let mut out = vec![0xa5; frame.len()];
    if let Frame::Stream(stream) = frame {
        let written = StreamFrame::emit_to_end(&stream, &mut out);
        assert_eq!(written, stream.len_to_end());
        assert_eq!(read(&out[..written]), [frame]);
    }
    if let Frame::Datagram(datagram) = frame {
        let written = DatagramFrame::emit_to_end(&datagram, &mut out);
        assert_eq!(written, datagram.len_to_end());
        assert_eq!(read(&out[..written]), [frame]);
    }
}
