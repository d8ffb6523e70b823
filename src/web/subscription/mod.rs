//! `/subscription`: who proves that a callback is theirs sees how its subscription stands, has what waits tried now, and what is kept sent
//! once more. In: a form. Out: a page that needs no script; or JSON, for who prefers that.
//!
//! It is no oracle: a wrong secret, a wrong token, a subscription without a secret and one that is not there are answered alike.

mod view;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use askama::Template;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};

use self::view::View;
use super::call::Call;
use super::form::{self, Fields};
use super::page::{self, STYLE, written};
use super::problem::{Problem, json_answer, shown};
use super::request::{read_callback, read_topic};
use super::{Answer, Site};
use crate::domain::notation::{nearest, parse_duration};
use crate::domain::value::{SECRET_MAX_BYTES, Secret, Timestamp};
use crate::flow::self_service::{Claim, Evidence, ReplayError, SelfService, Which};

/// Secrets that one client may try in a minute, tokens that it may have sent, and orders that it may give.
const TRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
/// What a form may have.
const FIELDS: [&str; 7] = [
    "topic", "callback", "secret", "token", "do", "since", "what",
];
/// Lets the browser use the page's style, and send the forms back here, and nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| page::policy("'self'"));

/// Subscribers who come to look.
pub struct Counter {
    service: Arc<SelfService>,
    tries: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Counter {
    /// For the subscriptions of a hub.
    pub fn new(service: SelfService) -> Self {
        Self {
            service: Arc::new(service),
            tries: RateLimiter::dashmap(Quota::per_minute(TRIES)),
            clock: DefaultClock::default(),
        }
    }

    /// Lets a client try once more.
    fn count(&self, client: IpAddr) -> Result<(), Problem> {
        let passed = self.tries.check_key(&network(client));
        self.tries.retain_recent();
        passed.map_err(|until| Problem::TooMany(until.wait_time_from(self.clock.now())))
    }
}

/// What one client has to itself: of IPv6 a whole network.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

/// `GET /subscription`: the form, filled in as far as the query says.
pub async fn form(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let fields = form::read(call.query.as_deref(), None, bytes::Bytes::new()).await?;
    if prefers_json(&call.headers) {
        return Err(Problem::Invalid(
            "send a POST with the form fields topic, callback, and secret or token; or with do=token, to have a token sent to the \
             callback"
                .into(),
        ));
    }
    let given = |name| fields.first(name).unwrap_or_default();
    show(site, given("topic"), given("callback"), None, None)
}

/// `POST /subscription`: a proof, and what to do.
pub async fn post(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    let body = call.read_body(site.limits.form_body, &site.limits).await?;
    // Nothing of the query: what proves something must not stand in a URL.
    let fields = form::read(None, call.content_type(), body).await?;
    match (act(site, &call, &fields).await, prefers_page(&call.headers)) {
        (Err(problem @ (Problem::Invalid(_) | Problem::Forbidden(_))), true) => {
            let typed = |name| fields.first(name).unwrap_or_default();
            let told = problem.to_string();
            let mut page = show(site, typed("topic"), typed("callback"), Some(&told), None)?;
            *page.status_mut() = problem.status();
            Ok(page)
        }
        (answer, _) => answer,
    }
}

async fn act(site: &Site, call: &Call, fields: &Fields) -> Result<Answer, Problem> {
    let unknown = fields.names().find(|name| !FIELDS.contains(name));
    if let Some(name) = unknown {
        let near = nearest(name, FIELDS)
            .map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return Err(Problem::Invalid(format!(
            "{:?} is no field here; the fields are {}{near}",
            shown(name),
            FIELDS.join(", ")
        )));
    }
    let claim = Claim {
        topic: read_topic("topic", given(fields, "topic")?, &site.limits)?,
        callback: read_callback("callback", given(fields, "callback")?, &site.limits)?,
    };
    let as_json = prefers_json(&call.headers);
    let wish = fields.first("do").unwrap_or("show");
    if wish == "token" {
        site.counter.count(site.admission.client(call))?;
        return send_token(site, &claim, as_json).await;
    }
    let order = Order::read(wish, fields, site.hub.clock.now())?;
    let evidence = evidence(fields)?;
    // A token cannot be guessed; a secret may be short. And each order makes the hub call somebody.
    if matches!(evidence, Evidence::Secret(_)) || !matches!(order, Order::Show) {
        site.counter.count(site.admission.client(call))?;
    }
    let service = &site.counter.service;
    let Some(subscription) = service.proved(&claim, &evidence).await? else {
        return Err(Problem::Forbidden(
            "the hub has no such subscription, or this is not its secret, or the token is wrong or too old".into(),
        ));
    };
    let (status, notice) = match order {
        Order::Show => (StatusCode::OK, String::new()),
        Order::Resume => match service.resume(&subscription).await? {
            true => (StatusCode::ACCEPTED, "What waits is tried now.".to_owned()),
            false => (StatusCode::ACCEPTED, "Nothing waits.".to_owned()),
        },
        Order::Replay(since, which) => match service.replay(&subscription, since, which).await {
            Ok(()) => (
                StatusCode::ACCEPTED,
                "The replay has begun. Look again to see how far it is.".to_owned(),
            ),
            Err(ReplayError::Store(error)) => return Err(error.into()),
            // On the page this stands beside what is to be done first.
            Err(error) if prefers_page(&call.headers) => (StatusCode::CONFLICT, error.to_string()),
            Err(error) => return Err(Problem::Conflict(error.to_string())),
        },
    };
    let view = View::of(service.standing(subscription).await?);
    if as_json {
        return Ok(json_answer(status, &view));
    }
    let notice = Some(notice.as_str()).filter(|notice| !notice.is_empty());
    let mut page = show(site, "", "", notice, Some(&view))?;
    *page.status_mut() = status;
    Ok(page)
}

/// Whatever is there: the same answer.
async fn send_token(site: &Site, claim: &Claim, as_json: bool) -> Result<Answer, Problem> {
    site.counter.service.send_proof(claim).await?;
    let notice = "If there is such a subscription, its callback is sent a token now; not more than one a minute.";
    if as_json {
        let told = serde_json::json!({ "notice": notice });
        return Ok(json_answer(StatusCode::ACCEPTED, &told));
    }
    let (topic, callback) = (claim.topic.as_str(), claim.callback.as_str());
    let mut answer = show(site, topic, callback, Some(notice), None)?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

/// What is to be done.
enum Order {
    Show,
    Resume,
    Replay(Timestamp, Which),
}

impl Order {
    fn read(wish: &str, fields: &Fields, now: Timestamp) -> Result<Self, Problem> {
        match wish {
            "show" => Ok(Self::Show),
            "resume" => Ok(Self::Resume),
            "replay" => {
                let text = given(fields, "since")?;
                let since = Timestamp::parse(text)
                    .or_else(|| parse_duration(text).ok().map(|span| now.minus(span)));
                let since = since.ok_or_else(|| {
                    Problem::Invalid(format!(
                        "since: {:?} is no time; write one such as 2026-11-28T20:00:00Z, or how long ago it was, such as 2h",
                        shown(text)
                    ))
                })?;
                let which = match fields.first("what").unwrap_or("all") {
                    "all" => Which::All,
                    "given_up" => Which::GivenUp,
                    other => {
                        return Err(Problem::Invalid(format!(
                            "what: {:?} is not known; send all or given_up",
                            shown(other)
                        )));
                    }
                };
                Ok(Self::Replay(since, which))
            }
            other => Err(Problem::Invalid(format!(
                "do: {:?} is not known; send show, token, resume or replay",
                shown(other)
            ))),
        }
    }
}

fn evidence(fields: &Fields) -> Result<Evidence, Problem> {
    let text = |name| fields.first(name).filter(|text| !text.is_empty());
    match (text("token"), text("secret")) {
        (Some(token), _) => Ok(Evidence::Proof(token.to_owned())),
        (None, Some(secret)) => Secret::parse(secret).map(Evidence::Secret).map_err(|length| {
            Problem::Invalid(format!(
                "secret: it has {length} bytes; a secret has 1 to {SECRET_MAX_BYTES}"
            ))
        }),
        (None, None) => Err(Problem::Invalid(
            "secret or token is missing; send the subscription's secret, or do=token to have a token sent to the callback".into(),
        )),
    }
}

fn given<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, Problem> {
    let text = fields
        .first(name)
        .map(str::trim)
        .filter(|text| !text.is_empty());
    text.ok_or_else(|| Problem::Invalid(format!("{name} is missing")))
}

/// Whether a program asks.
pub fn prefers_json(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept
        .is_some_and(|accept| accept.contains("application/json") && !accept.contains("text/html"))
}

/// Whether a browser asks.
fn prefers_page(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The page. With a standing it shows that; without, the form.
#[derive(Template)]
#[template(path = "subscription.html")]
struct Page<'a> {
    hub: &'a str,
    style: &'static str,
    topic: &'a str,
    callback: &'a str,
    notice: Option<&'a str>,
    standing: Option<&'a View>,
}

fn show(
    site: &Site,
    topic: &str,
    callback: &str,
    notice: Option<&str>,
    standing: Option<&View>,
) -> Result<Answer, Problem> {
    let page = Page {
        hub: &site.hub.url,
        style: STYLE,
        topic,
        callback,
        notice,
        standing,
    };
    let mut answer = written(&page, &POLICY)?;
    let no_store = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_network_of_addresses_is_one_client() {
        let of = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_ne!(of("2001:db8:1:3::1"), of("2001:db8:1:2::1"));
    }
}
