//! Whose node this is: a key file, a key in the environment, or nobody's for longer than this process.

use keyway::{NodeBuilder, SecretKey};
use zeroize::Zeroizing;

use crate::arguments::Identity;
use crate::exit::Failure;
use crate::output;

/// The variable that holds the content of a key file.
const SECRET_KEY: &str = "KEYWAY_SECRET_KEY";

impl Identity {
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
    let Some(text) = std::env::var_os(SECRET_KEY) else {
        return Ok(None);
    };
    // This copy is wiped. The environment itself stays where the kernel put it, and can be read by this user and root.
    let text = match text.into_string() {
        Ok(text) => Zeroizing::new(text),
        Err(_) => {
            return Err(wrong(
                "not text, but it should be the content of a key file",
            ));
        }
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    SecretKey::from_variable(&text).map(Some).map_err(wrong)
}

fn wrong(reason: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!(
        "{SECRET_KEY}: {reason}; it takes the content of a key file, as in {SECRET_KEY}=\"$(cat agent.key)\""
    ))
}
