//! What goes from the measured programs to `cargo xtask bench peers`: one line of JSON each.

use std::collections::BTreeMap;

use serde::Serialize;

/// Figures by their names, which end in their units: `gbit_s`, `p50_us`.
pub type Figures = BTreeMap<&'static str, f64>;

/// One line on standard output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The server can be connected to; this is what the other role needs to know.
    Ready(String),
    /// A workload ran to its end.
    Figures(Figures),
    /// It did not, for this reason.
    Failed(String),
}

impl Report {
    /// Prints the line.
    #[expect(
        clippy::print_stdout,
        reason = "standard output is where the figures go"
    )]
    pub(crate) fn print(&self) {
        match serde_json::to_string(self) {
            Ok(line) => println!("{line}"),
            Err(error) => println!("{{\"failed\":\"{error}\"}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_that_names_its_kind() {
        let line = |report: &Report| serde_json::to_string(report).unwrap();
        let figures = Figures::from([("gbit_s", 7.5)]);
        assert_eq!(
            line(&Report::Figures(figures)),
            r#"{"figures":{"gbit_s":7.5}}"#
        );
        assert_eq!(line(&Report::Ready("a\nb".into())), r#"{"ready":"a\nb"}"#);
        assert_eq!(line(&Report::Failed("why".into())), r#"{"failed":"why"}"#);
    }
}
