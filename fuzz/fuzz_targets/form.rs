//! Hub requests: query on the first line, media type on the second, then the body.
#![no_main]

use bytes::Bytes;
use fanfare::web::form;
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |&byte| byte == b'\n');
    let query = lines.next().and_then(|line| str::from_utf8(line).ok());
    let content_type = lines.next().and_then(|line| str::from_utf8(line).ok());
    let body = Bytes::copy_from_slice(lines.next().unwrap_or_default());

    let answer = form::read(query, content_type, body).now_or_never();
    match answer.expect("the body is all there: nothing to wait for") {
        Ok(fields) => assert!(fields.all("hub.url").count() <= form::MAX_FIELDS),
        Err(error) => assert!(matches!(error.status(), 400 | 415), "{error}"),
    }
});
