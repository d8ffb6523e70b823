//! Feeds: the text of a document in, the links of an Atom feed or an RSS channel out; nothing when it is no feed.
//!
//! A link inside an `entry` or `item` is that entry's own and does not count; one that stands after them does.

use quick_xml::NsReader;
use quick_xml::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use url::Url;

use super::{Discovered, MAX_URL, resolve};

/// Atom 1.0, and the draft of it that some feeds still name.
const ATOM: [Namespace; 2] = [
    Namespace("http://www.w3.org/2005/Atom"),
    Namespace("http://purl.org/atom/ns#"),
];

/// Prefixes that mean Atom also where the document forgot to declare them.
const ATOM_PREFIXES: [&str; 3] = ["atom", "atom10", "a10"];

/// Elements before the feed's own, such as a warning that a script printed.
const MAX_STRAY: usize = 16;

/// Links that are looked at in one document.
const MAX_LINKS: usize = 256;

/// The longest reference that can mean a letter: `&#x10ffff;` with some zeros.
const MAX_REFERENCE: usize = 16;

/// Reads as far as the document can be read: what stands before the break counts.
pub(super) fn links(document: &Url, text: &str) -> Option<Discovered> {
    let mut reader = lenient(text);
    let mut base = open(document, &mut reader)?;
    let mut found = Discovered::default();
    let (mut entries, mut seen) = (0_usize, 0);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(element) if is_entry(element.local_name().as_ref()) => entries += 1,
            Event::End(element) if is_entry(element.local_name().as_ref()) => {
                entries = entries.saturating_sub(1)
            }
            Event::Start(element) if element.local_name().as_ref() == "channel" && entries == 0 => {
                base = base_of(&element, base);
            }
            Event::Start(element) | Event::Empty(element)
                if entries == 0 && is_link(&element, &reader) =>
            {
                seen += 1;
                add(&element, &base, &mut found);
            }
            Event::Eof => break,
            _ => {}
        }
        if seen == MAX_LINKS {
            break;
        }
    }
    Some(found)
}

fn lenient(text: &str) -> NsReader<&[u8]> {
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    reader
}

/// Reads up to and with the root element of a feed, and answers what its links are relative to.
fn open(document: &Url, reader: &mut NsReader<&[u8]>) -> Option<Url> {
    let mut stray = 0;
    while stray < MAX_STRAY {
        match reader.read_event().ok()? {
            Event::Start(root) => match root.local_name().as_ref() {
                "feed" | "rss" | "RDF" | "channel" => {
                    return Some(base_of(&root, document.clone()));
                }
                "html" => return None,
                _ => stray += 1,
            },
            Event::Empty(_) => stray += 1,
            Event::Eof => return None,
            _ => {}
        }
    }
    None
}

fn is_entry(name: &str) -> bool {
    matches!(name, "entry" | "item")
}

fn is_link(element: &BytesStart<'_>, reader: &NsReader<&[u8]>) -> bool {
    element.local_name().as_ref() == "link"
        && match reader.resolver().resolve_element(element.name()).0 {
            ResolveResult::Bound(namespace) => ATOM.contains(&namespace),
            ResolveResult::Unbound => true,
            ResolveResult::Unknown(prefix) => ATOM_PREFIXES.contains(&prefix.as_str()),
        }
}

fn add(link: &BytesStart<'_>, base: &Url, found: &mut Discovered) {
    if let (Some(rel), Some(href)) = (attribute(link, "rel"), attribute(link, "href")) {
        found.add(&rel, &href, &base_of(link, base.clone()));
    }
}

fn base_of(element: &BytesStart<'_>, outer: Url) -> Url {
    let base = attribute(element, "xml:base").and_then(|base| resolve(&base, &outer));
    base.unwrap_or(outer)
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    element
        .html_attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.as_ref() == name && attribute.value.len() <= MAX_URL)
        .map(|attribute| unescape(&attribute.value))
}

/// Undoes the references that XML knows; any other `&` stands for itself, as in `?a=1&b=2`.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        text.push_str(before);
        rest = after;
        match reference(after) {
            Some((letter, left)) => {
                text.push_str(&letter);
                rest = left;
            }
            None => text.push('&'),
        }
    }
    text + rest
}

/// The letter of a reference whose `&` has just been read, and what stands after its `;`.
fn reference(after: &str) -> Option<(String, &str)> {
    let end = after
        .bytes()
        .take(MAX_REFERENCE)
        .position(|byte| byte == b';')?;
    let letter = escape::unescape(&format!("&{};", &after[..end]))
        .ok()?
        .into_owned();
    Some((letter, &after[end + 1..]))
}
