//! Why a hook is not kept as it was written: what is wrong, which value, and what would be right.

use crate::dialect::filter::FilterError;
use crate::dialect::occurrence::OrderError;
use crate::dialect::repository::MASK;
use crate::dialect::service::{ConfigError, UnknownService};
use crate::dialect::template::TemplateError;
use crate::dialect::{HeaderError, Misfit};
use crate::domain::hook::HookId;
use crate::domain::source::SourceName;
use crate::domain::value::{CallbackUrl, UrlError};
use crate::net::guard::Refused;
use crate::store::StoreError;

use super::check::SECRET_MIN_BYTES;

/// See the module. When one of these comes back, nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is no such hook.
    #[error("there is no hook {0}, or no longer")]
    NoHook(HookId),
    /// There is no such source.
    #[error("source: there is no source {0}; declare it first, or name another")]
    NoSource(SourceName),
    /// It asks for nothing. Holds an event that it could ask for.
    #[error(
        "events: a hook asks for one event at least, such as {0:?}, or for all of them with \"*\""
    )]
    NoEvents(String),
    /// It asks for more than anybody reads.
    #[error(
        "events: {named} are too many; name {most} at most, or groups of them such as \"account.*\""
    )]
    TooManyEvents {
        /// So many.
        named: usize,
        /// The most.
        most: usize,
    },
    /// It asks for an event that the source does not raise, or the example of one does not fit.
    #[error("events: {0}")]
    Event(#[from] Misfit),
    /// Its URL is none that can be called.
    #[error("url {0}")]
    Url(UrlError),
    /// The hub does not go to that address.
    #[error("url: {0}")]
    Refused(#[from] Refused),
    /// The hub does not go to that host.
    #[error("url: this hub does not call {0}")]
    DeniedHost(String),
    /// Its template is none.
    #[error("template: {0}")]
    Template(#[from] TemplateError),
    /// Its filter is none.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// Its headers cannot be sent.
    #[error("headers: {0}")]
    Headers(#[from] HeaderError),
    /// Its service is none.
    #[error("name: {0}")]
    Service(#[from] UnknownService),
    /// The service cannot do with its config.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A rate at which nothing would ever go.
    #[error("rate: at 0 per second nothing would be sent; write 1 or more, or null for no limit")]
    Rate,
    /// Too short a secret.
    #[error(
        "secret: {length} bytes are too short for the dialect {dialect}; write {SECRET_MIN_BYTES} at least, or leave it out and one is made"
    )]
    ShortSecret {
        /// Its length in bytes.
        length: usize,
        /// The dialect.
        dialect: &'static str,
    },
    /// The mask of a secret in the place of the secret. Holds the field.
    #[error(
        "{0}: {MASK} stands for a secret that is not shown; write the secret itself, or leave it out"
    )]
    Masked(&'static str),
    /// Signatures that nothing could make.
    #[error(
        "signing: {0} needs a secret, or \"v1a\": true for a key pair; write one of them, or \"signing\": \"dialect\""
    )]
    Keyless(&'static str),
    /// Something of which a service makes no use.
    #[error(
        "{field}: {service} writes its requests itself, and has no use for it; leave it out, or make a hook of the name web"
    )]
    Useless {
        /// The field.
        field: &'static str,
        /// The service.
        service: String,
    },
    /// A second hook that would do the same.
    #[error("{}", exists(*.twin, .url.as_ref()))]
    Exists {
        /// The hook that is there.
        twin: HookId,
        /// The URL, where one may be there only once.
        url: Option<CallbackUrl>,
    },
    /// As many hooks as the source may have.
    #[error(
        "source: {source_name} has {most} hooks, and this hub allows no more; delete one, or ask its operator to raise limits.hooks_per_source"
    )]
    TooMany {
        /// The source.
        source_name: SourceName,
        /// The most.
        most: u64,
    },
    /// More text than a hook can hold.
    #[error(
        "the template, the filter, the headers and the config have {bytes} bytes together; a hook has room for {most}"
    )]
    TooLarge {
        /// So much.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// An event cannot be told to it.
    #[error("{0}")]
    Order(#[from] OrderError),
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HookError {
    /// The field that is to blame; none where it is the hook as a whole.
    pub fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoHook(_) | Self::Exists { .. } | Self::TooLarge { .. } | Self::Store(_) => {
                return None;
            }
            Self::NoSource(_) | Self::TooMany { .. } => "source",
            Self::NoEvents(_) | Self::TooManyEvents { .. } | Self::Event(_) => "events",
            Self::Url(_) | Self::Refused(_) | Self::DeniedHost(_) => "url",
            Self::Template(_) | Self::Order(_) => "template",
            Self::Filter(_) => "filter",
            Self::Headers(_) => "headers",
            Self::Service(_) => "name",
            Self::Config(_) => "config",
            Self::Rate => "rate",
            Self::ShortSecret { .. } => "secret",
            Self::Masked(field) | Self::Useless { field, .. } => field,
            Self::Keyless(_) => "signing",
        })
    }

    /// Where in that field, as line and column from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Template(error) | Self::Order(OrderError::Template(error)) => {
                Some((error.line, error.column))
            }
            Self::Filter(error) => Some((1, error.column)),
            _ => None,
        }
    }
}

fn exists(twin: HookId, url: Option<&CallbackUrl>) -> String {
    match url {
        Some(url) => format!(
            "url: hook {twin} of this source goes to {url} already, and each URL is there once; edit that hook, or write another URL"
        ),
        None => format!(
            "hook {twin} of this source has the same config already, and some of the same events; edit that hook, or ask for other events"
        ),
    }
}
