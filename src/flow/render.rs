//! Render: what a target is sent. In: an edition and a target. Out: a request, ready to go, and for a hook what its log says of it.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue};

use super::Hub;
use super::editions::Edition;
use crate::dialect::service::Outgoing;
use crate::dialect::service::irc::IrcRoom;
use crate::domain::attempt::{Failure, Outcome};
use crate::domain::delivery::{Request, RequestBody, Writing, kept_headers};
use crate::domain::hook::Hook;
use crate::domain::trace::TraceParent;
use crate::domain::value::{CallbackUrl, Timestamp};
use crate::net::sender::Exchange;
use crate::store::{Recipient, Target};

/// What is sent to a target.
pub(super) enum Rendered<'a> {
    /// A request of HTTP.
    Http {
        method: Method,
        url: Cow<'a, CallbackUrl>,
        headers: HeaderMap,
        body: Bytes,
    },
    /// A visit to an IRC channel.
    Irc { room: IrcRoom, lines: Vec<String> },
    /// Nothing: the publication cannot be told to this target, for a reason that its owner must mend.
    Unfit(String),
}

impl Hub {
    /// What a target is sent, and how the event's default body is written in it, if it is that.
    pub(super) fn render<'a>(
        &self,
        edition: &Edition,
        target: &'a Target,
        now: Timestamp,
    ) -> (Rendered<'a>, Option<Writing>) {
        match &target.recipient {
            Recipient::Subscription(subscription) => {
                let content = &edition.content;
                let method = subscription
                    .method
                    .unwrap_or(self.settings.subscriptions.signature);
                let rendered = Rendered::Http {
                    method: Method::POST,
                    url: Cow::Borrowed(&subscription.callback),
                    headers: content.headers(target.id, subscription.secret.as_ref(), method),
                    body: content.body().clone(),
                };
                (rendered, None)
            }
            Recipient::Hook(hook) => self.render_for_hook(edition, hook, now),
        }
    }

    fn render_for_hook(
        &self,
        edition: &Edition,
        hook: &Hook,
        now: Timestamp,
    ) -> (Rendered<'static>, Option<Writing>) {
        let Some(occurrence) = edition.occurrence() else {
            let reason = "the publication is no event that can be read".to_owned();
            return (Rendered::Unfit(reason), None);
        };
        match occurrence.order(&self.imprint, hook, now) {
            Ok(order) => (order.outgoing.into(), order.default_body),
            Err(error) => (Rendered::Unfit(error.to_string()), None),
        }
    }

    /// Sends what was rendered. `verify_tls` is whether the receiver's certificate is checked.
    pub(super) async fn transmit(&self, rendered: Rendered<'_>, verify_tls: bool) -> Exchange {
        let ways = match verify_tls {
            true => &self.ways,
            false => &self.unchecked,
        };
        let within = self.settings.delivery.timeout;
        match rendered {
            Rendered::Http {
                method,
                url,
                headers,
                body,
            } => ways.http.send(&method, &url, headers, body, within).await,
            // Rare, and large: every delivery's future would be as large otherwise.
            Rendered::Irc { room, lines } => {
                Box::pin(ways.irc.say(&room, &lines, within)).await.into()
            }
            Rendered::Unfit(detail) => Outcome::Unanswered {
                failure: Failure::Unfit,
                detail,
            }
            .into(),
        }
    }
}

impl Rendered<'_> {
    /// Tells the receiver of the trace that this is part of, unless its owner has it told something else.
    pub(super) fn pass_on(&mut self, place: TraceParent) {
        if let Self::Http { headers, .. } = self
            && let Ok(value) = HeaderValue::from_str(&place.to_string())
        {
            headers.entry("traceparent").or_insert(value);
        }
    }

    /// What the log says was asked, and the body if it is one of the hook's own. `hook` is who is asked.
    pub(super) fn asked(&self, hook: &Hook, default: Option<Writing>) -> (Request, Bytes) {
        let (method, url, headers, own) = match self {
            Self::Http {
                method,
                url,
                headers,
                body,
            } => {
                let pairs = headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes()));
                (
                    method.to_string(),
                    url.to_string(),
                    kept_headers(pairs),
                    body.clone(),
                )
            }
            Self::Irc { lines, .. } => {
                let said = Bytes::from(lines.join("\n"));
                (
                    "PRIVMSG".to_owned(),
                    hook.endpoint.to_string(),
                    Vec::new(),
                    said,
                )
            }
            Self::Unfit(_) => {
                let url = hook.endpoint.to_string();
                ("POST".to_owned(), url, Vec::new(), Bytes::new())
            }
        };
        let (body, own) = match default {
            Some(writing) => (RequestBody::Default(writing), Bytes::new()),
            None => (RequestBody::Own, own),
        };
        let request = Request {
            method,
            url,
            headers,
            body,
        };
        (request, own)
    }
}

impl From<Outgoing> for Rendered<'static> {
    fn from(outgoing: Outgoing) -> Self {
        match outgoing {
            Outgoing::Http {
                method,
                url,
                headers,
                body,
            } => Self::Http {
                method,
                url: Cow::Owned(url),
                headers,
                body,
            },
            Outgoing::Irc { room, lines } => Self::Irc { room, lines },
        }
    }
}
