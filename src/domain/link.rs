//! The `Link` header (RFC 8288): raw header values in, links out; and the one header that goes with each delivery.
//!
//! Reading is lenient, for the wild is (Q-32): a missing `;`, other quotes or none, and garbage between links are
//! tolerated. Writing is strict: one blank after each `;` and `,`, `self` before the hubs (Q-10).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What may not stand between `<` and `>` of a header; anything beyond ASCII may not either.
const NOT_IN_TARGET: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// One link of the document that carried the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What stands between `<` and `>`, trimmed; perhaps relative, perhaps no URL at all.
    pub target: String,
    /// The relation types, in lower case; never empty.
    pub rels: Vec<String>,
    /// The `type` parameter, as it stands.
    pub media_type: Option<String>,
}

impl Link {
    /// Whether this is a link of the relation, given in lower case.
    pub fn is(&self, rel: &str) -> bool {
        self.rels.iter().any(|own| own == rel)
    }
}

/// The links of all `Link` headers of one response, in order.
///
/// Links without a relation are left out, and so are links with an `anchor`: they speak about another document.
/// Takes time linear in the input; who calls bounds the size of the headers.
pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Vec<Link> {
    let mut links = Vec::new();
    for value in values {
        let text = String::from_utf8_lossy(value);
        let mut rest = Rest(&text);
        while let Some(target) = rest.target() {
            links.extend(rest.link(target));
        }
    }
    links
}

/// The value of the `Link` header of a delivery: `<self>; rel="self", <hub>; rel="hub"` (Q-10, HUB-42, HUB-43).
///
/// URLs stand as they are given; only what could break out of the angle brackets is percent-encoded.
pub fn format(self_url: &str, hubs: &[impl AsRef<str>]) -> String {
    let mut header = format!("<{}>; rel=\"self\"", escape(self_url));
    for hub in hubs {
        header.push_str(&format!(", <{}>; rel=\"hub\"", escape(hub.as_ref())));
    }
    header
}

/// Whether a URL can stand in a `Link` header just as it is.
pub fn is_plain(url: &str) -> bool {
    Cow::from(escape(url)) == url
}

fn escape(url: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(url, NOT_IN_TARGET)
}

/// What is still to be read of one header value.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// The next `<target>`, whatever stands before it.
    fn target(&mut self) -> Option<&'a str> {
        let (_, opened) = self.0.split_once('<')?;
        let (target, rest) = opened.split_once('>')?;
        self.0 = rest;
        Some(target.trim())
    }

    /// The parameters of the target that was just read. Of two with one name the first counts (RFC 8288, 3.3).
    fn link(&mut self, target: &str) -> Option<Link> {
        let (mut rel, mut media_type, mut anchored) = (None, None, false);
        while let Some((name, value)) = self.parameter() {
            match name.to_ascii_lowercase().as_str() {
                "rel" => rel = rel.or(Some(value)),
                "type" => media_type = media_type.or(Some(value)),
                "anchor" => anchored = true,
                _ => {}
            }
        }
        let rels: Vec<_> = rel?
            .split_ascii_whitespace()
            .map(str::to_ascii_lowercase)
            .collect();
        let media_type = media_type.filter(|value| !value.is_empty());
        (!rels.is_empty() && !anchored).then(|| Link {
            target: target.to_owned(),
            rels,
            media_type,
        })
    }

    /// The next parameter of this link: none when the link ends, at a `,` or where the next `<` opens.
    fn parameter(&mut self) -> Option<(&'a str, String)> {
        self.0 = self
            .0
            .trim_start_matches(|c: char| c == ';' || c.is_whitespace());
        if self.0.is_empty() || self.0.starts_with([',', '<']) {
            return None;
        }
        let name = self.until(|c| matches!(c, '=' | ';' | ',' | '<') || c.is_whitespace());
        self.0 = self.0.trim_start();
        let Some(value) = self.0.strip_prefix('=') else {
            return Some((name, String::new()));
        };
        self.0 = value.trim_start();
        Some((name, self.value()))
    }

    fn value(&mut self) -> String {
        if let Some(quoted) = self.0.strip_prefix('"') {
            self.0 = quoted;
            return self.quoted();
        }
        // A single quote is a letter like any other in the RFC, so it quotes only where a second one closes it.
        if let Some((value, rest)) = self
            .0
            .strip_prefix('\'')
            .and_then(|quoted| quoted.split_once('\''))
        {
            self.0 = rest;
            return value.to_owned();
        }
        self.until(|c| matches!(c, ';' | ',' | '<') || c.is_whitespace())
            .to_owned()
    }

    /// The rest of a quoted string, `\` escapes undone; one that is never closed ends with the header.
    fn quoted(&mut self) -> String {
        let mut value = String::new();
        let mut letters = self.0.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => value.extend(letters.next()),
                _ => value.push(letter),
            }
        }
        self.0 = letters.as_str();
        value
    }

    fn until(&mut self, is_end: impl Fn(char) -> bool) -> &'a str {
        let (token, rest) = self.0.split_at(self.0.find(is_end).unwrap_or(self.0.len()));
        self.0 = rest;
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each link as `target rel,rel [type]`.
    fn shown(values: &[&str]) -> Vec<String> {
        parse(values.iter().map(|value| value.as_bytes()))
            .into_iter()
            .map(|link| {
                let media_type = link
                    .media_type
                    .map(|value| format!(" [{value}]"))
                    .unwrap_or_default();
                format!("{} {}{media_type}", link.target, link.rels.join(","))
            })
            .collect()
    }

    #[test]
    fn reads_what_the_rfc_allows() {
        let cases: &[(&str, &[&str])] = &[
            (r#"<https://h/>; rel="hub""#, &["https://h/ hub"]),
            (
                r#"<https://h/>;rel=hub,<https://t>;rel=self"#,
                &["https://h/ hub", "https://t self"],
            ),
            (
                r#"<https://h/> ; REL = "Hub" , <t>; rel="self""#,
                &["https://h/ hub", "t self"],
            ),
            (
                r#"<a,b;c>; title="x, <y>; rel=\"no\""; rel="hub""#,
                &["a,b;c hub"],
            ),
            (
                r#"<a>; rel="self alternate"; type="application/atom+xml""#,
                &["a self,alternate [application/atom+xml]"],
            ),
            (r#"<a>; rel="hub"; rel="self""#, &["a hub"]),
            (
                r#"<a>; rel="hub"; anchor="https://elsewhere", <b>; rel="hub""#,
                &["b hub"],
            ),
            (
                r#"<a>; rel=""; type="", <b>, <c>; crossorigin; rel=hub; type="""#,
                &["c hub"],
            ),
            ("< https://h >; rel=hub", &["https://h hub"]),
            ("", &[]),
        ];
        for (header, expected) in cases {
            assert_eq!(&shown(&[header]), expected, "{header}");
        }
    }

    #[test]
    fn tolerates_what_the_wild_sends() {
        let cases: &[(&str, &[&str])] = &[
            (r#"<https://h/> rel="hub""#, &["https://h/ hub"]),
            ("<https://h/>; rel='hub'", &["https://h/ hub"]),
            (
                "<a>; rel='hub self', <b>; title='tis; rel=self",
                &["a hub,self", "b self"],
            ),
            (r#"<a>; rel="hub" <b>; rel="self""#, &["a hub", "b self"]),
            (
                r#"<a>;; ; rel="hub";, ,<b>;rel=self;"#,
                &["a hub", "b self"],
            ),
            (r#"nonsense; rel="no", <a>; rel="hub""#, &["a hub"]),
            (r#"<a>; rel="hub"#, &["a hub"]),
            (r#"<a; rel="hub""#, &[]),
            (r#"<a>; ="x"; =; rel=hub"#, &["a hub"]),
        ];
        for (header, expected) in cases {
            assert_eq!(&shown(&[header]), expected, "{header}");
        }
    }

    #[test]
    fn reads_several_headers_in_order() {
        assert_eq!(
            shown(&["<a>; rel=hub", "<b>; rel=self"]),
            ["a hub", "b self"]
        );
        assert_eq!(parse([&b"<\xff>; rel=hub"[..]])[0].target, "\u{fffd}");
    }

    #[test]
    fn writes_self_first_with_one_blank_after_each_mark() {
        assert_eq!(
            format("https://t/?a=1,2", &["https://h1/", "https://h2"]),
            r#"<https://t/?a=1,2>; rel="self", <https://h1/>; rel="hub", <https://h2>; rel="hub""#
        );
    }

    #[test]
    fn nothing_breaks_out_of_the_brackets() {
        assert_eq!(
            format("t>; rel=\"x\"\r\nX: é", &[""; 0]),
            r#"<t%3E;%20rel=%22x%22%0D%0AX:%20%C3%A9>; rel="self""#
        );
        let plain = ["", "https://h/%20?a=b#c"];
        let escaped = ["https://h/é", "https://h/\n", "\n"];
        assert_eq!(plain.map(is_plain), [true; 2]);
        assert_eq!(escaped.map(is_plain), [false; 3]);
    }

    proptest! {
        #[test]
        fn reads_any_bytes(values: Vec<Vec<u8>>) {
            for link in parse(values.iter().map(Vec::as_slice)) {
                prop_assert!(!link.rels.is_empty() && !link.target.contains('>'));
            }
        }

        #[test]
        fn reads_any_near_miss(header in r#"(<[a-z,;]{0,3}>|[;, ]| rel=| type=|"[a-z ,;]{0,4}"|'|hub|self|=|<|>|\\|"){0,24}"#) {
            for link in parse([header.as_bytes()]) {
                prop_assert!(link.rels.iter().all(|rel| !rel.is_empty() && !rel.contains(' ')));
            }
        }

        #[test]
        fn reads_back_what_it_writes(topic in "https://[!-;=?-~]{1,40}", hubs in proptest::collection::vec("http://[!-;=?-~]{1,40}", 0..4)) {
            prop_assume!(is_plain(&topic) && hubs.iter().all(|hub| is_plain(hub)));
            let header = format(&topic, &hubs);
            let links = parse([header.as_bytes()]);
            prop_assert!(links[0].is("self"));
            prop_assert!(links[1..].iter().all(|link| link.is("hub")));
            prop_assert_eq!(links.into_iter().map(|link| link.target).collect::<Vec<_>>(), [vec![topic], hubs].concat());
        }

        #[test]
        fn writes_a_clean_header_whatever_it_is_given(topic: String, hubs: Vec<String>) {
            let header = format(&topic, &hubs);
            prop_assert!(header.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(parse([header.as_bytes()]).len(), 1 + hubs.len());
        }
    }
}
