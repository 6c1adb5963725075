//! Who is let in, as `--allow` says it.

use std::str::FromStr;

use keyway::NodeId;

/// One word after --allow.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Any,
    Node(NodeId),
}

impl FromStr for Admission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::Any);
        }
        text.parse()
            .map(Self::Node)
            .map_err(|error| format!("{error}; write a node id alone, or `any`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_admitted_by_a_typing_mistake() {
        assert_eq!("any".parse(), Ok(Admission::Any));
        assert!("Any".parse::<Admission>().is_err());
        assert!("".parse::<Admission>().is_err());
    }
}
