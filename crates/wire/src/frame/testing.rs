//! The four tests of every frame.

use super::{Frame, FrameError, Frames};

fn parse(bytes: &[u8]) -> Vec<Result<Frame<'_>, FrameError>> {
    Frames::new(bytes).collect()
}

/// `bytes` are `frame` and nothing else: read, written into a dirty buffer, and refused at every shorter length.
pub(crate) fn assert_golden(frame: Frame<'_>, bytes: &[u8]) {
    assert_eq!(parse(bytes), [Ok(frame)]);
    assert_emits(frame, bytes);
    assert_refused_when_shorter(bytes);
}

/// `frame` is written as `bytes`, and nothing behind them is touched.
pub(crate) fn assert_emits(frame: Frame<'_>, bytes: &[u8]) {
    let mut out = vec![0xa5; bytes.len() + 3];
    assert_eq!(frame.emit(&mut out), bytes.len());
    assert_eq!(frame.len(), bytes.len());
    assert_eq!(out[..bytes.len()], *bytes);
    assert_eq!(out[bytes.len()..], [0xa5; 3]);
}

/// Every beginning of `bytes` but nothing at all is refused as truncated.
pub(crate) fn assert_refused_when_shorter(bytes: &[u8]) {
    for length in 1..bytes.len() {
        let frames = parse(&bytes[..length]);
        assert!(
            matches!(frames[..], [Err(FrameError::Truncated { .. })]),
            "cut to {length}: {frames:?}"
        );
    }
}

/// What is written is read back, whatever follows.
pub(crate) fn assert_round_trip(frame: Frame<'_>) {
    let mut out = vec![0xa5; frame.len() + 1];
    assert_eq!(frame.emit(&mut out), frame.len());
    out[frame.len()] = super::kind::PING;
    assert_eq!(parse(&out), [Ok(frame), Ok(Frame::Ping)]);
}

/// The error that `bytes` are refused with.
pub(crate) fn refusal(bytes: &[u8]) -> FrameError {
    match parse(bytes)[..] {
        [Err(error)] => error,
        ref other => panic!("{other:?}"),
    }
}
