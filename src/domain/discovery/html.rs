//! Web pages: the text of a document in, its `<link>` elements out, wherever they stand.

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{HtmlString, StartTag, Token, Tokenizer};
use url::Url;

use super::{Discovered, resolve};

/// Links that are looked at in one document.
const MAX_LINKS: usize = 256;

/// Whether to look for links: the media type says that it is a web page, or the document itself does.
pub(super) fn is_html(content_type: Option<&str>, text: &str) -> bool {
    let media_type = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let begins = |start: &str| {
        text.get(..start.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(start))
    };
    ["text/html", "application/xhtml+xml"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(media_type))
        || ["<!doctype html", "<html", "<head"].into_iter().any(begins)
}

/// All links of the page, relative to its first `<base>`.
pub(super) fn links(document: &Url, text: &str) -> Discovered {
    let (mut base, mut links) = (None, Vec::new());
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
        let Token::StartTag(tag) = token else {
            continue;
        };
        match tag.name.as_slice() {
            b"base" if base.is_none() => {
                base = attribute(&tag, b"href").and_then(|href| resolve(&href, document));
            }
            b"link" if links.len() < MAX_LINKS => {
                links.extend(attribute(&tag, b"rel").zip(attribute(&tag, b"href")))
            }
            _ => {}
        }
    }
    let base = base.as_ref().unwrap_or(document);
    let mut found = Discovered::default();
    for (rel, href) in links {
        found.add(&rel, &href, base);
    }
    found
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    let value: &HtmlString = &tag.attributes.get(name)?.value;
    Some(String::from_utf8_lossy(value).into_owned())
}
