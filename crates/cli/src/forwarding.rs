//! `LISTEN=PEER/SERVICE`: a local socket, and the service that it leads to.

use std::str::FromStr;

use crate::service::{Service, Socket};

/// One forwarding of `keyway forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forwarding {
    pub(crate) listen: Socket,
    pub(crate) service: Service,
}

impl FromStr for Forwarding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (listen, service) = text.split_once('=').ok_or_else(|| {
            format!(
                "`{text}` has no `=`: write LISTEN=PEER/SERVICE, as in tcp:127.0.0.1:9000=ID/http"
            )
        })?;
        Ok(Self {
            listen: listen.parse()?,
            service: service.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_forwarding_is_told_what_to_write() {
        assert!(
            "9000"
                .parse::<Forwarding>()
                .unwrap_err()
                .contains("LISTEN=PEER/SERVICE")
        );
        assert!(
            "9000=x/http"
                .parse::<Forwarding>()
                .unwrap_err()
                .contains("tcp:HOST:PORT")
        );
        assert!(
            "tcp:127.0.0.1:9000=x"
                .parse::<Forwarding>()
                .unwrap_err()
                .contains("PEER/SERVICE")
        );
    }
}
