//! Sizes on the command line.

/// With less, the guaranteed windows are all there is, and everything crawls.
const LEAST: u64 = 1 << 20;

/// Reads an amount of memory: `512M`, `64MiB`, `2Gi`, or a bare number of octets. Units are powers of 1,024, as in `MemoryMax` of
/// systemd.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    let size = parse(text)?;
    if size < LEAST {
        return Err("that is too little for any stream: 1M is the least".to_owned());
    }
    Ok(size)
}

fn parse(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "" => 1,
        "K" | "Ki" | "KiB" => 1 << 10,
        "M" | "Mi" | "MiB" => 1 << 20,
        "G" | "Gi" | "GiB" => 1 << 30,
        other => {
            return Err(format!(
                "unknown unit `{other}`: write K, M or G, as in 256M"
            ));
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{number}` is not a number"))?;
    let size = number.checked_mul(unit);
    size.ok_or_else(|| format!("{text} is more than any machine has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(parse("65536"), Ok(65_536));
        assert_eq!(parse("64K"), Ok(65_536));
        assert_eq!(parse("256MiB"), Ok(256 << 20));
        assert_eq!(parse("2G"), Ok(2 << 30));
        assert_eq!(parse("0"), Ok(0));
    }

    #[test]
    fn memory_in_which_nothing_moves_is_refused() {
        assert_eq!(memory("1Mi"), Ok(1 << 20));
        assert!(memory("1023K").unwrap_err().contains("1M is the least"));
        assert!(memory("0").is_err() && memory("64m").is_err());
    }

    #[test]
    fn what_is_no_size_is_refused_with_a_reason() {
        for wrong in [
            "",
            "M",
            "-1",
            "1.5G",
            "5 M",
            "5m",
            "5T",
            "99999999999G",
            "18446744073709551616",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
