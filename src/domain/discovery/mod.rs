//! Discovery (WebSub section 4): a fetched topic in, the `self` and `hub` links that it advertises out.
//!
//! The `Link` headers come first, then the document's own links: Atom, RSS with `atom:link`, HTML `<link>`, JSON Feed.
//! What the document is, it tells itself; the media type decides only where that leaves a doubt.
//!
//! Invariants: each URL is absolute, http or https, at most [`MAX_URL`] bytes long and fit for a `Link` header as it
//! stands; no two hubs are equal. Any bytes are taken, in time linear in their number and without recursion.

mod html;
mod json;
mod text;
mod xml;

#[cfg(test)]
mod tests;

use url::Url;

use super::link;

/// Hubs that are looked at in one document.
pub const MAX_HUBS: usize = 16;

/// Bytes of one advertised URL; a longer one is left out.
pub const MAX_URL: usize = 2048;

/// What a topic says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The canonical URL of the topic: the first `self` link.
    pub self_url: Option<String>,
    /// The hubs, in the order of the document.
    pub hubs: Vec<String>,
}

/// Finds the links of a document that was fetched from `document`, redirects followed.
///
/// For each relation the headers win over the body. An absolute URL is kept as the very string that was
/// advertised, for others compare it as a string; a relative one is resolved against the document and its base.
pub fn discover<'a>(
    document: &Url,
    link_headers: impl IntoIterator<Item = &'a [u8]>,
    content_type: Option<&str>,
    body: &[u8],
) -> Discovered {
    let mut headers = Discovered::default();
    for link in link::parse(link_headers) {
        headers.add(&link.rels.join(" "), &link.target, document);
    }
    if headers.self_url.is_some() && !headers.hubs.is_empty() {
        return headers;
    }
    let body = in_body(document, content_type, body);
    Discovered {
        self_url: headers.self_url.or(body.self_url),
        hubs: if headers.hubs.is_empty() {
            body.hubs
        } else {
            headers.hubs
        },
    }
}

fn in_body(document: &Url, content_type: Option<&str>, body: &[u8]) -> Discovered {
    let text = text::decode(content_type, body);
    let text = text.trim_start();
    if text.starts_with('{') {
        return json::links(document, text);
    }
    if let Some(links) = xml::links(document, text) {
        return links;
    }
    if html::is_html(content_type, text) {
        return html::links(document, text);
    }
    Discovered::default()
}

impl Discovered {
    /// Takes in one link; `rels` is the attribute as it stands, perhaps with several relations.
    fn add(&mut self, rels: &str, target: &str, base: &Url) {
        let is = |name: &str| {
            let mut rels = rels.split_ascii_whitespace();
            rels.any(|rel| rel.eq_ignore_ascii_case(name))
        };
        if is("self") && self.self_url.is_none() {
            self.self_url = advertised(target, base);
        }
        if is("hub") && self.hubs.len() < MAX_HUBS {
            let hub = advertised(target, base).filter(|hub| !self.hubs.contains(hub));
            self.hubs.extend(hub);
        }
    }
}

/// The URL to remember for a target: its own words where those are a whole URL, else what it resolves to.
fn advertised(target: &str, base: &Url) -> Option<String> {
    let resolved = resolve(target, base)?;
    let target = target.trim();
    let url = if is_whole(target) {
        target.to_owned()
    } else {
        resolved.into()
    };
    // A host may have a quotation mark in it: that is no host that anybody has.
    link::is_plain(&url).then_some(url)
}

/// The web URL that a target means; an empty one is a setting left blank, and means none.
fn resolve(target: &str, base: &Url) -> Option<Url> {
    let target = target.trim();
    if target.is_empty() || target.len() > MAX_URL {
        return None;
    }
    let url = base.join(target).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.as_str().len() <= MAX_URL).then_some(url)
}

/// Whether the text is an absolute web URL that can be sent on just as it is.
fn is_whole(target: &str) -> bool {
    let begins = |scheme: &str| {
        let start = target.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    (begins("http://") || begins("https://")) && link::is_plain(target)
}
