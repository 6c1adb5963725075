//! The UDP sockets of a node, and the way of a batch through them.
//!
//! One system call carries up to 64 KiB: segmentation offload (GSO) on the way out, coalescing (GRO) on the way in. That is
//! worth a factor of six to ten against one call for each packet.

mod bind;
mod socket;

use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use keyway_node::{Arrival, SocketId, Transmit};
use quinn_udp::RecvMeta;

pub(crate) use bind::{BindPlan, bind};
pub(crate) use socket::SendOutcome;
use socket::Socket;

/// Octets of one receive buffer: what the kernel coalesces at most.
const BUFFER_LEN: usize = 64 * 1024;
/// Buffers that one call fills. One carries a bulk transfer; more are for many small flows, each of which needs its own.
const BUFFERS: usize = 8;

/// All sockets of one node. They live and die with its driver.
#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: Vec<Socket>,
    buffers: Vec<u8>,
    /// The socket to read first the next time, so that none of them starves the others.
    next: usize,
}

impl Sockets {
    fn new(sockets: Vec<Socket>) -> Self {
        Self {
            sockets,
            buffers: vec![0; BUFFERS * BUFFER_LEN],
            next: 0,
        }
    }

    /// Every socket with the address that it is bound to.
    pub(crate) fn bound(&self) -> Vec<(SocketId, SocketAddr)> {
        self.sockets
            .iter()
            .map(|socket| (socket.id(), socket.local()))
            .collect()
    }

    /// Reads once from the next socket that has something, and shows each batch to `visit`: datagrams that came together, one
    /// every `stride` octets. Pending when all sockets are empty; then the task is woken when one is not.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        visit: impl FnMut(Arrival, &mut [u8], usize),
    ) -> Poll<()> {
        let read = self.read(visit, |socket, slices, meta| {
            match socket.poll_receive(context, slices, meta) {
                Poll::Ready(count) => Some(count),
                Poll::Pending => None,
            }
        });
        if read { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The same, without asking the runtime whether there is something, and without being woken later. False when all sockets
    /// are empty.
    pub(crate) fn receive_now(&mut self, visit: impl FnMut(Arrival, &mut [u8], usize)) -> bool {
        self.read(visit, Socket::receive_now)
    }

    fn read(
        &mut self,
        mut visit: impl FnMut(Arrival, &mut [u8], usize),
        mut receive: impl FnMut(&Socket, &mut [IoSliceMut<'_>], &mut [RecvMeta]) -> Option<usize>,
    ) -> bool {
        for turn in 0..self.sockets.len() {
            let index = (self.next + turn) % self.sockets.len();
            let mut meta = [RecvMeta::default(); BUFFERS];
            let mut chunks = self.buffers.chunks_exact_mut(BUFFER_LEN);
            let mut slices: [IoSliceMut<'_>; BUFFERS] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            let socket = &self.sockets[index];
            let Some(count) = receive(socket, &mut slices, &mut meta) else {
                continue;
            };
            for (buffer, meta) in slices.iter_mut().zip(&meta).take(count) {
                if meta.len > 0 {
                    visit(socket.arrival(meta), &mut buffer[..meta.len], meta.stride);
                }
            }
            self.next = index + 1;
            return true;
        }
        false
    }

    /// Sends `datagrams` as `transmit` says, from octet `sent` on, and moves `sent` along. Pending when the socket's buffer is
    /// full; then the task is woken when it is not.
    pub(crate) fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        transmit: &Transmit,
        datagrams: &[u8],
        sent: &mut usize,
    ) -> Poll<SendOutcome> {
        let socket = self
            .sockets
            .iter_mut()
            .find(|socket| socket.id() == transmit.socket);
        match socket {
            Some(socket) => socket.poll_send(context, transmit, datagrams, sent),
            // The node names sockets that it was told of, and those live as long as it does.
            None => Poll::Ready(SendOutcome::Lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn pair() -> (Sockets, Sockets) {
        let plan = BindPlan::Addresses(vec!["127.0.0.1:0".parse().unwrap()]);
        (bind(&plan).unwrap(), bind(&plan).unwrap())
    }

    fn transmit(to: &Sockets, segment_size: usize, len: usize) -> Transmit {
        let remote = to.bound()[0].1;
        Transmit {
            socket: SocketId(0),
            remote,
            local: None,
            ecn: Some(keyway_node::Ecn::Ect0),
            segment_size,
            len,
            is_question: false,
        }
    }

    async fn send(from: &mut Sockets, transmit: &Transmit, datagrams: &[u8]) -> SendOutcome {
        let mut sent = 0;
        let outcome =
            poll_fn(|context| from.poll_send(context, transmit, datagrams, &mut sent)).await;
        assert_eq!(sent, datagrams.len());
        outcome
    }

    /// The lengths of the next `count` datagrams.
    async fn receive(at: &mut Sockets, count: usize) -> Vec<usize> {
        let mut lengths = Vec::new();
        while lengths.len() < count {
            poll_fn(|context| {
                at.poll_receive(context, |arrival, buffer, stride| {
                    assert_eq!(arrival.local, Some("127.0.0.1".parse().unwrap()));
                    assert_eq!(arrival.ecn, Some(keyway_node::Ecn::Ect0));
                    lengths.extend(buffer.chunks(stride).map(<[u8]>::len));
                })
            })
            .await;
        }
        lengths
    }

    #[tokio::test]
    async fn a_batch_arrives_in_its_segments() {
        let (mut here, mut there) = pair();
        let batch = vec![7; 40 * 1452 + 100];
        assert_eq!(
            send(&mut here, &transmit(&there, 1452, batch.len()), &batch).await,
            SendOutcome::Sent
        );
        let mut expected = vec![1452; 40];
        expected.push(100);
        assert_eq!(receive(&mut there, 41).await, expected);
    }

    #[tokio::test]
    async fn a_batch_with_more_segments_than_one_call_takes_goes_out_in_several() {
        let (mut here, mut there) = pair();
        let batch = vec![7; 300 * 100];
        assert_eq!(
            send(&mut here, &transmit(&there, 100, batch.len()), &batch).await,
            SendOutcome::Sent
        );
        assert_eq!(receive(&mut there, 300).await, vec![100; 300]);
    }

    #[tokio::test]
    async fn a_datagram_that_is_too_large_is_lost_and_the_socket_lives() {
        let (mut here, mut there) = pair();
        let batch = vec![7; 65_536];
        assert_eq!(
            send(&mut here, &transmit(&there, 65_536, batch.len()), &batch).await,
            SendOutcome::TooLarge
        );
        assert_eq!(
            send(&mut here, &transmit(&there, 10, 10), &batch[..10]).await,
            SendOutcome::Sent
        );
        assert_eq!(receive(&mut there, 1).await, [10]);
    }

    #[tokio::test]
    async fn a_source_address_that_the_machine_does_not_have_is_left_to_the_kernel() {
        let plan = BindPlan::Port(0);
        let (mut here, (_, mut there)) = (bind(&plan).unwrap(), pair());
        let mut gone = transmit(&there, 1000, 30_000);
        gone.local = Some("192.0.2.77".parse().unwrap());
        for _ in 0..2 {
            assert_eq!(
                send(&mut here, &gone, &[7; 30_000]).await,
                SendOutcome::Sent
            );
            assert_eq!(receive(&mut there, 30).await, vec![1000; 30]);
        }
        assert!(
            here.sockets[0].sends_segments(),
            "the kernel's complaint about the address cost the segmentation offload"
        );
    }

    #[tokio::test]
    async fn every_socket_gets_its_turn() {
        let plan = BindPlan::Addresses(vec![
            "127.0.0.1:0".parse().unwrap(),
            "127.0.0.1:0".parse().unwrap(),
        ]);
        let (mut here, mut there) = (pair().0, bind(&plan).unwrap());
        for (_, remote) in there.bound() {
            for _ in 0..50 {
                let single = Transmit {
                    remote,
                    ..transmit(&there, 10, 10)
                };
                send(&mut here, &single, &[7; 10]).await;
            }
        }
        let mut order = Vec::new();
        while order.len() < 2 {
            poll_fn(|context| {
                there.poll_receive(context, |arrival, _, _| order.push(arrival.socket))
            })
            .await;
            order.dedup();
        }
        assert_eq!(
            order,
            [SocketId(0), SocketId(1)],
            "the second socket waited until the first was empty"
        );
    }
}
