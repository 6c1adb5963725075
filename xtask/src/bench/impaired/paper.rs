//! The figures as a page of Markdown.

use super::super::peers::paper::{number, shown};
use super::super::peers::programs::Row;
use super::super::peers::results::{Results, Spread};
use super::way::Way;
use super::{FIGURE, PAIRS, SHARED_ROUND_TRIP, cell, cells, pair_name};

/// What a page is written of.
pub(super) struct Facts<'a> {
    pub(super) rows: &'a [Row],
    pub(super) results: &'a Results,
    /// What was measured on, one fact a line.
    pub(super) machine: Vec<String>,
    /// What was typed.
    pub(super) command: String,
    /// Mbit/s that the link carries.
    pub(super) rate: f64,
}

/// The page.
pub(super) fn write(facts: &Facts<'_>) -> String {
    let mut page = String::from("# Keyway beside quinn, where the way is bad\n\n");
    page += "Written by `cargo xtask bench impaired`; [benches/README.md](../README.md) says how to read it. ";
    page += "Goodput in Mbit/s: octets that the reading application has had. ";
    page += "Medians, with the least and the most of all rounds in parentheses.\n\n";
    page += &format!("- command: `{}`\n", facts.command);
    page += &format!(
        "- link: {} Mbit/s of UDP payload, a queue of one round trip's worth (32 packets at least), losses at random and each way\n",
        number(facts.rate)
    );
    for fact in &facts.machine {
        page += &format!("- {fact}\n");
    }
    page += "\n| row | version | settings |\n|---|---|---|\n";
    for row in facts.rows {
        let version = row.version.as_deref().unwrap_or("–");
        page += &format!("| {} | {version} | {} |\n", row.name, row.about);
    }
    page += &alone(facts);
    page += &together(facts);
    page += &failures(facts.results);
    page
}

/// One flow at a time.
fn alone(facts: &Facts<'_>) -> String {
    let names: Vec<&str> = facts.rows.iter().map(|row| row.name.as_str()).collect();
    let mut text = String::from("\n## One flow\n\n");
    text += &format!(
        "| lost | round trip | {} | {}, in the same round | CUBIC's equation |\n",
        names.join(" | "),
        names.join(" / ")
    );
    text += &format!("|---|---|{}---|---|\n", "---|".repeat(names.len()));
    for (loss, round_trip) in cells() {
        let cell = cell(loss, round_trip);
        let figures = names
            .iter()
            .map(|name| facts.results.spread(name, &cell, FIGURE));
        let figures: Vec<String> = figures.map(told).collect();
        let ratio = names
            .get(..2)
            .and_then(|names| facts.results.ratio(names[0], names[1], &cell, FIGURE));
        let way = Way {
            rate: facts.rate,
            round_trip,
            loss,
            reorder: 0.0,
            seed: 0,
        };
        text += &format!(
            "| {loss} % | {round_trip} ms | {} | {} | {} |\n",
            figures.join(" | "),
            told(ratio),
            number(way.predicted())
        );
    }
    text
}

/// Two flows on one link.
fn together(facts: &Facts<'_>) -> String {
    let mut text = format!(
        "\n## Two flows on one link\n\nNothing is lost but in the queue; the round trip is {SHARED_ROUND_TRIP} ms.\n\n"
    );
    text += "| | the one | the other | the one's share of both, % |\n|---|---|---|---|\n";
    for pair in PAIRS {
        let [one, other] = pair.map(|place| facts.rows[place].name.as_str());
        let name = pair_name(one, other);
        let figure = |side| facts.results.spread(side, &name, FIGURE);
        // Of one to both, from that of one to the other.
        let ratio = facts.results.ratio("one", "other", &name, FIGURE);
        let share = ratio.map(|ratio| {
            let percent = |ratio: f64| 100.0 * ratio / (1.0 + ratio);
            Spread {
                median: percent(ratio.median),
                least: percent(ratio.least),
                most: percent(ratio.most),
            }
        });
        text += &format!(
            "| {name} | {} | {} | {} |\n",
            told(figure("one")),
            told(figure("other")),
            told(share)
        );
    }
    text
}

fn told(spread: Option<Spread>) -> String {
    spread.map_or_else(|| "–".to_owned(), shown)
}

fn failures(results: &Results) -> String {
    let lines: Vec<String> = results
        .failures()
        .map(|(row, cell, round, reason)| {
            format!("- {row}, {cell}, round {}: {reason}\n", round + 1)
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("\n## Failures\n\n{}", lines.concat())
}

#[cfg(test)]
mod tests {
    use super::super::super::peers::results::Figures;
    use super::*;

    fn page() -> String {
        let row = |name: &str| Row {
            name: name.to_owned(),
            program: "p".into(),
            version: None,
            about: "as it comes".to_owned(),
            workloads: Vec::new(),
        };
        let mut results = Results::default();
        let mut add = |row: &str, cell: &str, speed| {
            let figures = Figures::from([(FIGURE.to_owned(), speed)]);
            results.add(0, row, cell, Ok(figures));
        };
        add("keyway", "1 % lost, 50 ms", 3.0);
        add("quinn", "1 % lost, 50 ms", 2.0);
        add("one", "keyway and quinn", 30.0);
        add("other", "keyway and quinn", 20.0);
        results.add(0, "quinn", "3 % lost, 10 ms", Err("broken".to_owned()));
        write(&Facts {
            rows: &["keyway", "quinn"].map(row),
            results: &results,
            machine: vec!["CPU: fast".to_owned()],
            command: "cargo xtask bench impaired".to_owned(),
            rate: 50.0,
        })
    }

    #[test]
    fn a_cell_has_both_rows_their_ratio_and_the_equation() {
        let page = page();
        for line in [
            "- CPU: fast",
            "| 1 % | 50 ms | 3.00 | 2.00 | 1.50 | 2.85 |",
            "| 0 % | 10 ms | – | – | – | 50.0 |",
            "| keyway and quinn | 30.0 | 20.0 | 60.0 |",
            "- quinn, 3 % lost, 10 ms, round 1: broken",
        ] {
            assert!(page.lines().any(|there| there == line), "{line} in\n{page}");
        }
    }
}
