//! Topics that the hub itself serves, at `/topics/<name>`: a publisher puts content, the hub announces it, and everyone
//! may get it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::call::Call;
use super::hub::with_receipt;
use super::problem::{Problem, empty_answer, shown, text_answer};
use super::push::media_type;
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::link;
use crate::domain::topic::Hosted;
use crate::domain::value::Timestamp;

/// The longest name, in bytes.
const NAME_MAX_BYTES: usize = 200;

/// Keeps content and announces it.
pub async fn put(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Publisher, &call.headers)?;
    let name = name_of(&call.path)?.to_owned();
    let media_type = media_type(&call)?;
    let body = call
        .read_body(site.limits.publication_body, &site.limits)
        .await?;
    let kept_as = shown(&media_type);
    let announced = site.hub.host(&name, media_type, body).await?;
    let status = match announced.created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let said = format!(
        "Kept at {} as {kept_as}. What becomes of it: {}",
        announced.topic,
        site.receipt_url(announced.receipt)
    );
    Ok(with_receipt(
        site,
        text_answer(status, &said),
        announced.receipt,
    ))
}

/// Serves content, unless the client has it already.
pub async fn get(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let name = name_of(&call.path)?;
    let (hosted, body) = site.hub.hosted(name).await?.ok_or_else(|| unknown(name))?;
    let tag = entity_tag(&hosted);
    let mut answer = match is_known(&call.headers, &tag, hosted.modified_at) {
        true => empty_answer(StatusCode::NOT_MODIFIED),
        false => content(&hosted, body),
    };
    let modified = httpdate::fmt_http_date(system_time(hosted.modified_at));
    let links = link::format(hosted.topic.as_str(), &[&site.hub.url]);
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::ETAG, tag),
        (header::LAST_MODIFIED, modified),
        (header::LINK, links),
    ] {
        // All three are ASCII: digits, a date, and URLs with everything else escaped.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}

/// Serves it no longer.
pub async fn delete(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Publisher, &call.headers)?;
    let name = name_of(&call.path)?;
    match site.hub.unhost(name).await? {
        true => Ok(empty_answer(StatusCode::NO_CONTENT)),
        false => Err(unknown(name)),
    }
}

/// The content as it was put. It comes from a publisher, so a browser must not run it as if it were the hub's.
fn content(hosted: &Hosted, body: Bytes) -> Answer {
    let mut answer = Answer::new(body);
    let headers = answer.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&hosted.content_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    let sandbox = HeaderValue::from_static("sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    answer
}

/// The name in a path: plain letters, so that it is spelled in one way only.
fn name_of(path: &str) -> Result<&str, Problem> {
    let name = path.strip_prefix("/topics/").unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    if name.is_empty() {
        return Err(Problem::Invalid(
            "the topic's name is missing; write it behind this, as in /topics/news".into(),
        ));
    }
    match name.len() <= NAME_MAX_BYTES && name.split('/').all(is_segment) {
        true => Ok(name),
        false => Err(Problem::Invalid(format!(
            "{:?} is not a topic's name; it is made of A-Z a-z 0-9 . _ ~ - and of / between such parts, {NAME_MAX_BYTES} \
             bytes at most",
            shown(name)
        ))),
    }
}

fn unknown(name: &str) -> Problem {
    Problem::NotFound(format!("there is no topic {name:?} here"))
}

/// Strong: of the content alone.
fn entity_tag(hosted: &Hosted) -> String {
    format!("\"{}\"", hex::encode(&hosted.digest[..16]))
}

/// Whether the client has this content (RFC 9110, section 13.2.2: the entity tag counts before the date).
pub fn is_known(headers: &HeaderMap, tag: &str, modified_at: Timestamp) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|known| known.trim())
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    }
    let since = headers.get(header::IF_MODIFIED_SINCE);
    let since = since.and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
    since.is_some_and(|since| system_time(modified_at) <= since)
}

/// In whole seconds, as HTTP's dates are.
pub fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(at.0 / 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for name in ["a", "A.b_c~d-e", "a/b/c", "...", &"x".repeat(200)] {
            assert_eq!(name_of(&format!("/topics/{name}")).unwrap(), name);
        }
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "..",
            "a/../b",
            ".",
            "a%20b",
            "a+b",
            "ö",
            &"x".repeat(201),
        ] {
            assert!(name_of(&format!("/topics/{name}")).is_err(), "{name}");
        }
    }

    #[test]
    fn a_client_that_has_it_is_told_so() {
        let modified = Timestamp(784_111_777_900);
        let known = |name: header::HeaderName, value: &str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]);
            is_known(&headers, "\"t\"", modified)
        };
        for tags in ["\"t\"", "W/\"t\"", "*", "\"x\" , \"t\"", "\"x\",W/\"t\""] {
            assert!(known(header::IF_NONE_MATCH, tags), "{tags}");
        }
        for tags in ["\"x\"", "t", "", "\"t"] {
            assert!(!known(header::IF_NONE_MATCH, tags), "{tags}");
        }
        assert!(known(
            header::IF_MODIFIED_SINCE,
            "Sun, 06 Nov 1994 08:49:37 GMT"
        ));
        assert!(!known(
            header::IF_MODIFIED_SINCE,
            "Sun, 06 Nov 1994 08:49:36 GMT"
        ));
        assert!(!known(header::IF_MODIFIED_SINCE, "yesterday"));
        let both = HeaderMap::from_iter([
            (header::IF_NONE_MATCH, HeaderValue::from_static("\"x\"")),
            (
                header::IF_MODIFIED_SINCE,
                HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
            ),
        ]);
        assert!(
            !is_known(&both, "\"t\"", modified),
            "the entity tag counts before the date"
        );
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_cannot_leave_its_place(path in "/topics/[a-z./%~]{0,12}") {
            if let Ok(name) = name_of(&path) {
                let url = url::Url::parse(&format!("http://hub.example{path}")).unwrap();
                prop_assert_eq!(url.path(), path.as_str());
                prop_assert!(path.ends_with(name));
            }
        }
    }
}
