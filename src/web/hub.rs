//! The hub's own URL: requests to subscribe, unsubscribe and publish, as forms (HUB-01, HUB-79); and content that is
//! pushed to it. One URL for everything (HUB-78).

use bytes::Bytes;
use warp::http::{HeaderValue, StatusCode, header};

use super::call::Call;
use super::events::{check_topic, refuse_event};
use super::form;
use super::problem::{Problem, empty_answer, text_answer};
use super::push;
use super::repos::classic;
use super::request::{self, HubRequest, Named};
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::subscription::Mode;
use crate::domain::value::{PublicationId, TopicUrl};
use crate::flow::subscribe::{Accepted, Request};
use crate::store::StoreError;

/// A POST to the hub.
pub async fn post(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    let pushed = push::topic_link(&call.headers);
    if !form::is_form(call.content_type()) {
        return match pushed {
            Some(link) => push::read(site, call, &link).await,
            None => Err(not_a_form(&call)),
        };
    }
    let publisher = site.tokens.require(Role::Publisher, &call.headers).is_ok();
    let cap = match pushed.is_some() && publisher {
        true => site.limits.publication_body,
        false => site.limits.form_body,
    };
    let body = call.read_body(cap, &site.limits).await?;
    let fields = form::read(call.query.as_deref(), call.content_type(), body.clone()).await;
    match (pushed, fields) {
        (Some(link), fields)
            if !fields
                .as_ref()
                .is_ok_and(|fields| fields.contains("hub.mode")) =>
        {
            push::take(site, &call, &link, body).await
        }
        (_, fields) => {
            let fields = fields?;
            match classic::answer(site, &call, &fields).await? {
                Some(answer) => Ok(answer),
                None => ask(site, &call, &fields).await,
            }
        }
    }
}

async fn ask(site: &Site, call: &Call, fields: &form::Fields) -> Result<Answer, Problem> {
    match request::read(fields, call.header(header::FROM), &site.limits)? {
        HubRequest::Subscription(request) => subscribe(site, call, request).await,
        HubRequest::Ping(named) => ping(site, named).await,
    }
}

async fn subscribe(site: &Site, call: &Call, request: Request) -> Result<Answer, Problem> {
    let mode = request.mode;
    if mode == Mode::Subscribe {
        check_topic(site, &call.headers, &request.topic).await?;
    }
    Ok(match (site.hub.subscribe(request).await?, mode) {
        (Accepted::Verified, _) => empty_answer(StatusCode::NO_CONTENT),
        (Accepted::NotYet, _) => text_answer(
            StatusCode::ACCEPTED,
            "Accepted, but not verified yet: it takes longer than a request should wait. The hub goes on, and the request counts \
             once the callback has confirmed it.",
        ),
        (Accepted::Later, Mode::Subscribe) => text_answer(
            StatusCode::ACCEPTED,
            "Accepted. The hub now asks the callback to confirm the subscription.",
        ),
        (Accepted::Later, Mode::Unsubscribe) => text_answer(
            StatusCode::ACCEPTED,
            "Accepted. The hub now asks the callback to confirm that the subscription ends.",
        ),
    })
}

/// Answers exactly 204: some publishers take any other success for a failure.
async fn ping(site: &Site, named: Vec<Named>) -> Result<Answer, Problem> {
    let topics = topics_of(site, named).await?;
    for topic in &topics {
        refuse_event(site, topic)?;
    }
    let receipt = site.hub.ping(topics).await?;
    Ok(with_receipt(
        site,
        empty_answer(StatusCode::NO_CONTENT),
        receipt,
    ))
}

/// What a ping names: a value with commas is a list, unless it is a topic that somebody subscribes to.
async fn topics_of(site: &Site, named: Vec<Named>) -> Result<Vec<TopicUrl>, StoreError> {
    let mut topics = Vec::with_capacity(named.len());
    for value in named {
        match value {
            Named::Topic(topic) => topics.push(topic),
            Named::List {
                whole: Some(whole), ..
            } if is_heard(site, &whole).await? => topics.push(whole),
            Named::List { topics: list, .. } => topics.extend(list),
        }
    }
    Ok(topics)
}

async fn is_heard(site: &Site, topic: &TopicUrl) -> Result<bool, StoreError> {
    Ok(site.hub.store.subscribers(topic.id()).await? > 0)
}

fn not_a_form(call: &Call) -> Problem {
    if call.headers.contains_key(header::AUTHORIZATION) {
        return Problem::Invalid(
            "the topic of this content is missing; name it in a header, as in Link: <https://example.org/feed>; rel=\"self\""
                .into(),
        );
    }
    Problem::MediaType(
        "a request to the hub is a form; send it as application/x-www-form-urlencoded. To push content, send it with \
         Authorization: Bearer <token> and Link: <its topic>; rel=\"self\""
            .into(),
    )
}

/// The answer to a publication, which says where its receipt is.
pub fn with_receipt(site: &Site, mut answer: Answer, receipt: PublicationId) -> Answer {
    let url = site.receipt_url(receipt);
    if let Ok(url) = HeaderValue::from_maybe_shared(Bytes::from(url)) {
        answer.headers_mut().insert(header::LOCATION, url);
    }
    answer
}
