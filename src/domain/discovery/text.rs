//! The letters of a document: its bytes and media type in, text out. Nothing is refused: what cannot be read becomes U+FFFD.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How far an XML declaration is searched for its end.
const DECLARATION: usize = 256;

/// Decodes by byte order mark, else as the media type says, else as the XML declaration says, else as UTF-8.
pub(super) fn decode<'a>(content_type: Option<&str>, body: &'a [u8]) -> Cow<'a, str> {
    let encoding = content_type
        .and_then(charset)
        .or_else(|| unmarked_utf16(body))
        .or_else(|| declared(body))
        .unwrap_or(UTF_8);
    encoding.decode(body).0
}

/// The `charset` parameter of a media type.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    content_type
        .split(';')
        .skip(1)
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .and_then(|(_, label)| {
            Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
        })
}

/// UTF-16 without a byte order mark shows in the first `<` (XML 1.0, appendix F).
fn unmarked_utf16(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [b'<', 0, ..] => Some(UTF_16LE),
        [0, b'<', ..] => Some(UTF_16BE),
        _ => None,
    }
}

/// The `encoding` of an XML declaration.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&body[..body.len().min(DECLARATION)]);
    let (declaration, _) = start.trim_start().strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let (label, _) = value[1..].split_once(quote)?;
    // Who can be read as far as here does not write UTF-16, whatever the declaration says.
    Encoding::for_label(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATIN: &[u8] = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";

    #[test]
    fn believes_the_mark_then_the_media_type_then_the_declaration() {
        let ends = |content_type, body: &[u8], end| {
            let text = decode(content_type, body);
            assert!(text.ends_with(end), "{text}");
        };
        ends(None, LATIN, "<a>\u{e9}</a>");
        ends(Some("text/xml; charset=UTF-8"), LATIN, "<a>\u{fffd}</a>");
        ends(
            Some("text/xml; Charset=\"koi8-r\""),
            LATIN,
            "<a>\u{418}</a>",
        );
        ends(Some("text/xml; charset=nonsense"), LATIN, "<a>\u{e9}</a>");
        ends(
            Some("text/xml; charset=latin1"),
            b"\xef\xbb\xbf<a>\xc3\xa9</a>",
            "<a>\u{e9}</a>",
        );
        ends(
            None,
            b"<?xml version='1.0' encoding='utf-16'?>\xc3\xa9",
            "\u{e9}",
        );
    }

    #[test]
    fn reads_utf16_with_and_without_a_mark() {
        let little: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}<a/>"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(decode(None, &little), "<a/>");
        assert_eq!(decode(Some("text/xml; charset=utf-8"), &big), "<a/>");
    }
}
