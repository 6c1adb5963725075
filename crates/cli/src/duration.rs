//! Spans of time on the command line.

use std::time::Duration;

/// The longest that can be said: a year. More is a typing mistake, and clocks need not bear it.
const MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads `90s`, `5m`, `24h`, `7d`, `1500ms`, or a bare number of seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        other => {
            return Err(format!(
                "unknown unit `{other}`: write ms, s, m, h or d, as in 90s or 5m"
            ));
        }
    };
    scale(number, unit)
}

/// Reads a number of seconds, whole or with a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    scale(text, 1.0)
}

fn scale(number: &str, unit: f64) -> Result<Duration, String> {
    let number: f64 = number
        .parse()
        .map_err(|_| format!("`{number}` is not a number"))?;
    let duration = Duration::try_from_secs_f64(number * unit)
        .map_err(|_| format!("{number} is not a span of time"))?;
    if duration.is_zero() || duration > MAX {
        return Err("must be more than nothing and at most a year".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(parse("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(seconds("0.2"), Ok(Duration::from_millis(200)));
    }

    #[test]
    fn what_is_no_span_is_refused_with_a_reason() {
        for wrong in [
            "",
            "0",
            "-1",
            "5 m",
            "5w",
            "1e9",
            "nan",
            "inf",
            "99999999h",
            "s",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(seconds("5m").is_err());
        assert!(seconds("inf").is_err());
    }
}
