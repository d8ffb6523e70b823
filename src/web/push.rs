//! Content that a publisher pushes: the body as it is, its `Content-Type`, and its topic in `Link: <topic>; rel="self"`.

use bytes::Bytes;
use warp::http::{HeaderMap, StatusCode, header};

use super::call::Call;
use super::events::refuse_event;
use super::hub::with_receipt;
use super::problem::{Problem, shown, text_answer};
use super::request::read_topic;
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::link::{self, Link};
use crate::flow::publish::Content;

/// The most hub links of one publication that are kept.
const MAX_HUBS: usize = 16;
/// The longest media type, in bytes.
const TYPE_MAX_BYTES: usize = 255;

/// The topic that the `Link` headers name, just as it stands there.
pub fn topic_link(headers: &HeaderMap) -> Option<String> {
    let named = links(headers).into_iter().find(|link| link.is("self"));
    named.map(|link| link.target)
}

/// Takes content whose body has not been read; only a publisher's is.
pub async fn read(site: &Site, mut call: Call, topic: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Publisher, &call.headers)?;
    let body = call
        .read_body(site.limits.publication_body, &site.limits)
        .await?;
    take(site, &call, topic, body).await
}

/// Takes content.
pub async fn take(site: &Site, call: &Call, topic: &str, body: Bytes) -> Result<Answer, Problem> {
    site.tokens.require(Role::Publisher, &call.headers)?;
    let topic = read_topic("Link rel=\"self\"", topic, &site.limits)?;
    refuse_event(site, &topic)?;
    let hubs = links(&call.headers)
        .into_iter()
        .filter(|link| link.is("hub"));
    let content = Content {
        content_type: media_type(call)?,
        self_url: Some(topic.as_str().to_owned()),
        hubs: hubs
            .map(|link| link.target)
            .filter(|hub| hub.len() <= site.limits.url_bytes)
            .take(MAX_HUBS)
            .collect(),
        body,
    };
    let receipt = site.hub.push(topic, content).await?;
    let said = format!(
        "Accepted. What becomes of it: {}",
        site.receipt_url(receipt)
    );
    Ok(with_receipt(
        site,
        text_answer(StatusCode::ACCEPTED, &said),
        receipt,
    ))
}

/// The media type of content, untouched.
///
/// # Errors
/// [`Problem::Invalid`] when there is none, or none that could be sent on.
pub fn media_type(call: &Call) -> Result<String, Problem> {
    let example = "send the content's media type, such as application/atom+xml; charset=utf-8";
    let invalid = |what: String| Problem::Invalid(format!("{what}; {example}"));
    match call.content_type() {
        None if call.headers.contains_key(header::CONTENT_TYPE) => {
            Err(invalid("Content-Type is empty, or not plain ASCII".into()))
        }
        None => Err(invalid("Content-Type is missing".into())),
        Some(text) if !text.contains('/') || text.len() > TYPE_MAX_BYTES => Err(invalid(format!(
            "Content-Type: {:?} is not a media type",
            shown(text)
        ))),
        Some(text) => Ok(text.to_owned()),
    }
}

fn links(headers: &HeaderMap) -> Vec<Link> {
    link::parse(
        headers
            .get_all(header::LINK)
            .iter()
            .map(|value| value.as_bytes()),
    )
}
