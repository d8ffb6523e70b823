//! An event made ready for all its hooks: what they have in common is made once, and when it is wanted. In: an event, then
//! hooks. Out: whether a hook's filter lets it through, and the request that tells the hook of it.

use std::sync::OnceLock;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderValue, USER_AGENT};
use serde_json::Value;

use super::filter::{self, Filter, FilterError};
use super::service::{self, ConfigError, Outgoing, Summary, UnknownService};
use super::template::{RenderError, Template, TemplateError};
use super::{Occasion, Request, body, encode, request};
use crate::domain::delivery::Writing;
use crate::domain::event::Event;
use crate::domain::hook::{ContentType, Hook, Receiver};
use crate::domain::source::{Dialect, SourceName};
use crate::domain::value::{PublicationId, Timestamp};

/// How many default bodies there are: each dialect, with and without Pleroma's `type`, as JSON and as a form.
const BODIES: usize = Dialect::ALL.len() * 4;

/// What every request of a hub bears.
#[derive(Clone, Debug)]
pub struct Imprint {
    /// The hub's own URL, which ends in a slash.
    pub public_url: String,
    /// Whose name SocialGateway's headers bear.
    pub brand: String,
    /// Names the hub.
    pub user_agent: HeaderValue,
}

/// See the module.
#[derive(Debug)]
pub struct Occurrence {
    event: Event,
    id: PublicationId,
    source: SourceName,
    bodies: [OnceLock<Bytes>; BODIES],
    subject: OnceLock<Value>,
    summary: OnceLock<Summary>,
}

/// What is sent to a hook.
#[derive(Debug)]
pub struct Order {
    /// The request.
    pub outgoing: Outgoing,
    /// How the event's default body is written in it; `None` for a body of the hook's own.
    pub default_body: Option<Writing>,
}

/// Why an event cannot be told to a hook: it must be edited first. Saving it has checked all this, but for what depends on
/// the event.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The template is none.
    #[error("the template is wrong: {0}")]
    Template(#[from] TemplateError),
    /// The template does not fit the event.
    #[error("the template does not fit the event: {0}")]
    Render(#[from] RenderError),
    /// The service is none that this version knows.
    #[error(transparent)]
    Service(#[from] UnknownService),
    /// The service lacks something.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Occurrence {
    /// `id` is the same for all hooks and all repeats.
    pub fn new(event: Event, id: PublicationId, source: SourceName) -> Self {
        Self {
            event,
            id,
            source,
            bodies: [const { OnceLock::new() }; BODIES],
            subject: OnceLock::new(),
            summary: OnceLock::new(),
        }
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Its id.
    pub fn id(&self) -> PublicationId {
        self.id
    }

    /// Whether a hook's filter lets the event through.
    ///
    /// # Errors
    /// The filter is none.
    pub fn passes(&self, hook: &Hook) -> Result<bool, FilterError> {
        let Some(filter) = &hook.filter else {
            return Ok(true);
        };
        let subject = self.subject.get_or_init(|| filter::subject(&self.event));
        Ok(Filter::parse(filter)?.matches(subject))
    }

    /// The request for a hook, signed.
    ///
    /// # Errors
    /// The hook and the event do not fit.
    pub fn order(
        &self,
        imprint: &Imprint,
        hook: &Hook,
        now: Timestamp,
    ) -> Result<Order, OrderError> {
        match &hook.receiver {
            Receiver::Web { url, content_type } => {
                let (body, default_body) = self.web_body(hook, *content_type)?;
                let occasion = Occasion {
                    event: &self.event,
                    id: self.id,
                    source: &self.source,
                    public_url: &imprint.public_url,
                    brand: &imprint.brand,
                    user_agent: &imprint.user_agent,
                };
                let Request { headers, body } = request(&occasion, hook, body, now);
                Ok(Order {
                    outgoing: Outgoing::Http {
                        method: Method::POST,
                        url: url.clone(),
                        headers,
                        body,
                    },
                    default_body,
                })
            }
            Receiver::Service { name, config } => {
                let say = || service::summary(&self.source, &self.event);
                let summary = self.summary.get_or_init(say);
                let delivery = self.id.delivery(hook.id.target());
                let mut outgoing = service::find(name)?.message(summary, config, delivery)?;
                if let Outgoing::Http { headers, .. } = &mut outgoing {
                    headers.insert(USER_AGENT, imprint.user_agent.clone());
                }
                Ok(Order {
                    outgoing,
                    default_body: None,
                })
            }
        }
    }

    /// The body that every hook gets which has none of its own.
    pub fn default_body(&self, writing: Writing) -> Bytes {
        let Writing {
            dialect,
            type_key,
            content_type,
        } = writing;
        let form = content_type == ContentType::Form;
        let index = dialect as usize * 4 + usize::from(type_key) * 2 + usize::from(form);
        let write = || match form {
            true => {
                let json = self.default_body(Writing {
                    content_type: ContentType::Json,
                    ..writing
                });
                encode(&json, ContentType::Form)
            }
            false => body(dialect, &self.event, type_key),
        };
        self.bodies[index].get_or_init(write).clone()
    }

    fn web_body(
        &self,
        hook: &Hook,
        content_type: ContentType,
    ) -> Result<(Bytes, Option<Writing>), OrderError> {
        match &hook.template {
            Some(template) => {
                let filled = Template::parse(template)?.render(&self.event)?;
                Ok((encode(&filled.into(), content_type), None))
            }
            None => {
                let writing = Writing::of(hook, content_type);
                Ok((self.default_body(writing), Some(writing)))
            }
        }
    }
}
