//! The counts as rows on a terminal, and as the page of Markdown that the next ones are compared with.

use super::Counts;

/// What stands above the rows.
pub(super) fn heading() -> String {
    line("", "instructions", "committed", "change")
}

/// One case, beside what is committed of it.
pub(super) fn row(case: &str, count: f64, before: Option<f64>) -> String {
    let (committed, change) = match before {
        Some(before) => (shown(before), format!("{:+.1} %", percent(count, before))),
        None => ("–".to_owned(), "new".to_owned()),
    };
    line(case, &shown(count), &committed, &change)
}

fn line(case: &str, count: &str, committed: &str, change: &str) -> String {
    format!("{case:<58} {count:>13} {committed:>13} {change:>10}")
}

/// By how much it is more, of a hundred, to a tenth: what the page rounds off, and what moves from run to run, is below that.
fn percent(count: f64, before: f64) -> f64 {
    let tenths = ((count - before) / before * 1_000.0).round();
    // Not -0.
    tenths / 10.0 + 0.0
}

/// The page; `tools` are those that the counts depend on.
pub(super) fn page(counts: &[(&str, f64)], tools: &[String]) -> String {
    let mut page = String::from("# Instructions for one operation of each layer\n\n");
    page += "Written by `cargo xtask bench counts --write`; [benches/README.md](../README.md) says how to read it.\n\n";
    for tool in tools {
        page += &format!("- {tool}\n");
    }
    page += "\n| operation | instructions |\n|---|---:|\n";
    for (case, count) in counts {
        page += &format!("| {case} | {} |\n", shown(*count));
    }
    page
}

/// The counts on such a page.
pub(super) fn parse(page: &str) -> Counts {
    page.lines()
        .filter_map(|line| {
            let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let (case, count) = cells.split_once(" | ")?;
            Some((case.to_owned(), count.replace(',', "").parse().ok()?))
        })
        .collect()
}

/// With a comma between thousands, and one decimal where a half would be a matter of per mille.
fn shown(count: f64) -> String {
    let digits = format!("{count:.0}");
    match digits.len() {
        0..=3 => format!("{count:.1}"),
        len => digits
            .char_indices()
            .flat_map(|(place, digit)| {
                let comma = place > 0 && (len - place) % 3 == 0;
                comma.then_some(',').into_iter().chain([digit])
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas_and_small_numbers_a_decimal() {
        assert_eq!(shown(15.94), "15.9");
        assert_eq!(shown(999.4), "999.4");
        assert_eq!(shown(1_000.4), "1,000");
        assert_eq!(shown(12_345_678.0), "12,345,678");
    }

    #[test]
    fn what_is_written_is_what_is_compared_with() {
        let counts = [
            ("wire/bulk/parse", 61.5),
            ("handshake/write INIT, known", 1_234_567.0),
        ];
        let page = page(&counts, &["rustc 1.95".to_owned()]);
        let read = parse(&page);
        assert_eq!(read.len(), counts.len(), "{page}");
        for (case, count) in counts {
            assert_eq!(read.get(case), Some(&count));
        }
    }

    #[test]
    fn a_change_is_told_in_per_cent_of_what_is_committed() {
        assert!(row("seal", 2_020.0, Some(2_000.0)).ends_with("+1.0 %"));
        assert!(row("seal", 1_000.0, Some(2_000.0)).ends_with("-50.0 %"));
        assert!(row("seal", 1_999.9, Some(2_000.0)).ends_with("+0.0 %"));
        assert!(row("seal", 1_000.0, None).ends_with("new"));
    }
}
