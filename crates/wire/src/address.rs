use std::net::{IpAddr, SocketAddr};

use crate::codec::{Reader, Truncated, Writer};

/// Octets of an IPv4 address with its port.
const V4_LEN: usize = 1 + 4 + 2;
/// Octets of an IPv6 address with its port.
const V6_LEN: usize = 1 + 16 + 2;

/// The one spelling of an address that is compared, filtered and sent: an IPv4 address inside IPv6 (`::ffff:a.b.c.d`)
/// becomes that IPv4 address, the flow label goes. The scope of a link-local address stays: without it, the address
/// means nothing to this host.
///
/// Every address that comes from outside (the wire, a socket, a user) passes here before anybody compares it: filters of
/// others were passed by another spelling of a forbidden address more than once.
///
/// ```
/// use keyway_wire::canonical_address;
///
/// let mapped = "[::ffff:192.0.2.7]:4100".parse().unwrap();
/// assert_eq!(canonical_address(mapped), Ok("192.0.2.7:4100".parse().unwrap()));
/// assert!(canonical_address("0.0.0.0:4100".parse().unwrap()).is_err());
/// ```
///
/// # Errors
///
/// Port 0 and the unspecified addresses (`0.0.0.0`, `::`), to which nothing can be sent.
pub fn canonical_address(address: SocketAddr) -> Result<SocketAddr, AddressError> {
    let address = spelled_canonically(address);
    if address.port() == 0 {
        return Err(AddressError::PortZero);
    }
    if address.ip().is_unspecified() {
        return Err(AddressError::Unspecified);
    }
    Ok(address)
}

fn spelled_canonically(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V6(_), SocketAddr::V6(mut v6)) => {
            v6.set_flowinfo(0);
            v6.into()
        }
        (ip, _) => SocketAddr::new(ip, address.port()),
    }
}

/// Reads an address: an octet that is 4 or 6, the IP address, the port in 2 octets.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<SocketAddr, ReadError> {
    let ip = match reader.octet()? {
        4 => IpAddr::from(*reader.array::<4>()?),
        6 => IpAddr::from(*reader.array::<16>()?),
        family => return Err(AddressError::UnknownFamily { family }.into()),
    };
    if ip.to_canonical() != ip {
        return Err(AddressError::Mapped.into());
    }
    let port = u16::from_be_bytes(*reader.array()?);
    Ok(canonical_address(SocketAddr::new(ip, port))?)
}

/// Writes what [`read`] reads. IPv4 inside IPv6 is written as IPv4; flow label and scope are not written.
pub(crate) fn write(writer: &mut Writer<'_>, address: SocketAddr) {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => writer.octet(4).bytes(&v4.octets()),
        IpAddr::V6(v6) => writer.octet(6).bytes(&v6.octets()),
    };
    writer.bytes(&address.port().to_be_bytes());
}

/// Octets that [`write`] writes.
pub(crate) fn len(address: SocketAddr) -> usize {
    match address.ip().to_canonical() {
        IpAddr::V4(_) => V4_LEN,
        IpAddr::V6(_) => V6_LEN,
    }
}

/// Why an address could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    Truncated(Truncated),
    Invalid(AddressError),
}

impl From<Truncated> for ReadError {
    fn from(error: Truncated) -> Self {
        Self::Truncated(error)
    }
}

impl From<AddressError> for ReadError {
    fn from(error: AddressError) -> Self {
        Self::Invalid(error)
    }
}

/// Why an address is not one that Keyway sends to, or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// On the wire: neither 4 nor 6.
    #[error("address family {family} is neither 4 nor 6")]
    UnknownFamily {
        /// The octet in its place.
        family: u8,
    },
    /// Port 0 names no socket.
    #[error("an address has no port 0")]
    PortZero,
    /// `0.0.0.0` or `::`, which some systems take for themselves.
    #[error("the unspecified address names no host")]
    Unspecified,
    /// On the wire: an IPv4 address inside an IPv6 address, which would be a second spelling of the same address.
    #[error("an IPv4 address is not written inside an IPv6 address")]
    Mapped,
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    // R6.12
    #[test]
    fn ipv4_inside_ipv6_becomes_ipv4() {
        assert_eq!(
            canonical_address(address("[::ffff:192.0.2.7]:4100")),
            Ok(address("192.0.2.7:4100"))
        );
        assert_eq!(
            canonical_address(address("[2001:db8::1]:4100")),
            Ok(address("[2001:db8::1]:4100"))
        );
    }

    #[test]
    fn the_flow_label_goes_and_the_scope_stays() {
        let local = "fe80::1".parse().unwrap();
        let canonical = canonical_address(SocketAddrV6::new(local, 9, 77, 3).into());
        assert_eq!(canonical, Ok(SocketAddrV6::new(local, 9, 0, 3).into()));
    }

    // R6, R6.12
    #[test]
    fn addresses_that_name_no_host_are_refused_in_every_spelling() {
        for text in ["0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"] {
            assert_eq!(
                canonical_address(address(text)),
                Err(AddressError::Unspecified),
                "{text}"
            );
        }
        assert_eq!(
            canonical_address(address("192.0.2.7:0")),
            Err(AddressError::PortZero)
        );
    }

    fn parse(bytes: &[u8]) -> Result<SocketAddr, ReadError> {
        read(&mut Reader::new(bytes))
    }

    #[test]
    fn golden_bytes() {
        let v4 = [4, 192, 0, 2, 7, 0x10, 0x04];
        let v6 = [
            6, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff,
        ];
        for (bytes, text) in [
            (&v4[..], "192.0.2.7:4100"),
            (&v6[..], "[2001:db8::1]:65535"),
        ] {
            assert_eq!(parse(bytes), Ok(address(text)));
            let mut out = [0xa5; 20];
            write(&mut Writer::new(&mut out), address(text));
            assert_eq!(len(address(text)), bytes.len());
            assert_eq!(&out[..bytes.len()], bytes);
            assert!(out[bytes.len()..].iter().all(|octet| *octet == 0xa5));
            for length in 0..bytes.len() {
                assert!(
                    matches!(parse(&bytes[..length]), Err(ReadError::Truncated(_))),
                    "{text} cut to {length}"
                );
            }
        }
    }

    // R6.12
    #[test]
    fn what_is_not_canonical_on_the_wire_is_refused() {
        let refused = |bytes: &[u8]| match parse(bytes) {
            Err(ReadError::Invalid(error)) => error,
            other => panic!("{other:?}"),
        };
        let mapped = [
            6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7, 1, 1,
        ];
        assert_eq!(refused(&mapped), AddressError::Mapped);
        assert_eq!(refused(&[4, 0, 0, 0, 0, 1, 1]), AddressError::Unspecified);
        assert_eq!(refused(&[4, 192, 0, 2, 7, 0, 0]), AddressError::PortZero);
        assert_eq!(refused(&[5]), AddressError::UnknownFamily { family: 5 });
    }

    #[test]
    fn ipv4_inside_ipv6_is_written_as_ipv4() {
        let mut out = [0; 7];
        let mapped = address("[::ffff:192.0.2.7]:4100");
        write(&mut Writer::new(&mut out), mapped);
        assert_eq!(parse(&out), Ok(address("192.0.2.7:4100")));
        assert_eq!(len(mapped), out.len());
    }
}
