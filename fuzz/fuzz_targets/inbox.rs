//! Incoming webhooks: the dialect on the first line, the media type on the second, the event's header on the third, then the body.
//! What is read can be written down and read back.
#![no_main]

use fanfare::dialect;
use fanfare::dialect::inbox::{self, Incoming};
use fanfare::domain::source::{Dialect, Source, SourceName};
use fanfare::domain::value::Timestamp;
use hyper::header::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(4, |&byte| byte == b'\n');
    let dialect = lines.next().and_then(|line| str::from_utf8(line).ok());
    let source = Source {
        name: SourceName::parse("social").expect("a name"),
        dialect: dialect.and_then(Dialect::parse).unwrap_or_default(),
        events: Vec::new(),
        private: false,
        inbound_secret: None,
        created_at: Timestamp(0),
    };
    let mut headers = HeaderMap::new();
    for name in ["content-type", "x-github-event"] {
        let line = lines.next().unwrap_or_default();
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.insert(name, value);
        }
    }
    let body = lines.next().unwrap_or_default();

    match inbox::read(&source, &headers, body, Timestamp(0)) {
        Ok(Incoming::Signed(_)) => panic!("there is no secret"),
        Ok(Incoming::Unsigned(webhook)) => {
            let Some(event) = webhook.event else { return };
            let kept = dialect::body(source.dialect, &event, false);
            let (name, at) = (event.name.clone(), event.created_at);
            assert_eq!(dialect::event(source.dialect, name, at, &kept), Some(event));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
