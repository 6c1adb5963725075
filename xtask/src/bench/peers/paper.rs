//! The figures as a page of Markdown, and as bars to be drawn.

use serde_json::{Value, json};

use super::programs::Row;
use super::results::{Results, Spread};

/// What a page is written of.
pub(super) struct Facts<'a> {
    pub(super) rows: &'a [Row],
    /// The names of peers that did not build.
    pub(super) unbuilt: &'a [String],
    pub(super) results: &'a Results,
    /// What was measured on, one fact a line.
    pub(super) machine: Vec<String>,
    /// What was typed.
    pub(super) command: String,
}

/// One figure that is shown.
#[derive(Clone, Copy)]
struct Column {
    title: &'static str,
    workload: &'static str,
    figure: &'static str,
}

const fn column(title: &'static str, workload: &'static str, figure: &'static str) -> Column {
    Column {
        title,
        workload,
        figure,
    }
}

const STREAM: Column = column("one stream, Gbit/s", "stream", "gbit_s");
const STREAMS8: Column = column("eight streams, Gbit/s", "streams8", "gbit_s");
const REVERSE: Column = column("reverse, Gbit/s", "reverse", "gbit_s");
const CPU: Column = column("CPU, s/GiB", "stream", "cpu_s_per_gib");
const SENDER: Column = column("sender, CPU s/GiB", "stream", "sender_cpu_s_per_gib");
const RECEIVER: Column = column("receiver, CPU s/GiB", "stream", "receiver_cpu_s_per_gib");
const PING: Column = column("ping-pong p50, µs", "ping", "p50_us");
const PING_P99: Column = column("ping-pong p99, µs", "ping", "p99_us");
const CONNECT: Column = column("connect p50, ms", "connect", "p50_ms");
const CONNECTS: Column = column("connects/s", "connect", "per_second");
const DATAGRAMS: Column = column("datagrams/s", "datagrams", "per_second");
const ARRIVED: Column = column("of them arrived, %", "datagrams", "arrived_percent");
const MEMORY_1: Column = column("server with one connection, MiB", "memory", "mib_at_1");
const MEMORY_100: Column = column("each of 100, KiB", "memory", "kib_each_at_100");
const MEMORY_1000: Column = column("each of 1,000, KiB", "memory", "kib_each_at_1000");
const MEMORY_10000: Column = column("each of 10,000, KiB", "memory", "kib_each_at_10000");

/// The tables of figures.
const TABLES: [(&str, &[Column]); 3] = [
    ("Bulk data", &[STREAM, STREAMS8, REVERSE, SENDER, RECEIVER]),
    ("Latency", &[PING, PING_P99, CONNECT, CONNECTS]),
    (
        "Datagrams and memory",
        &[
            DATAGRAMS,
            ARRIVED,
            MEMORY_1,
            MEMORY_100,
            MEMORY_1000,
            MEMORY_10000,
        ],
    ),
];

/// What is compared between rows.
const COMPARED: [Column; 11] = [
    STREAM,
    STREAMS8,
    REVERSE,
    CPU,
    PING,
    PING_P99,
    CONNECT,
    CONNECTS,
    DATAGRAMS,
    MEMORY_1000,
    MEMORY_10000,
];

/// What is drawn.
const DRAWN: [Column; 6] = [STREAM, CPU, PING, CONNECT, DATAGRAMS, MEMORY_1000];

/// The page.
pub(super) fn write(facts: &Facts<'_>) -> String {
    let mut page = String::from("# Keyway beside others\n\n");
    page += "Written by `cargo xtask bench peers`; [benches/README.md](../README.md) says how to read it. ";
    page += "Medians, with the least and the most of all rounds in parentheses.\n\n";
    page += "![the medians as bars](peers.svg)\n\n";
    page += &format!("- command: `{}`\n", facts.command);
    for fact in &facts.machine {
        page += &format!("- {fact}\n");
    }
    page += "\n## Rows\n\n| row | version | settings |\n|---|---|---|\n";
    for row in facts.rows {
        let version = row.version.as_deref().unwrap_or("–");
        page += &format!("| {} | {version} | {} |\n", row.name, row.about);
    }
    for (title, columns) in TABLES {
        page += &table(title, columns, facts.rows, |row, column| {
            figure(facts.results, row, column)
        });
    }
    for reference in ["quinn", "ceiling"] {
        let title = format!("As many times as {reference}, in the same round");
        page += &table(&title, &COMPARED, facts.rows, |row, column| {
            (row.name != reference)
                .then(|| ratio(facts.results, &row.name, reference, column))
                .flatten()
        });
    }
    page += &ours(facts);
    page += &failures(facts);
    page
}

/// A table with those columns and rows in which there is anything; nothing, if there is none.
fn table(
    title: &str,
    columns: &[Column],
    rows: &[Row],
    cell: impl Fn(&Row, Column) -> Option<String>,
) -> String {
    let columns: Vec<Column> = columns
        .iter()
        .copied()
        .filter(|column| rows.iter().any(|row| cell(row, *column).is_some()))
        .collect();
    if columns.is_empty() {
        return String::new();
    }
    let titles: Vec<&str> = columns.iter().map(|column| column.title).collect();
    let mut text = format!("\n## {title}\n\n| | {} |\n", titles.join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(columns.len()));
    for row in rows {
        let cells: Vec<Option<String>> = columns.iter().map(|column| cell(row, *column)).collect();
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells
                .into_iter()
                .map(|cell| cell.unwrap_or_else(|| "–".to_owned()))
                .collect();
            text += &format!("| {} | {} |\n", row.name, cells.join(" | "));
        }
    }
    text
}

fn figure(results: &Results, row: &Row, column: Column) -> Option<String> {
    let spread = results.spread(&row.name, column.workload, column.figure);
    let failed = results
        .failures()
        .any(|(name, workload, ..)| name == row.name && workload == column.workload);
    match spread {
        Some(spread) if failed => Some(format!("{} (some failed)", number(spread.median))),
        Some(spread) => Some(shown(spread)),
        None => failed.then(|| "failed".to_owned()),
    }
}

fn ratio(results: &Results, row: &str, to: &str, column: Column) -> Option<String> {
    results
        .ratio(row, to, column.workload, column.figure)
        .map(shown)
}

/// Each row of ours divided by each other one.
fn ours(facts: &Facts<'_>) -> String {
    let is_ours = |row: &&Row| row.name.starts_with("keyway");
    let mut text = String::new();
    for our in facts.rows.iter().filter(is_ours) {
        let title = format!(
            "{}, as many times as each other, in the same round",
            our.name
        );
        text += &table(&title, &COMPARED, facts.rows, |row, column| {
            (row.name != our.name)
                .then(|| ratio(facts.results, &our.name, &row.name, column))
                .flatten()
        });
    }
    text
}

fn failures(facts: &Facts<'_>) -> String {
    let mut lines: Vec<String> = facts
        .unbuilt
        .iter()
        .map(|name| format!("- {name} does not build\n"))
        .collect();
    lines.extend(
        facts
            .results
            .failures()
            .map(|(row, workload, round, reason)| {
                format!("- {row}, {workload}, round {}: {reason}\n", round + 1)
            }),
    );
    if lines.is_empty() {
        return String::new();
    }
    format!("\n## Failures\n\n{}", lines.concat())
}

/// What the program `plot` draws: panels of bars.
pub(super) fn bars(results: &Results, rows: &[Row]) -> Value {
    let panels = DRAWN.iter().filter_map(|column| {
        let bars: Vec<Value> = rows
            .iter()
            .filter_map(|row| {
                let spread = results.spread(&row.name, column.workload, column.figure)?;
                Some(json!({
                    "name": row.name,
                    "median": spread.median,
                    "least": spread.least,
                    "most": spread.most,
                }))
            })
            .collect();
        (!bars.is_empty()).then(|| json!({"title": column.title, "bars": bars}))
    });
    Value::Array(panels.collect())
}

/// A median with the least and the most.
pub(in crate::bench) fn shown(spread: Spread) -> String {
    if spread.least.total_cmp(&spread.most).is_eq() {
        return number(spread.median);
    }
    let Spread {
        median,
        least,
        most,
    } = spread;
    format!("{} ({}–{})", number(median), number(least), number(most))
}

/// Three digits that say something; more only in front of the point.
pub(in crate::bench) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => thousands(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// With a comma for each three digits.
fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::Figures;
    use super::*;

    fn row(name: &str) -> Row {
        Row {
            name: name.to_owned(),
            program: "p".into(),
            version: Some(format!("{name} 1.0")),
            about: "as it comes".to_owned(),
            workloads: Vec::new(),
        }
    }

    fn measured() -> Results {
        let mut results = Results::default();
        for (round, speed) in [(0, 1.0), (1, 2.0), (2, 4.0)] {
            for (name, factor) in [("keyway", 6.0), ("quinn", 3.0), ("ceiling", 12.0)] {
                let figures = Figures::from([("gbit_s".to_owned(), factor * speed)]);
                results.add(round, name, "stream", Ok(figures));
            }
        }
        results.add(0, "broken", "stream", Err("no such thing".to_owned()));
        results
    }

    fn page() -> String {
        let rows: Vec<Row> = ["ceiling", "keyway", "quinn", "broken"].map(row).into();
        write(&Facts {
            rows: &rows,
            unbuilt: &["heavy".to_owned()],
            results: &measured(),
            machine: vec!["CPU: fast".to_owned()],
            command: "cargo xtask bench peers".to_owned(),
        })
    }

    #[test]
    fn a_page_has_medians_with_their_spread_and_ratios() {
        let page = page();
        for line in [
            "- CPU: fast",
            "| keyway | keyway 1.0 | as it comes |",
            "| | one stream, Gbit/s |",
            "| keyway | 12.0 (6.00–24.0) |",
            "## As many times as quinn, in the same round",
            "| keyway | 2.00 |",
            "## As many times as ceiling, in the same round",
            "| keyway | 0.50 |",
            "## keyway, as many times as each other, in the same round",
        ] {
            assert!(
                page.lines().any(|there| there.starts_with(line)),
                "{line} in\n{page}"
            );
        }
    }

    #[test]
    fn what_failed_is_told_and_what_nobody_measured_has_no_table() {
        let page = page();
        assert!(page.contains("| broken | failed |"), "{page}");
        assert!(page.contains("- broken, stream, round 1: no such thing"));
        assert!(page.contains("- heavy does not build"));
        assert!(!page.contains("## Latency"));
    }

    #[test]
    fn bars_are_the_medians_of_what_there_is() {
        let bars = bars(&measured(), &[row("keyway"), row("broken")]);
        assert_eq!(
            bars,
            json!([{
                "title": "one stream, Gbit/s",
                "bars": [{"name": "keyway", "median": 12.0, "least": 6.0, "most": 24.0}]
            }])
        );
    }

    #[test]
    fn numbers_have_three_digits_that_say_something() {
        let shown = [0.052, 0.5, 7.449, 17.25, 111.4, 604_321.0, -2_000.0].map(number);
        let expected = ["0.052", "0.50", "7.45", "17.2", "111", "604,321", "-2,000"];
        assert_eq!(shown, expected);
    }
}
