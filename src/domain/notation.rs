//! How values are written in settings: durations (`10d`, `1h30m`, `250ms`), sizes (`64KiB`), networks
//! (`10.0.0.0/8`, or a bare address), choices. Text comes in; a value goes out, or a sentence that says what would be right.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serializer, de, de::IntoDeserializer};

/// No duration in the settings may be longer (10 years): beyond it the arithmetic of times could overflow, and a
/// longer value is a typing error.
pub const LONGEST: Duration = Duration::from_secs(10 * 31_557_600);

/// Reads a duration: numbers with units, such as `10s`, `1h30m` or `250ms`.
///
/// # Errors
/// A sentence that quotes the text and says what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|_| {
        format!("{text:?} is not a duration; write a number and a unit, such as 10s or 5m")
    })?;
    if duration > LONGEST {
        return Err(format!("{text:?} is too long; the longest duration is 10y"));
    }
    Ok(duration)
}

/// Writes a duration as [`parse_duration`] reads it, in the fewest words: `10d`, not `240h`.
pub fn format_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (nanoseconds, unit) in UNITS {
        if rest >= nanoseconds {
            text.push_str(&format!("{}{unit}", rest / nanoseconds));
            rest %= nanoseconds;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

const SIZE_UNITS: [(&str, usize); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads a size in bytes: a whole number and `B`, `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// A sentence that quotes the text and says what would be right.
pub fn parse_size(text: &str) -> Result<usize, String> {
    SIZE_UNITS
        .iter()
        .find_map(|(unit, bytes)| {
            let number: usize = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            number.checked_mul(*bytes)
        })
        .ok_or_else(|| {
            format!("{text:?} is not a size; write a whole number and B, KiB, MiB or GiB, such as 64KiB or 10MiB")
        })
}

/// Writes a size as [`parse_size`] reads it, in the largest unit that divides it.
pub fn format_size(bytes: usize) -> String {
    SIZE_UNITS
        .iter()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(
            || "0B".into(),
            |(name, unit)| format!("{}{name}", bytes / unit),
        )
}

/// Reads a network in CIDR notation; a bare address is the network of that address alone.
///
/// # Errors
/// A sentence that quotes the text and says what would be right.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| {
            format!(
                "{text:?} is not a network; write an address or a CIDR, such as 10.0.0.0/8 or ::1"
            )
        })
}

/// The candidate that `word` most likely meant, if one is near enough to be worth a "did you mean".
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `#[serde(with)]`: one duration.
pub mod duration {
    use super::*;

    /// Writes it as [`format_duration`] does.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(*duration))
    }

    /// Reads it as [`parse_duration`] does.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `#[serde(with)]`: a list of durations.
pub mod durations {
    use super::*;

    /// Writes each as [`format_duration`] does.
    pub fn serialize<S: Serializer>(
        durations: &[Duration],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(durations.iter().map(|duration| format_duration(*duration)))
    }

    /// Reads each as [`parse_duration`] does.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| parse_duration(text))
            .collect::<Result<_, _>>()
            .map_err(de::Error::custom)
    }
}

/// `#[serde(with)]`: a size in bytes.
pub mod size {
    use super::*;

    /// Writes it as [`format_size`] does.
    pub fn serialize<S: Serializer>(bytes: &usize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_size(*bytes))
    }

    /// Reads it as [`parse_size`] does.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
        parse_size(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `#[serde(with)]`: a list of networks.
pub mod networks {
    use super::*;

    /// Writes each in CIDR notation.
    pub fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks.iter().map(IpNet::to_string))
    }

    /// Reads each as [`parse_network`] does.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| parse_network(text))
            .collect::<Result<_, _>>()
            .map_err(de::Error::custom)
    }
}

/// `#[serde(with)]`: an optional value, written as an empty text when there is none.
pub mod blank {
    use super::*;

    /// Writes the value, or an empty text.
    pub fn serialize<S: Serializer, T: serde::Serialize>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }

    /// Reads the value from a text that is not empty.
    pub fn deserialize<'de, D: Deserializer<'de>, T: de::DeserializeOwned>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            Ok(None)
        } else {
            T::deserialize(text.into_deserializer()).map(Some)
        }
    }
}

/// `#[serde(deserialize_with)]`: one variant of an enum; the refusal lists the variants and names the nearest.
pub fn choice<'de, D: Deserializer<'de>, T: de::DeserializeOwned>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    T::deserialize(text.into_deserializer())
        .map_err(|Refusal(sentence)| de::Error::custom(sentence))
}

/// The error with which [`choice`] reads an enum: serde hands it the list of variants.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = match nearest(variant, expected.iter().copied()) {
            Some(near) if expected.len() > 1 => format!("; did you mean {near:?}?"),
            _ => String::new(),
        };
        Self(format!(
            "{variant:?} is not a choice; the choices are: {}{hint}",
            expected.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_written_in_the_fewest_words() {
        for (text, written) in [
            ("10d", "10d"),
            ("240h", "10d"),
            ("90m", "1h30m"),
            ("1h 30m", "1h30m"),
            ("1500ms", "1s500ms"),
            ("0s", "0s"),
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), written);
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_divides_them() {
        for (text, written) in [("1024KiB", "1MiB"), ("1025 B", "1025B"), ("0GiB", "0B")] {
            assert_eq!(format_size(parse_size(text).unwrap()), written);
        }
        for bad in [
            "10",
            "10MB",
            "1.5MiB",
            "-1B",
            "MiB",
            "18446744073709551615GiB",
        ] {
            assert!(
                parse_size(bad)
                    .unwrap_err()
                    .starts_with(&format!("{bad:?} is not a size"))
            );
        }
    }

    #[test]
    fn a_word_far_from_every_candidate_has_no_nearest() {
        assert_eq!(nearest("Timeot", ["retry", "timeout"]), Some("timeout"));
        assert_eq!(nearest("colour", ["retry", "timeout"]), None);
    }

    proptest! {
        #[test]
        fn a_duration_reads_back(duration in (0..LONGEST.as_secs(), 0..1_000_000_000_u32)) {
            let duration = Duration::new(duration.0, duration.1);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_reads_back(bytes in any::<usize>()) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn a_network_reads_back(address in any::<std::net::IpAddr>(), prefix in 0..=32_u8) {
            let network = IpNet::new(address, prefix).unwrap();
            prop_assert_eq!(parse_network(&network.to_string()), Ok(network));
            prop_assert_eq!(parse_network(&address.to_string()), Ok(IpNet::from(address)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*|[0-9]{1,25}[a-zA-Z]{0,3}|[0-9.:/]{0,30}") {
            let _ = (parse_duration(&text), parse_size(&text), parse_network(&text));
        }
    }
}
