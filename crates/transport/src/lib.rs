//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.

mod mtu;
#[cfg_attr(
    not(test),
    expect(dead_code, unused_imports, reason = "the association composes it")
)]
mod recovery;
