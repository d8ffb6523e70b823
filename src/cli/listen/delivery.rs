//! One delivery: its headers and body in; what a person reads, or one line of JSON, out.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, LINK};
use serde_json::{Map, Value, json};

use crate::cli::client::{clipped, printable};
use crate::dialect::verdict::{Finding, Verdict, Worth, signatures};
use crate::domain::link::{self, Link};
use crate::domain::value::{Secret, Timestamp, TopicUrl};

/// The delivery's id, when the hub is a Fanfare.
const DELIVERY_ID: &str = "x-fanfare-delivery";
/// How much of a body a person is shown.
const LINES_SHOWN: usize = 40;
const LETTERS_SHOWN: usize = 4_000;

/// An update that has arrived.
pub struct Delivery {
    at: Timestamp,
    topic: TopicUrl,
    headers: HeaderMap,
    body: Bytes,
    signatures: Vec<Finding>,
}

impl Delivery {
    /// Takes a delivery and checks its signature.
    pub fn new(
        at: Timestamp,
        topic: TopicUrl,
        headers: HeaderMap,
        body: Bytes,
        secret: &Secret,
    ) -> Self {
        Self {
            at,
            topic,
            signatures: signatures(&headers, &body, secret, at),
            headers,
            body,
        }
    }

    /// For a person: the facts, and as much of the body as fits a screen.
    pub fn in_words(&self) -> String {
        let kind = self.header(CONTENT_TYPE.as_str());
        let kind = kind
            .as_deref()
            .map_or_else(|| "no type".to_owned(), printable);
        let (at, size) = (self.at, self.body.len());
        let mut text = format!(
            "{at}  {kind}  {size} bytes  {}\n",
            verdict_in_words(&self.signatures)
        );
        for Link { target, rels, .. } in self.links() {
            text += &format!(
                "  {:<5} {}\n",
                printable(&rels.join(" ")),
                printable(&target)
            );
        }
        if let Some(id) = self.header(DELIVERY_ID) {
            text += &format!("  id    {}\n", printable(&id));
        }
        text + "\n" + &shown(&self.body) + "\n\n"
    }

    /// For a program: everything, in one line.
    ///
    /// # Errors
    /// None that is known: every part can be written as JSON.
    pub fn as_json(&self) -> serde_json::Result<String> {
        let names = self.headers.keys();
        let headers: Map<String, Value> = names
            .filter_map(|name| Some((name.to_string(), self.header(name.as_str())?.into())))
            .collect();
        let links = self.links().into_iter();
        let links: Vec<_> = links
            .map(|link| json!({ "rel": link.rels.join(" "), "url": link.target }))
            .collect();
        let mut line = json!({
            "received_at": self.at.to_string(),
            "topic": self.topic.as_str(),
            "content_type": self.header(CONTENT_TYPE.as_str()),
            "size": self.body.len(),
            "signature": Verdict::of(&self.signatures).name(),
            "links": links,
            "delivery_id": self.header(DELIVERY_ID),
            "headers": headers,
        });
        let (name, body) = match std::str::from_utf8(&self.body) {
            Ok(text) => ("body", text.to_owned()),
            Err(_) => ("body_base64", BASE64_STANDARD.encode(&self.body)),
        };
        line[name] = body.into();
        Ok(serde_json::to_string(&line)? + "\n")
    }

    /// The values of a header, those of repeated ones in a list as RFC 9110 has it.
    fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(name).into_iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    fn links(&self) -> Vec<Link> {
        link::parse(
            self.headers
                .get_all(LINK)
                .iter()
                .map(|value| value.as_bytes()),
        )
    }
}

/// What the signatures say, in words.
pub fn verdict_in_words(signatures: &[Finding]) -> String {
    match Verdict::of(signatures) {
        Verdict::Verified => {
            let right = signatures.iter().filter(|it| it.worth == Worth::Right);
            let schemes: Vec<_> = right.map(|it| it.scheme.as_str()).collect();
            format!("signature verified ({})", schemes.join(", "))
        }
        Verdict::Wrong => "signature WRONG: not from the hub, or changed on the way".to_owned(),
        Verdict::Missing => "signature none".to_owned(),
    }
}

/// A body for a terminal: its first lines, if it is text.
pub fn shown(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return "(not UTF-8 text; --json prints it in base64)".to_owned();
    };
    let text = text.trim_end();
    let mut lines = text.lines();
    let first: Vec<_> = lines.by_ref().take(LINES_SHOWN).collect();
    let first = clipped(&printable(&first.join("\n")), LETTERS_SHOWN);
    if lines.next().is_some() || first.ends_with('…') && !text.ends_with('…') {
        return first + "\n(there is more; --json prints everything)";
    }
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::signature::{Method, sign};

    fn delivery(headers: &[(&'static str, &str)], body: &[u8]) -> Delivery {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.parse().expect("a header's value");
            (hyper::header::HeaderName::from_static(name), value)
        });
        Delivery::new(
            Timestamp(0),
            TopicUrl::parse("http://t.example/").expect("a topic"),
            headers.collect(),
            Bytes::copy_from_slice(body),
            &secret(),
        )
    }

    fn secret() -> Secret {
        Secret::parse("hush").expect("a secret")
    }

    #[test]
    fn one_wrong_signature_spoils_the_right_one() {
        let right = sign(Method::Sha1, &secret(), b"hi");
        let right_256 = sign(Method::Sha256, &secret(), b"hi");
        let both = [
            ("x-hub-signature", right.as_str()),
            ("x-hub-signature-256", &right_256),
        ];
        for (headers, expected) in [
            (&both[..], "signature verified (sha1, sha256)"),
            (&both[..1], "signature verified (sha1)"),
            (
                &[both[0], ("x-hub-signature-256", "sha256=00")],
                "signature WRONG",
            ),
            (&[("x-hub-signature", "nonsense")], "signature WRONG"),
            (&[], "signature none"),
        ] {
            let text = delivery(headers, b"hi").in_words();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_person_sees_a_screenful_and_is_told_so() {
        assert_eq!(shown(b"one\r\ntwo\n\n"), "one\ntwo");
        let long = shown("line\n".repeat(LINES_SHOWN + 1).as_bytes());
        assert_eq!(long.lines().count(), LINES_SHOWN + 1);
        assert!(long.ends_with("everything)"));
        assert!(shown("x".repeat(LETTERS_SHOWN + 1).as_bytes()).ends_with("everything)"));
        assert!(shown(b"\xff").contains("base64"));
        assert_eq!(shown("so on…".as_bytes()), "so on…");
    }

    proptest! {
        #[test]
        fn a_line_of_json_holds_the_whole_body(body: Vec<u8>) {
            let line = delivery(&[("link", "<a>; rel=hub")], &body).as_json().expect("JSON");
            prop_assert_eq!(line.matches('\n').count(), 1);
            let value: Value = serde_json::from_str(&line).expect("JSON");
            let told = match value["body"].as_str() {
                Some(text) => text.as_bytes().to_vec(),
                None => BASE64_STANDARD.decode(value["body_base64"].as_str().expect("a body")).expect("base64"),
            };
            prop_assert_eq!(told, body);
            prop_assert_eq!(&value["links"][0]["url"], "a");
        }
    }
}
