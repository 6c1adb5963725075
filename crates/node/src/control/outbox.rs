//! Packets outside any association, until the socket takes them.

use std::collections::VecDeque;

use keyway_transport::Route;
use keyway_wire::COOKIE_LEN;

/// Handshake packets that wait for the socket, at most. One round of INITs to all routes of some dozens of peers.
const PACKETS_MAX: usize = 1024;

/// COOKIEs that wait for the socket, at most. Beyond it a flood loses what it asked for.
const COOKIES_MAX: usize = 1024;

/// What waits for the socket. A full queue drops what comes: handshakes repeat themselves.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    packets: VecDeque<(Route, Vec<u8>)>,
    /// Apart from the others, so that a flood pushes no handshake out of the queue.
    cookies: VecDeque<(Route, [u8; COOKIE_LEN])>,
}

impl Outbox {
    /// Queues an INIT or a RESP.
    pub(super) fn send(&mut self, route: Route, packet: Vec<u8>) {
        if self.packets.len() < PACKETS_MAX {
            self.packets.push_back((route, packet));
        }
    }

    /// Queues a COOKIE.
    pub(super) fn send_cookie(&mut self, route: Route, packet: [u8; COOKIE_LEN]) {
        if self.cookies.len() < COOKIES_MAX {
            self.cookies.push_back((route, packet));
        }
    }

    /// The INIT or RESP that has waited longest.
    pub(crate) fn next_packet(&mut self) -> Option<(Route, Vec<u8>)> {
        self.packets.pop_front()
    }

    /// The COOKIE that has waited longest.
    pub(crate) fn next_cookie(&mut self) -> Option<(Route, [u8; COOKIE_LEN])> {
        self.cookies.pop_front()
    }

    /// INITs and RESPs that wait.
    pub(super) fn packets(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.cookies.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route::Direct {
        remote: std::net::SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            4000,
        ),
    };

    #[test]
    fn a_flood_of_cookies_pushes_no_handshake_out() {
        let mut outbox = Outbox::default();
        outbox.send(ROUTE, vec![1]);
        for _ in 0..=COOKIES_MAX {
            outbox.send_cookie(ROUTE, [0; COOKIE_LEN]);
        }
        outbox.send(ROUTE, vec![2]);
        assert_eq!(outbox.next_packet(), Some((ROUTE, vec![1])));
        assert_eq!(outbox.next_packet(), Some((ROUTE, vec![2])));
        assert_eq!(outbox.packets(), 0);
        let cookies = std::iter::from_fn(|| outbox.next_cookie());
        assert_eq!(cookies.count(), COOKIES_MAX);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_full_queue_drops_what_comes_and_keeps_what_waits() {
        let mut outbox = Outbox::default();
        for number in 0..=PACKETS_MAX {
            outbox.send(ROUTE, number.to_be_bytes().to_vec());
        }
        assert_eq!(outbox.packets(), PACKETS_MAX);
        let first = outbox.next_packet();
        assert_eq!(first, Some((ROUTE, 0_usize.to_be_bytes().to_vec())));
    }
}
