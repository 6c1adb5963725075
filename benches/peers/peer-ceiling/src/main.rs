//! Sealed UDP without a protocol: what kernel and cipher leave to any transport.
//!
//! Packets of 1,452 octets, sealed in place with AES-256-GCM, are sent up to 45 in one call (GSO), received as many at
//! once (GRO), and opened in place. At most 2 MiB are on the way, and the receiver tells every 256 KiB how far it is, so that nothing is lost;
//! nothing is sent again either. There are no streams, no connections, no timers: whatever a transport adds costs time on top.

mod cipher;
mod socket;
mod transfer;

use std::net::UdpSocket;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use harness::{Figures, Plan, Stopwatch, Timings, Variant, Workload, now};

use crate::cipher::Cipher;
use crate::transfer::{Datagrams, OVERHEAD, PACKET_MAX};

/// What is sent before anything is measured.
const WARM_UP: u64 = 48 * 1024 * 1024;
/// The share of the planned time for which data go once more before it counts.
const REHEARSAL: f64 = 0.25;
/// Round trips before the measured ones.
const PINGS_WARM_UP: u32 = 500;
/// The length of a message that goes back and forth.
const PING: usize = 64;
/// The length of the datagrams that all libraries are measured with.
const DATAGRAM: usize = 1_200;

const VARIANTS: &[Variant] = &[
    Variant {
        name: "ceiling",
        package: None,
        about: "sealed UDP without a protocol: AES-256-GCM, 1,452-byte packets, GSO and GRO; blocks while it waits",
        workloads: &[
            Workload::Stream,
            Workload::Streams8,
            Workload::Reverse,
            Workload::Ping,
            Workload::Datagrams,
        ],
    },
    Variant {
        name: "ceiling-spinning",
        package: None,
        about: "the same, polling while it waits",
        workloads: &[Workload::Ping],
    },
];

fn main() -> ExitCode {
    harness::run_with(VARIANTS, serve, measure)
}

fn spins(variant: &str) -> bool {
    variant == "ceiling-spinning"
}

/// What the client asks for, in the clear: there is no handshake here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// Receive so many packets of this length.
    Take { packets: u64, length: u64 },
    /// Send them.
    Give { packets: u64, length: u64 },
    /// Send back every packet.
    Echo,
}

impl Request {
    fn emit(self) -> [u8; 17] {
        let (kind, packets, length) = match self {
            Self::Take { packets, length } => (0, packets, length),
            Self::Give { packets, length } => (1, packets, length),
            Self::Echo => (2, 0, 0),
        };
        let mut octets = [kind; 17];
        octets[1..9].copy_from_slice(&packets.to_be_bytes());
        octets[9..].copy_from_slice(&length.to_be_bytes());
        octets
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let (packets, length) = rest.split_first_chunk::<8>()?;
        let packets = u64::from_be_bytes(*packets);
        let length = u64::from_be_bytes(length.try_into().ok()?);
        match kind {
            0 => Some(Self::Take { packets, length }),
            1 => Some(Self::Give { packets, length }),
            2 => Some(Self::Echo),
            _ => None,
        }
    }
}

fn serve(variant: &'static str) -> Result<()> {
    let socket = socket::bind()?;
    harness::announce(&socket.local_addr()?.to_string());
    let cipher = Cipher::new()?;
    let mut octets = [0; 64];
    let (_, client) = socket.peek_from(&mut octets)?;
    socket.connect(client)?;
    loop {
        let length = socket.recv(&mut octets)?;
        let request = Request::parse(&octets[..length]).context("not a request")?;
        // The answer: a client that hears nothing would wait for ever.
        socket.send(&octets[..length])?;
        match request {
            Request::Take { packets, length } => {
                transfer::receive(&socket, &cipher, Datagrams::new(packets, length)?)?;
            }
            Request::Give { packets, length } => {
                transfer::send(&socket, &cipher, Datagrams::new(packets, length)?)?;
            }
            Request::Echo => return echo(&socket, &cipher, spins(variant)),
        }
    }
}

fn measure(
    variant: &'static str,
    workload: Workload,
    server: u32,
    address: &str,
    plan: &Plan,
) -> Result<Figures> {
    let socket = socket::bind()?;
    socket.connect(address)?;
    let end = End {
        socket,
        cipher: Cipher::new()?,
        server,
    };
    match workload {
        // Streams are a matter of protocols: without one, eight are as one.
        Workload::Stream | Workload::Streams8 => {
            let (packets, lap) = end.transfer(PACKET_MAX, true, plan.seconds)?;
            Ok(lap.bulk(payload(packets, PACKET_MAX), true))
        }
        Workload::Reverse => {
            let (packets, lap) = end.transfer(PACKET_MAX, false, plan.seconds)?;
            Ok(lap.bulk(payload(packets, PACKET_MAX), false))
        }
        Workload::Datagrams => {
            let (packets, lap) = end.transfer(DATAGRAM + OVERHEAD, true, plan.seconds)?;
            Ok(lap.datagrams(packets, packets))
        }
        Workload::Ping => end.ping(plan.pings, spins(variant)),
        Workload::Steady | Workload::Connect | Workload::Memory => {
            anyhow::bail!("there are no connections")
        }
    }
}

fn payload(packets: u64, length: usize) -> u64 {
    packets * (length - OVERHEAD) as u64
}

/// The measuring end.
struct End {
    socket: UdpSocket,
    cipher: Cipher,
    server: u32,
}

impl End {
    /// Sends for about as long as planned: how many packets, and what it took.
    fn transfer(&self, length: usize, up: bool, seconds: f64) -> Result<(u64, harness::Lap)> {
        let mut packets = WARM_UP / length as u64;
        for seconds in [REHEARSAL * seconds, seconds] {
            let lap = self.once(packets, length, up)?;
            // The conversion saturates.
            packets = ((packets as f64 / lap.took.as_secs_f64() * seconds) as u64).max(1_000);
        }
        Ok((packets, self.once(packets, length, up)?))
    }

    fn once(&self, packets: u64, length: usize, up: bool) -> Result<harness::Lap> {
        let datagrams = Datagrams::new(packets, length as u64)?;
        let (packets, length) = (packets, length as u64);
        let stopwatch = Stopwatch::start(self.server)?;
        if up {
            self.ask(Request::Take { packets, length })?;
            transfer::send(&self.socket, &self.cipher, datagrams)?;
        } else {
            self.ask(Request::Give { packets, length })?;
            transfer::receive(&self.socket, &self.cipher, datagrams)?;
        }
        stopwatch.read()
    }

    /// Waits for the answer: what was asked for begins with it.
    fn ask(&self, request: Request) -> Result<()> {
        let request = request.emit();
        self.socket.send(&request)?;
        let mut answer = [0; 64];
        let length = self.socket.recv(&mut answer)?;
        ensure!(
            answer[..length] == request,
            "the server answers something else"
        );
        Ok(())
    }

    fn ping(&self, rounds: u32, spins: bool) -> Result<Figures> {
        self.ask(Request::Echo)?;
        self.socket.set_nonblocking(spins)?;
        let mut timings = Timings::default();
        let mut packet = [0xa5; PING + OVERHEAD];
        let mut number = 0;
        for round in 0..PINGS_WARM_UP + rounds {
            let start = now();
            number += 1;
            self.cipher.seal(number, &mut packet)?;
            self.socket.send(&packet)?;
            let length = socket::receive(&self.socket, &mut packet, spins)?;
            ensure!(length == packet.len(), "another packet came back");
            number = self.cipher.open(&mut packet)?;
            if round >= PINGS_WARM_UP {
                timings.push(start.elapsed());
            }
        }
        Ok(timings.round_trips())
    }
}

/// Opens every packet, and sends it back sealed anew, under the next number.
fn echo(socket: &UdpSocket, cipher: &Cipher, spins: bool) -> Result<()> {
    socket.set_nonblocking(spins)?;
    let mut packet = [0; PING + OVERHEAD];
    loop {
        socket::receive(socket, &mut packet, spins)?;
        let number = cipher.open(&mut packet)?;
        cipher.seal(number + 1, &mut packet)?;
        socket.send(&packet)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_arrive_as_they_were_meant() {
        let (packets, length) = (u64::MAX, 1_452);
        let requests = [
            Request::Take { packets, length },
            Request::Give { packets, length },
            Request::Echo,
        ];
        for request in requests {
            assert_eq!(Request::parse(&request.emit()), Some(request));
        }
        assert_eq!(Request::parse(&[0; 16]), None);
        assert_eq!(Request::parse(&[9; 17]), None);
    }

    #[test]
    fn what_is_sent_on_one_socket_arrives_whole_at_another() {
        let (here, there) = (socket::bind().unwrap(), socket::bind().unwrap());
        here.connect(there.local_addr().unwrap()).unwrap();
        there.connect(here.local_addr().unwrap()).unwrap();
        let datagrams = Datagrams::new(5_000, PACKET_MAX as u64).unwrap();
        let receiving =
            std::thread::spawn(move || transfer::receive(&there, &Cipher::new()?, datagrams));
        transfer::send(&here, &Cipher::new().unwrap(), datagrams).unwrap();
        receiving.join().unwrap().unwrap();
    }
}
