//! The actor as its world drives it.

use std::net::SocketAddr;

use keyway_node::{Arrival, StreamKey};
use keyway_wire::Time;

use super::{Actor, Job, SOCKET};
use crate::program::{Program, SendTo};

impl Program for Actor {
    fn receive(
        &mut self,
        now: Time,
        remote: SocketAddr,
        local: SocketAddr,
        datagrams: &mut [u8],
        stride: usize,
    ) {
        // Nobody listens at the host's other ports.
        if local.port() != self.local.port() {
            return;
        }
        let arrival = Arrival {
            socket: SOCKET,
            remote,
            local: Some(local.ip()),
            ecn: None,
        };
        self.node.handle_batch(now, arrival, datagrams, stride);
        self.react(now);
    }

    fn wake(&mut self, now: Time) {
        self.node.handle_timeout(now);
        self.react(now);
        let flows: Vec<StreamKey> = self
            .jobs
            .iter()
            .filter(|(_, job)| matches!(job, Job::Flow(flow) if flow.due().is_some()))
            .map(|(stream, _)| *stream)
            .collect();
        flows.into_iter().for_each(|flow| self.go_on(now, flow));
        self.react(now);
    }

    fn wake_at(&self, now: Time) -> Option<Time> {
        let node = self.node.poll_timeout(now);
        node.into_iter().chain(self.user_wakes_at()).min()
    }

    fn is_relay(&self) -> bool {
        self.is_relay
    }

    fn poll_send(&mut self, now: Time, send: &mut dyn FnMut(SendTo<'_>)) {
        while let Some(transmit) = self.node.poll_transmit(now, &mut self.batch) {
            let source =
                SocketAddr::new(transmit.local.unwrap_or(self.local.ip()), self.local.port());
            let destination = transmit.remote;
            for payload in self.batch.bytes()[..transmit.len].chunks(transmit.segment_size.max(1)) {
                send(SendTo {
                    source,
                    destination,
                    payload,
                });
            }
            // Sending may raise events, and hearing them may give more to send.
            self.react(now);
        }
        self.react(now);
    }
}
