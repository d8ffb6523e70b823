//! The inbox of a source, at `/<source>/inbox`: the webhooks of a real Mastodon, Pleroma, Rebased, Muut or GitHub server come in,
//! and the events that they tell of are raised.
//!
//! A webhook is believed if it is signed under the source's inbound secret. A source without one takes webhooks from who holds a
//! publisher's token; not in the URL, which proxies write into their logs.

use warp::http::StatusCode;

use super::call::Call;
use super::events::accepted;
use super::problem::{Problem, text_answer};
use super::sources::find_source;
use super::tokens::Role;
use super::{Answer, Site};
use crate::dialect::inbox::{self, InboxError, Incoming};
use crate::domain::event::EventPattern;
use crate::domain::source::SourceName;
use crate::flow::raise::Idempotency;
use crate::flow::sources::is_own;

/// `POST /<source>/inbox`.
pub async fn post(site: &Site, mut call: Call, source: &str) -> Result<Answer, Problem> {
    let source = find_source(site, source).await?;
    if is_own(&source.name) {
        return Err(Problem::Forbidden(format!(
            "the hub itself raises the events of {}, and nobody else",
            source.name
        )));
    }
    if source.inbound_secret.is_none() {
        require_publisher(site, &call, &source.name, None)?;
    }
    let body = call.read_body(site.limits.event_body, &site.limits).await?;
    let now = site.hub.clock.now();
    let incoming = inbox::read(&source, &call.headers, &body, now)?;
    let (webhook, is_signed) = match incoming {
        Incoming::Signed(webhook) => (webhook, true),
        Incoming::Unsigned(webhook) => (webhook, false),
    };
    let Some(event) = webhook.event else {
        let said = "The ping has arrived; events that come after it are raised.";
        return Ok(text_answer(StatusCode::OK, said));
    };
    if !is_signed {
        let event = EventPattern::One(event.name.clone());
        require_publisher(site, &call, &source.name, Some(&event))?;
    }
    // The id is the event's: it may come again in another encoding, and is still the same event.
    let once = webhook.id.map(|id| {
        let key: [&[u8]; 4] = [
            b"inbox",
            &source.name.id().0,
            event.name.as_str().as_bytes(),
            id.as_bytes(),
        ];
        Idempotency::new(&key, &[])
    });
    let raised = site.hub.raise(&source, vec![event], once).await?;
    Ok(accepted(site, raised.receipt, 1))
}

impl From<InboxError> for Problem {
    fn from(error: InboxError) -> Self {
        let text = error.to_string();
        match error {
            InboxError::NoSignature(_) => Self::Unsigned(text),
            InboxError::WrongSignature => Self::Forbidden(text),
            InboxError::NoPayload | InboxError::Json(_) => Self::Invalid(text),
            InboxError::NoName(_) | InboxError::Name(_) | InboxError::Misfit(_) => {
                Self::Unprocessable(text)
            }
        }
    }
}

fn require_publisher(
    site: &Site,
    call: &Call,
    source: &SourceName,
    event: Option<&EventPattern>,
) -> Result<(), Problem> {
    let allowed = site
        .tokens
        .require_in(Role::Publisher, source, event, &call.headers);
    match allowed {
        Ok(_) => Ok(()),
        Err(Problem::NoToken) => Err(Problem::Unsigned(format!(
            "{source} has no inbound secret, so its webhooks are believed only with a publisher's token in the header \
             Authorization; where the sender can set no header, give the source and the sender the same secret"
        ))),
        Err(problem) => Err(problem),
    }
}
