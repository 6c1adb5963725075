//! Whose node this is: a key file, a key in the environment, or nobody's for longer than this process.

use keyway::{NodeBuilder, SecretKey};
use zeroize::Zeroizing;

use crate::arguments::Identity;
use crate::exit::Failure;
use crate::output;

/// The variable that holds the content of a key file.
const SECRET_KEY: &str = "KEYWAY_SECRET_KEY";

impl Identity {
    /// Whether this node will be somebody else at its next start.
    pub(crate) fn is_ephemeral(&self) -> bool {
        self.key.is_none() && variable().is_none()
    }

    /// Gives the builder its key. An ephemeral identity is said on stderr, together with what it means.
    pub(crate) fn apply(
        &self,
        builder: NodeBuilder,
        meaning: &str,
    ) -> Result<NodeBuilder, Failure> {
        if let Some(path) = &self.key {
            return Ok(builder.key_file(path));
        }
        if let Some(key) = from_environment()? {
            return Ok(builder.secret_key(key));
        }
        output::note(format_args!("no --key FILE: {meaning}"));
        Ok(builder)
    }
}

/// The key in the environment, where there is one.
pub(crate) fn from_environment() -> Result<Option<SecretKey>, Failure> {
    let Some(octets) = variable() else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&octets)
        .map_err(|_| wrong("not text, but it should be the content of a key file"))?;
    SecretKey::from_variable(text).map(Some).map_err(wrong)
}

/// What the variable holds, where that is more than white space. This copy is wiped; the environment itself stays where the kernel
/// put it, for this user and root to read.
fn variable() -> Option<Zeroizing<Vec<u8>>> {
    let octets = Zeroizing::new(std::env::var_os(SECRET_KEY)?.into_encoded_bytes());
    let is_blank = octets.iter().all(u8::is_ascii_whitespace);
    (!is_blank).then_some(octets)
}

fn wrong(reason: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!(
        "{SECRET_KEY}: {reason}; it takes the content of a key file, as in {SECRET_KEY}=\"$(cat agent.key)\""
    ))
}
