//! The headers of an answer come in, how long it asks us to wait goes out. Pure.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The wait that `Retry-After` asks for (RFC 9110 section 10.2.3), uncapped. A date is measured from the answer's own
/// `Date`, so that a clock that runs wrong, theirs or ours, does not matter; without one it says nothing.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let sent = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(until.duration_since(sent).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    const NOON: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

    fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        retry_after(&headers)
    }

    #[test]
    fn reads_seconds_and_dates() {
        let five_past = "Sun, 22 Nov 2026 12:05:00 GMT";
        assert_eq!(wait("120", None), Some(Duration::from_secs(120)));
        assert_eq!(wait(" 0 ", None), Some(Duration::ZERO));
        assert_eq!(wait(five_past, Some(NOON)), Some(Duration::from_secs(300)));
        assert_eq!(wait(NOON, Some(five_past)), Some(Duration::ZERO));
    }

    #[test]
    fn ignores_what_it_cannot_read() {
        assert_eq!(retry_after(&HeaderMap::new()), None);
        for value in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(value, Some(NOON)), None, "{value}");
        }
        assert_eq!(wait(NOON, None), None);
    }

    proptest! {
        #[test]
        fn never_panics(value in "[ -~]{0,40}", date in proptest::option::of("[ -~]{0,40}")) {
            wait(&value, date.as_deref());
        }
    }
}
