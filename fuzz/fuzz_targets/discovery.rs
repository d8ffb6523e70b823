//! Discovery: media type on the first line, `Link` header on the second, then the body.
#![no_main]

use fanfare::domain::{discovery, link};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |&byte| byte == b'\n');
    let content_type = lines.next().and_then(|line| str::from_utf8(line).ok());
    let header = lines.next().unwrap_or_default();
    let body = lines.next().unwrap_or_default();
    let document = Url::parse("https://site.example/blog/feed").expect("a URL");

    let found = discovery::discover(&document, [header], content_type, body);
    assert!(found.hubs.len() <= discovery::MAX_HUBS);
    for url in found.self_url.iter().chain(&found.hubs) {
        assert!(
            url.len() <= discovery::MAX_URL && link::is_plain(url),
            "{url}"
        );
        let parsed = Url::parse(url).expect("an absolute URL");
        assert!(matches!(parsed.scheme(), "http" | "https"), "{url}");
    }
});
