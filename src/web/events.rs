//! The events of a source, at `/<source>/events/<event>`: a publisher raises them, and the latest is served with what a
//! subscriber needs to find the hub.

use bytes::Bytes;
use serde_json::json;
use warp::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::call::Call;
use super::hosted::{is_known, system_time};
use super::hub::with_receipt;
use super::payloads;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::sources::find_source;
use super::tokens::Role;
use super::{Answer, Site};
use crate::dialect;
use crate::domain::event::{EventName, EventPattern};
use crate::domain::link;
use crate::domain::publication::Publication;
use crate::domain::source::Source;
use crate::domain::value::{PublicationId, TopicUrl};
use crate::flow::raise::{Idempotency, RaiseError};
use crate::flow::sources::is_own;

/// The longest key, in bytes.
const KEY_MAX_BYTES: usize = 255;
/// Names a request, so that it counts once however often it is sent.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// `POST /<source>/events/<event>`: raises one event or several.
pub async fn raise(
    site: &Site,
    mut call: Call,
    source: &str,
    event: &str,
) -> Result<Answer, Problem> {
    let source = find_source(site, source).await?;
    let holder = site
        .tokens
        .require_in(Role::Publisher, &source.name, None, &call.headers)?;
    let name =
        event_of(&source, event).map_err(|unknown| Problem::Unprocessable(unknown.to_string()))?;
    let pattern = EventPattern::One(name.clone());
    site.tokens
        .require_in(Role::Publisher, &source.name, Some(&pattern), &call.headers)?;
    if is_own(&source.name) {
        return Err(Problem::Forbidden(format!(
            "the hub itself raises the events of {}, and nobody else",
            source.name
        )));
    }
    let key = idempotency_key(&call.headers)?;
    let body = call.read_body(site.limits.event_body, &site.limits).await?;
    let most = site.limits.events_per_request;
    let payloads = payloads::read(call.content_type(), source.dialect, &body, most)?;
    let now = site.hub.clock.now();
    let mut events = Vec::with_capacity(payloads.len());
    for (place, payload) in payloads {
        let event = dialect::accept(&source, &name, payload, now)
            .map_err(|misfit| Problem::Unprocessable(place.say(misfit)))?;
        events.push(event);
    }
    let once = key.map(|key| {
        let asked: [&[u8]; 4] = [
            b"events",
            &source.name.id().0,
            &holder.digest,
            key.as_bytes(),
        ];
        Idempotency::new(&asked, &[name.as_str().as_bytes(), &body])
    });
    let count = events.len();
    let raised = site.hub.raise(&source, events, once).await?;
    Ok(accepted(site, raised.receipt, count))
}

/// `GET /<source>/events/<event>`: the latest, unless the client has it already.
pub async fn latest(
    site: &Site,
    call: &Call,
    source: &str,
    event: &str,
) -> Result<Answer, Problem> {
    let source = find_source(site, source).await?;
    let name =
        event_of(&source, event).map_err(|unknown| Problem::NotFound(unknown.to_string()))?;
    require_reader(site, &source, &name, &call.headers)?;
    let topic = source.name.topic(&site.hub.url, &name);
    let mut answer = match site.hub.latest(&source, &name).await? {
        Some((publication, body)) => content(&publication, body, &call.headers),
        None => json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": format!("no {name} of {} has been raised, or none that is still kept; whoever subscribes to {topic} gets the next one", source.name) }),
        ),
    };
    let caching = match source.private {
        true => "private, no-cache",
        false => "no-cache",
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    put(
        headers,
        header::LINK,
        link::format(topic.as_str(), &[&site.hub.url]),
    );
    Ok(answer)
}

/// Lets a request about a topic pass, if that is no event of a source here; or if it is one as its source spells it, and the
/// request may read it.
pub async fn check_topic(
    site: &Site,
    headers: &HeaderMap,
    topic: &TopicUrl,
) -> Result<(), Problem> {
    let Some(place) = site.hub.event_place(topic) else {
        return Ok(());
    };
    let source = find_source(site, place.source.as_str()).await?;
    let name =
        event_of(&source, &place.event).map_err(|error| Problem::NotFound(error.to_string()))?;
    let own = source.name.topic(&site.hub.url, &name);
    if own.id() != topic.id() {
        return Err(Problem::Invalid(format!(
            "hub.topic: {topic} is another spelling; send {own}"
        )));
    }
    require_reader(site, &source, &name, headers)
}

/// Refuses what is meant for topics that the hub does not serve itself.
pub fn refuse_event(site: &Site, topic: &TopicUrl) -> Result<(), Problem> {
    match site.hub.event_place(topic) {
        None => Ok(()),
        Some(_) => Err(Problem::Invalid(format!(
            "{topic} is an event of a source of this hub, which has nothing to fetch; raise it: POST its JSON to that URL"
        ))),
    }
}

/// The answer to whoever has raised events.
pub fn accepted(site: &Site, receipt: PublicationId, count: usize) -> Answer {
    let body = json!({ "id": receipt, "receipt": site.receipt_url(receipt), "events": count });
    with_receipt(site, json_answer(StatusCode::ACCEPTED, &body), receipt)
}

impl From<RaiseError> for Problem {
    fn from(error: RaiseError) -> Self {
        match error {
            RaiseError::KeyTaken => Self::Unprocessable(error.to_string()),
            RaiseError::Store(error) => Self::Store(error),
        }
    }
}

/// The event that the end of a path names, with or without `.json`.
fn event_of(source: &Source, text: &str) -> Result<EventName, dialect::Misfit> {
    let known = |text: &str| {
        EventName::parse(text)
            .ok()
            .filter(|name| dialect::check_name(source, name).is_ok())
    };
    let bare = text.strip_suffix(".json").unwrap_or(text);
    known(text)
        .or_else(|| known(bare))
        .ok_or_else(|| dialect::unknown(source, &shown(bare)))
}

fn require_reader(
    site: &Site,
    source: &Source,
    name: &EventName,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if source.private {
        let event = EventPattern::One(name.clone());
        site.tokens
            .require_in(Role::Reader, &source.name, Some(&event), headers)?;
    }
    Ok(())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().ok().map(str::trim);
    match key.filter(|key| (1..=KEY_MAX_BYTES).contains(&key.len())) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(Problem::Invalid(format!(
            "Idempotency-Key must be 1 to {KEY_MAX_BYTES} ASCII characters, such as a UUID"
        ))),
    }
}

fn content(publication: &Publication, body: Bytes, asked: &HeaderMap) -> Answer {
    let tag = format!("\"{}\"", publication.id);
    let modified_at = publication.accepted_at;
    let mut answer = match is_known(asked, &tag, modified_at) {
        true => empty_answer(StatusCode::NOT_MODIFIED),
        false => {
            let mut answer = Answer::new(body);
            let media_type = publication.content_type.clone();
            put(answer.headers_mut(), header::CONTENT_TYPE, media_type);
            answer
        }
    };
    let headers = answer.headers_mut();
    put(headers, header::ETAG, tag);
    let modified = httpdate::fmt_http_date(system_time(modified_at));
    put(headers, header::LAST_MODIFIED, modified);
    answer
}

/// Sets a header whose value is ASCII: a date, an id, or a URL with everything else escaped.
fn put(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
        headers.insert(name, value);
    }
}
