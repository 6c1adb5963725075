//! Many packets in one direction.

use std::net::UdpSocket;

use anyhow::{Context, Result, ensure};

use crate::cipher::{Cipher, HEADER, TAG};
use crate::socket;

/// What a packet has beyond its payload.
pub(crate) const OVERHEAD: usize = HEADER + TAG;
/// What a path through the internet usually takes, as UDP payload.
pub(crate) const PACKET_MAX: usize = 1_452;

/// Packets in one call: as many as 64 KiB hold.
const BATCH: usize = 45;
/// How much may be on the way: below what the receiver's socket holds.
const WINDOW: u64 = 2 * 1024 * 1024;
/// How often the receiver tells how far it is.
const REPORT: u64 = 256 * 1024;
/// As much as one call receives.
const BUFFER: usize = 64 * 1024;

/// What is sent: so many packets of one length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagrams {
    packets: u64,
    length: usize,
}

impl Datagrams {
    pub(crate) fn new(packets: u64, length: u64) -> Result<Self> {
        let length = usize::try_from(length)?;
        ensure!(
            (OVERHEAD..=PACKET_MAX).contains(&length),
            "packets of {length} octets"
        );
        Ok(Self { packets, length })
    }

    fn in_octets(self, octets: u64) -> u64 {
        octets / self.length as u64
    }
}

/// Seals and sends, and returns when the receiver has everything.
pub(crate) fn send(socket: &UdpSocket, cipher: &Cipher, datagrams: Datagrams) -> Result<()> {
    socket::set_patient(socket, false)?;
    socket::cut(socket, datagrams.length)?;
    let window = datagrams.in_octets(WINDOW);
    let mut batch = vec![0xa5; BATCH * datagrams.length];
    let (mut sent, mut confirmed) = (0, 0);
    while confirmed < datagrams.packets {
        let count = (datagrams.packets - sent).min(BATCH as u64);
        if count == 0 || sent + count - confirmed > window {
            confirmed = read_report(socket)?;
            continue;
        }
        // At most BATCH, so that the conversion loses nothing.
        let filled = &mut batch[..count as usize * datagrams.length];
        for packet in filled.chunks_exact_mut(datagrams.length) {
            cipher.seal(sent, packet)?;
            sent += 1;
        }
        socket.send(filled)?;
    }
    socket::set_patient(socket, true)
}

/// Receives and opens. Every packet has to come, and in order.
pub(crate) fn receive(socket: &UdpSocket, cipher: &Cipher, datagrams: Datagrams) -> Result<()> {
    socket::set_patient(socket, false)?;
    let every = datagrams.in_octets(REPORT);
    let mut buffer = vec![0; BUFFER];
    let (mut received, mut reported) = (0, 0);
    while received < datagrams.packets {
        let length = socket.recv(&mut buffer).context("no packet came")?;
        for packet in buffer[..length].chunks_mut(datagrams.length) {
            let number = cipher.open(packet)?;
            ensure!(number == received, "packet {received} was lost");
            received += 1;
        }
        if received - reported >= every || received == datagrams.packets {
            reported = received;
            socket.send(&received.to_be_bytes())?;
        }
    }
    socket::set_patient(socket, true)
}

/// How many packets the receiver has.
fn read_report(socket: &UdpSocket) -> Result<u64> {
    let mut report = [0; 64];
    let length = socket.recv(&mut report).context("no report came")?;
    // Several reports may have come as one: the last one is the one that counts.
    let (_, last) = report[..length]
        .split_last_chunk::<8>()
        .context("not a report")?;
    Ok(u64::from_be_bytes(*last))
}
