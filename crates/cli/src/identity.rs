//! Whose node this is: a key file, a key in the environment, or nobody's for longer than this process.

use keyway::{NodeBuilder, SecretKey};

use crate::arguments::Identity;
use crate::exit::Failure;

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
        eprintln!("keyway: no --key FILE: {meaning}");
        Ok(builder)
    }
}

/// The key in the environment, where there is one.
pub(crate) fn from_environment() -> Result<Option<SecretKey>, Failure> {
    let Some(text) = std::env::var_os(SECRET_KEY) else {
        return Ok(None);
    };
    let text = text
        .to_str()
        .ok_or_else(|| Failure::usage(format!("{SECRET_KEY} is not text")))?;
    if text.is_empty() {
        return Ok(None);
    }
    match SecretKey::from_variable(text) {
        Ok(key) => Ok(Some(key)),
        Err(error) => Err(Failure::usage(format!(
            "{SECRET_KEY}: {error}; it holds the content of a key file"
        ))),
    }
}
