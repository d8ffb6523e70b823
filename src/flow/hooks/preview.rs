//! What a hook would be sent, without sending it. In: a hook that need not be kept, and maybe an event. Out: the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::check::check;
use super::{HookError, Hub};
use crate::dialect::occurrence::Occurrence;
use crate::dialect::service::Outgoing;
use crate::dialect::{self, catalogue};
use crate::domain::event::{Event, EventName};
use crate::domain::hook::Hook;
use crate::domain::source::Source;
use crate::domain::value::PublicationId;
use crate::flow::clock::new_publication_id;
use crate::store::StoreError;

/// How many of the latest events of a source are looked at for one that a hook asks for.
const EVENTS_SEEN: usize = 200;

/// A request as it would be made.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The event that it tells of.
    pub event: EventName,
    /// Whether that event was made up, for want of a real one.
    pub is_example: bool,
    /// Whether the hook's filter lets the event through.
    pub passes: bool,
    /// The request.
    pub request: Shown,
}

/// A request, fit to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The method of HTTP, or the command of another protocol.
    pub method: String,
    /// Where it would go.
    pub url: String,
    /// With these headers.
    pub headers: Vec<(String, String)>,
    /// And this body; bytes that are no text in base64.
    pub body: String,
}

impl Hub {
    /// What a draft would be sent of `event`; without one, of the latest event that it asks for, or of an example.
    ///
    /// # Errors
    /// What is wrong with the draft, or why it does not fit the event.
    pub async fn preview_hook(
        &self,
        draft: Hook,
        event: Option<Event>,
    ) -> Result<Preview, HookError> {
        let source = self.source_of(&draft.source).await?;
        let hook = super::settled(None, draft, &source, self.clock.now());
        let hook = check(hook, &source, &self.reachable())?;
        let (occurrence, is_example) = match event {
            Some(event) => (self.occurrence(event, new_publication_id(), &hook), false),
            None => self.telling(&hook, &source).await?,
        };
        let name = occurrence.event().name.clone();
        let passes = occurrence.passes(&hook)?;
        let order = occurrence.order(&self.imprint, &hook, self.clock.now())?;
        Ok(Preview {
            event: name,
            is_example,
            passes,
            request: shown(order.outgoing, &hook),
        })
    }

    /// The example of an event that a source could raise.
    ///
    /// # Errors
    /// It has no such event.
    pub fn example(&self, source: &Source, name: &EventName) -> Result<Event, HookError> {
        Ok(dialect::example(source, name, self.clock.now())?)
    }

    /// The latest event that a hook asks for, or an example of one; and whether it is that.
    async fn telling(&self, hook: &Hook, source: &Source) -> Result<(Occurrence, bool), HookError> {
        let latest = self
            .store
            .events_before(&source.name, None, EVENTS_SEEN)
            .await?;
        for raised in latest.iter().filter(|raised| hook.wants(&raised.event)) {
            if let Some(occurrence) = self.kept(raised.publication).await? {
                return Ok((occurrence, false));
            }
        }
        let own = source.events.iter().cloned();
        let known = catalogue(source.dialect).iter();
        let mut names = own.chain(known.filter_map(|name| EventName::parse(name).ok()));
        let name = names.find(|name| hook.wants(name));
        let name = name.ok_or_else(|| HookError::NoEvents("*".into()))?;
        let event = self.example(source, &name)?;
        Ok((self.occurrence(event, new_publication_id(), hook), true))
    }

    /// An event of the store, ready for hooks; `None` if it is no event, or pruned.
    async fn kept(&self, id: PublicationId) -> Result<Option<Occurrence>, StoreError> {
        let Some((publication, body)) = self.store.publication(id).await? else {
            return Ok(None);
        };
        Ok(publication.event.and_then(|mark| {
            let event = dialect::event(mark.dialect, mark.name, mark.created_at, &body)?;
            Some(Occurrence::new(event, id, mark.source))
        }))
    }

    fn occurrence(&self, event: Event, id: PublicationId, hook: &Hook) -> Occurrence {
        Occurrence::new(event, id, hook.source.clone())
    }

    /// Whose name SocialGateway's headers bear, and whose scheme callbacks to services have.
    pub fn brand(&self) -> &str {
        &self.imprint.brand
    }
}

fn shown(outgoing: Outgoing, hook: &Hook) -> Shown {
    let (method, url, headers, body) = match outgoing {
        Outgoing::Http {
            method,
            url,
            headers,
            body,
        } => {
            let pair =
                |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                };
            let body = String::from_utf8(body.into())
                .unwrap_or_else(|bytes| BASE64.encode(bytes.as_bytes()));
            let headers = headers.iter().map(pair).collect();
            (method.to_string(), url.to_string(), headers, body)
        }
        Outgoing::Irc { lines, .. } => (
            "PRIVMSG".to_owned(),
            hook.endpoint.to_string(),
            Vec::new(),
            lines.join("\n"),
        ),
    };
    Shown {
        method,
        url,
        headers,
        body,
    }
}
