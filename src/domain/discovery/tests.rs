//! Discovery in documents as they are met in the wild, and on arbitrary input.

use proptest::prelude::*;
use url::Url;

use super::{Discovered, MAX_HUBS, MAX_URL, discover};

const DOCUMENT: &str = "https://site.example/blog/feed";

/// What the body alone tells.
fn in_body(content_type: &str, body: impl AsRef<[u8]>) -> Discovered {
    discover(
        &Url::parse(DOCUMENT).unwrap(),
        [],
        Some(content_type),
        body.as_ref(),
    )
}

fn in_headers(headers: &[&str], body: &str) -> Discovered {
    let headers = headers.iter().map(|header| header.as_bytes());
    discover(
        &Url::parse(DOCUMENT).unwrap(),
        headers,
        Some("application/rss+xml"),
        body.as_bytes(),
    )
}

fn links(self_url: &str, hubs: &[&str]) -> Discovered {
    let self_url = Some(self_url.to_owned()).filter(|url| !url.is_empty());
    Discovered {
        self_url,
        hubs: hubs.iter().map(|&hub| hub.to_owned()).collect(),
    }
}

const NONE: &str = "";

#[test]
fn reads_a_wordpress_feed() {
    let body = r#"<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"
	xmlns:content="http://purl.org/rss/1.0/modules/content/"
	xmlns:atom="http://www.w3.org/2005/Atom"
	xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel>
	<title>A blog &#8211; posts &nbsp; more</title>
	<atom:link href="https://site.example/feed/" rel="self" type="application/rss+xml" />
	<link>https://site.example</link>
	<image><url>https://site.example/i.png</url><link>https://site.example</link></image>
	<item>
		<title>Post</title><link>https://site.example/post</link>
		<content:encoded><![CDATA[<p>No <link rel="hub" href="https://evil.example/"></p>]]></content:encoded>
		<atom:link rel="hub" href="https://entry.example/"/>
	</item>
	<item><atom:link rel="self" href="https://entry.example/"/></item>
	<atom:link rel="hub" href="https://pubsubhubbub.appspot.com"/>
	<atom:link rel="hub" href="https://pubsubhubbub.superfeedr.com"/>
	<atom:link rel="hub" href="https://websubhub.com/hub"/>
</channel></rss>"#;
    let hubs = [
        "https://pubsubhubbub.appspot.com",
        "https://pubsubhubbub.superfeedr.com",
        "https://websubhub.com/hub",
    ];
    assert_eq!(
        in_body("application/rss+xml; charset=UTF-8", body),
        links("https://site.example/feed/", &hubs)
    );
}

#[test]
fn reads_a_youtube_feed() {
    let body = r#"<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom">
 <link rel="hub" href="https://pubsubhubbub.appspot.com"/>
 <link rel="self" href="https://www.youtube.com/xml/feeds/videos.xml?channel_id=UC1&amp;x=2"/>
 <title>YouTube video feed</title>
 <entry><id>yt:video:1</id><link rel="alternate" href="https://www.youtube.com/watch?v=1"/></entry>
</feed>"#;
    let expected = links(
        "https://www.youtube.com/xml/feeds/videos.xml?channel_id=UC1&x=2",
        &["https://pubsubhubbub.appspot.com"],
    );
    assert_eq!(in_body("text/xml", body), expected);
}

#[test]
fn reads_the_atom_namespace_under_any_prefix() {
    let cases = [
        // FeedBurner declares it on the link itself.
        r#"<rss><channel><atom10:link xmlns:atom10="http://www.w3.org/2005/Atom" rel="hub" href="https://h/"/></channel></rss>"#,
        r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:link rel="hub" href="https://h/"></a:link></a:feed>"#,
        r#"<feed xmlns="http://purl.org/atom/ns#"><link rel="HUB alternate" href=" https://h/ "/></feed>"#,
        // Undeclared, or not named at all.
        r#"<rss><channel><atom:link rel="hub" href="https://h/"/></channel></rss>"#,
        r#"<feed><link rel=hub href=https://h/ ></feed>"#,
        // RSS 1.0: the items are beside the channel.
        r#"<rdf:RDF xmlns:rdf="r" xmlns="http://purl.org/rss/1.0/" xmlns:x="http://www.w3.org/2005/Atom"><channel><x:link rel="hub" href="https://h/"/></channel><item/></rdf:RDF>"#,
    ];
    for body in cases {
        assert_eq!(
            in_body("text/xml", body),
            links(NONE, &["https://h/"]),
            "{body}"
        );
    }
    let other = r#"<rss xmlns:o="urn:other"><channel><o:link rel="hub" href="https://h/"/></channel></rss>"#;
    assert_eq!(in_body("text/xml", other), links(NONE, &[]));
}

#[test]
fn reads_html_pages() {
    let cases = [
        r#"<!doctype html><html><head><title><link rel=hub href=https://no/></title>
           <link rel="stylesheet" href="/x.css"><LINK REL="Hub" HREF="https://h/?a=1&amp;b=2"><link href='/me' rel='self'></head></html>"#,
        r#"<html><!-- <link rel="hub" href="https://no/"> --><script>"<link rel='hub' href='https://no/'>"</script>
           <body><p><link rel=hub href="https://h/?a=1&b=2"><link rel=self href=../me></body>"#,
        r#"<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head>
           <link rel="self" href="me"/><base href="/"/><base href="/no/"/><link rel="hub" href="https://h/?a=1&#38;b=2"/>"#,
    ];
    for body in cases {
        assert_eq!(
            in_body("text/html; charset=utf-8", body),
            links("https://site.example/me", &["https://h/?a=1&b=2"]),
            "{body}"
        );
    }
}

#[test]
fn reads_a_json_feed() {
    let body = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "\u00e9", "items": [{"feed_url": "no", "x": [[1]]}],
        "feed_url": "https:\/\/site.example\/feed.json",
        "hubs": [{"type": "rssCloud", "url": "https://no/"}, {"type": "WebSub", "url": "https://h/", "more": {}}]}"#;
    let expected = links("https://site.example/feed.json", &["https://h/"]);
    assert_eq!(in_body("application/feed+json", body), expected);
    assert_eq!(
        in_body("application/json", &body[..body.len() - 2]),
        expected,
        "broken off"
    );
    assert_eq!(
        in_body(
            "application/json",
            r#"{"feed_url": "https://s/", "hubs": [7]}"#
        ),
        links("https://s/", &[])
    );
}

#[test]
fn headers_win_for_each_relation() {
    let body = r#"<feed><link rel="self" href="https://body/"/><link rel="hub" href="https://body-hub/"/></feed>"#;
    let cases = [
        (
            &[r#"<https://h/>; rel="hub", </t>; rel="self""#][..],
            links("https://site.example/t", &["https://h/"]),
        ),
        (
            &["<https://h/>; rel=hub", "<https://i/> rel=hub"],
            links("https://body/", &["https://h/", "https://i/"]),
        ),
        (
            &["<https://t>; rel='self'"],
            links("https://t", &["https://body-hub/"]),
        ),
        (
            &["<mailto:x@y>; rel=hub"],
            links("https://body/", &["https://body-hub/"]),
        ),
        (
            &["<https://t>; rel=\"self hub\""],
            links("https://t", &["https://t"]),
        ),
    ];
    for (headers, expected) in cases {
        assert_eq!(in_headers(headers, body), expected, "{headers:?}");
    }
}

#[test]
fn keeps_the_words_of_an_absolute_url() {
    let cases = [
        ("https://Hub.Example", "https://Hub.Example"),
        ("HTTP://h:80/%7ea/../b?c#d", "HTTP://h:80/%7ea/../b?c#d"),
        ("//h", "https://h/"),
        ("hub?x", "https://site.example/blog/hub?x"),
        // What would not survive in a header is written as a URL should be.
        ("https://h/\r\nX: y", "https://h/X:%20y"),
        (
            "https://b\u{fc}ro.example/\u{e9}",
            "https://xn--bro-hoa.example/%C3%A9",
        ),
        ("javascript:alert(1)", NONE),
        ("https://", NONE),
        ("  ", NONE),
    ];
    for (advertised, expected) in cases {
        let body = format!("<head><link rel=self href=\"{advertised}\">");
        assert_eq!(
            in_body("text/html", body),
            links(expected, &[]),
            "{advertised:?}"
        );
    }
}

#[test]
fn resolves_against_the_nearest_xml_base() {
    let body = r#"<feed xml:base="https://cdn.example/a/"><link rel="self" href="feed"/>
        <link xml:base="b/" rel="hub" href="hub"/><link rel="hub" xml:base="https://" href="hub"/></feed>"#;
    let expected = links(
        "https://cdn.example/a/feed",
        &["https://cdn.example/a/b/hub", "https://cdn.example/a/hub"],
    );
    assert_eq!(in_body("application/atom+xml", body), expected);
}

#[test]
fn tolerates_malformed_feeds() {
    let link = r#"<link rel="hub" href="https://h/"/>"#;
    let cases = [
        format!("\u{feff}  \n<?xml version='1.0'?><feed>{link}</feed>"),
        format!("<br />\n<b>Warning</b>: Undefined variable in x.php\n<rss><channel>{link}"),
        format!("<feed><title>A & B &undeclared; &#xZZ;</title>{link}<entry><title>cut o"),
        format!("<feed><b>unclosed<br></i></x></x>{link}"),
        format!("<feed><entry></entry></entry>{link}</feed>"),
        format!("<!DOCTYPE feed [<!ENTITY e \"x\"><!ENTITY f \"&e;&e;\">]><feed>&f;{link}"),
        format!("<feed>{link}<![CDATA[ never closed"),
        "<feed><link rel='hub' href='&#104;ttps&#58;//h/' href='https://no/'/>".to_owned(),
    ];
    for body in cases {
        assert_eq!(
            in_body("text/plain", &body),
            links(NONE, &["https://h/"]),
            "{body}"
        );
    }
    let references = "<feed><link rel='self' href='https://h/?a=1&b=2&amp;c&eacute;&'/>";
    assert_eq!(
        in_body("text/xml", references),
        links("https://h/?a=1&b=2&c&eacute;&", &[])
    );
}

#[test]
fn reads_utf16_and_latin1() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><feed><link rel=\"self\" href=\"/\u{e9}\"/></feed>";
    let utf16: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin = text
        .replace("utf-16", "iso-8859-1")
        .chars()
        .map(|c| c as u8)
        .collect();
    for body in [utf16, latin] {
        assert_eq!(
            in_body("text/xml", body),
            links("https://site.example/%C3%A9", &[])
        );
    }
}

#[test]
fn looks_for_links_only_where_they_can_be() {
    let link = r#"<link rel="hub" href="https://h/">"#;
    assert_eq!(in_body("text/plain", link), links(NONE, &[]));
    assert_eq!(in_body("image/png", b"\x89PNG\r\n\x1a\n"), links(NONE, &[]));
    assert_eq!(in_body("text/html", link), links(NONE, &["https://h/"]));
    assert_eq!(
        in_body("text/plain", format!("<!DOCTYPE HTML>{link}")),
        links(NONE, &["https://h/"])
    );
    assert_eq!(
        in_body("text/html", format!("<feed>{link}</feed>")),
        links(NONE, &["https://h/"])
    );
}

#[test]
fn limits_hubs_and_lengths() {
    let many: String = (0..100)
        .map(|n| format!("<link rel='hub' href='https://h/{}'/>", n / 2))
        .collect();
    let hubs = in_body("text/xml", format!("<feed>{many}")).hubs;
    assert_eq!(hubs.len(), MAX_HUBS);
    assert_eq!(hubs[1], "https://h/1", "each once");

    let of_length = |length| {
        format!(
            "<feed><link rel='self' href='https://h/{:a<1$}'/>",
            "",
            length - "https://h/".len()
        )
    };
    assert!(in_body("text/xml", of_length(MAX_URL)).self_url.is_some());
    assert!(
        in_body("text/xml", of_length(MAX_URL + 1))
            .self_url
            .is_none()
    );
}

#[test]
fn a_base_grows_no_longer_than_a_url() {
    let channels = "<channel xml:base='a/'>".repeat(MAX_URL);
    let found = in_body(
        "text/xml",
        format!("<rss>{channels}<link rel='self' href='.'/>"),
    );
    assert!(found.self_url.is_some_and(|url| url.len() > MAX_URL / 2));
}

#[test]
fn depth_costs_nothing() {
    for (open, link) in [
        ("<a>", "<link rel=hub href='https://h/'>"),
        ("[", ""),
        ("{\"a\":", ""),
    ] {
        let deep = open.repeat(100_000);
        in_body("text/html", format!("{deep}{link}"));
        in_body("text/xml", format!("<feed>{deep}{link}"));
        in_body("application/json", format!("{{\"hubs\": {deep}"));
    }
}

#[test]
fn a_host_that_would_break_a_header_is_none() {
    let quoted = "<link rel=hub href='//\"'><link rel=self href='https://\"/'>";
    assert_eq!(in_body("text/html", quoted), links(NONE, &[]));
}

/// Markup with about the words that matter, in any order.
const NEAR_MISS: &str = r#"(<feed|<rss|<channel|<entry|</entry|<item|<html|<head|<base|<link|<a:link|<![CDATA\[|]]>|<!--|-->|>|/>| rel="hub"| rel='self'| href="https://h/[a-z]?"| href='[/a-z?&;#.]{0,5}'| xmlns:a="http://www.w3.org/2005/Atom"| xml:base="/b/"|&amp;|&#60;|[<>&"'= ]|\{"hubs":\[|\{"type":"WebSub","url":"https://h/[a-z]"\}|"feed_url":"//x"|,|\}|\]){0,40}"#;

fn holds(found: &Discovered) -> Result<(), TestCaseError> {
    prop_assert!(found.hubs.len() <= MAX_HUBS);
    for (at, hub) in found.hubs.iter().enumerate() {
        prop_assert!(!found.hubs[..at].contains(hub));
    }
    for url in found.self_url.iter().chain(&found.hubs) {
        prop_assert!(url.len() <= MAX_URL);
        prop_assert!(crate::domain::link::is_plain(url));
        let parsed =
            Url::parse(url).map_err(|error| TestCaseError::fail(format!("{url}: {error}")))?;
        prop_assert!(matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
    }
    Ok(())
}

fn media_type() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("text/html"),
        Just("text/xml"),
        Just("application/json"),
        Just("text/plain; charset=utf-16")
    ]
}

proptest! {
    #[test]
    fn takes_any_bytes(media_type in media_type(), body: Vec<u8>, header: Vec<u8>) {
        let document = Url::parse(DOCUMENT).unwrap();
        holds(&discover(&document, [header.as_slice()], Some(media_type), &body))?;
        holds(&discover(&document, [], None, &[b"<feed><link rel='hub' href='", body.as_slice()].concat()))?;
    }

    #[test]
    fn takes_any_near_miss(media_type in media_type(), body in NEAR_MISS) {
        holds(&in_body(media_type, body))?;
    }

    #[test]
    fn takes_any_target(target: String, base in "[a-z/:.?#]{0,8}") {
        holds(&in_headers(&[&format!("<{target}>; rel=\"self hub\"")], ""))?;
        holds(&in_body("text/html", format!("<base href=\"{base}\"><link rel='self hub' href=\"{target}\">")))?;
    }

    #[test]
    fn finds_a_plain_url_wherever_it_stands(url in r"https?://[a-z]{1,9}\.example(:[1-9][0-9]{0,3})?/[A-Za-z0-9%._~/?#=-]{0,30}") {
        let expected = links(&url, &[&url]);
        prop_assert_eq!(&in_headers(&[&format!("<{url}>; rel=\"self hub\"")], ""), &expected);
        let feed = format!("<feed><link rel='self' href='{url}'/><entry/><link rel='hub' href='{url}'/></feed>");
        prop_assert_eq!(&in_body("text/xml", feed), &expected);
        prop_assert_eq!(&in_body("text/html", format!("<link rel='self hub' href='{url}'>")), &expected);
        let json = format!(r#"{{"hubs":[{{"type":"WebSub","url":"{url}"}}],"feed_url":"{url}"}}"#);
        prop_assert_eq!(&in_body("application/json", json), &expected);
    }
}
