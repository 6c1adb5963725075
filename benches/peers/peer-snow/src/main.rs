//! What snow as it comes allows: Keyway's handshake with its default cryptography, over UDP and nothing else.
//!
//! A connection is message 1 of 1,120 octets, message 2, one octet under the session that they make, and one back. Nothing is sent again,
//! nobody is looked up or refused, and there is one connection at a time: whatever a transport adds costs time on top.

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use harness::{Figures, Plan, Timings, Variant, Workload, now};
use snow::{Builder, HandshakeState, TransportState};

const VARIANTS: &[Variant] = &[Variant {
    name: "snow",
    package: Some("snow"),
    about: "Keyway's handshake by snow with its default cryptography, over UDP without a protocol; blocks while it waits",
    workloads: &[Workload::Connect],
}];

/// Keyway's suite.
const PROTOCOL: &str = "Noise_IKpsk2_25519_AESGCM_SHA256";
/// The preshared key of two sides that share none.
const NO_PSK: [u8; 32] = [0; 32];
/// What message 1 and message 2 say, in octets: as much as Keyway's do.
const FIRST: [u8; 982] = [0; 982];
const SECOND: [u8; 65] = [0; 65];
/// Octets of a datagram, at most.
const DATAGRAM_MAX: usize = 2_048;
/// Connections before the measured ones.
const WARM_UP: usize = 20;

fn main() -> ExitCode {
    harness::run_with(VARIANTS, serve, measure)
}

fn builder() -> Result<Builder<'static>> {
    Ok(Builder::new(PROTOCOL.parse()?).psk(2, &NO_PSK)?)
}

/// Answers whoever comes: a first message makes a session, anything shorter is sent back under the last one.
fn serve(_: &'static str) -> Result<()> {
    let keys = builder()?.generate_keypair()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    harness::announce(&format!("{} {}", socket.local_addr()?, hex(&keys.public)));
    let mut session: Option<TransportState> = None;
    let (mut packet, mut text) = ([0; DATAGRAM_MAX], [0; DATAGRAM_MAX]);
    loop {
        let (length, client) = socket.recv_from(&mut packet)?;
        if length > FIRST.len() {
            let mut noise = builder()?
                .local_private_key(&keys.private)?
                .build_responder()?;
            noise.read_message(&packet[..length], &mut text)?;
            let length = noise.write_message(&SECOND, &mut packet)?;
            socket.send_to(&packet[..length], client)?;
            session = Some(noise.into_transport_mode()?);
        } else {
            let session = session.as_mut().context("no session")?;
            let length = session.read_message(&packet[..length], &mut text)?;
            let length = session.write_message(&text[..length], &mut packet)?;
            socket.send_to(&packet[..length], client)?;
        }
    }
}

fn measure(
    _: &'static str,
    workload: Workload,
    _: u32,
    address: &str,
    plan: &Plan,
) -> Result<Figures> {
    if workload != Workload::Connect {
        bail!("a handshake makes connections, and nothing else");
    }
    let (address, key) = address.split_once(' ').context("address and key")?;
    let dialler = Dialler {
        socket: UdpSocket::bind("127.0.0.1:0")?,
        server: address.parse()?,
        key: octets(key)?,
        own: builder()?.generate_keypair()?.private,
    };
    let mut timings = Timings::default();
    for _ in 0..WARM_UP {
        dialler.connect()?;
    }
    while timings.total() < plan.seconds && timings.count() < 10_000 {
        let start = now();
        dialler.connect()?;
        timings.push(start.elapsed());
    }
    Ok(Figures::from([
        ("p50_ms", timings.percentile(50) * 1e3),
        ("p99_ms", timings.percentile(99) * 1e3),
        ("per_second", timings.count() as f64 / timings.total()),
    ]))
}

struct Dialler {
    socket: UdpSocket,
    server: SocketAddr,
    /// The server's static key, and our own.
    key: Vec<u8>,
    own: Vec<u8>,
}

impl Dialler {
    fn connect(&self) -> Result<()> {
        let builder = builder()?
            .local_private_key(&self.own)?
            .remote_public_key(&self.key)?;
        let mut noise: HandshakeState = builder.build_initiator()?;
        let (mut packet, mut text) = ([0; DATAGRAM_MAX], [0; DATAGRAM_MAX]);
        let length = noise.write_message(&FIRST, &mut packet)?;
        let length = self.exchange(&mut packet, length)?;
        noise.read_message(&packet[..length], &mut text)?;
        let mut session = noise.into_transport_mode()?;
        let length = session.write_message(&[1], &mut packet)?;
        let length = self.exchange(&mut packet, length)?;
        session.read_message(&packet[..length], &mut text)?;
        Ok(())
    }

    /// Sends the first `length` octets of `packet`, and puts the answer there.
    fn exchange(&self, packet: &mut [u8], length: usize) -> Result<usize> {
        self.socket.send_to(&packet[..length], self.server)?;
        Ok(self.socket.recv(packet)?)
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(hex: &str) -> Result<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
