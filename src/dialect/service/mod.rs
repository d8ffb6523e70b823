//! The services that a hook can name instead of `web`: Slack, Matrix, IRC and so on. In: an event and the hook's config.
//! Out: where the message goes, and the message itself, in the service's own form.
//!
//! A service is one entry of the table in `catalogue`; adding one needs no other change. Invariant: what comes out holds
//! no control character and nothing that the service takes for a command or a mention, whatever the event says.

mod callback;
mod catalogue;
mod config;
mod escape;
pub mod irc;
mod recipe;
mod summary;

use bytes::Bytes;
use hyper::Method;
use hyper::header::HeaderMap;
use uuid::Uuid;

pub use self::callback::{CallbackError, parse_callback};
pub use self::config::{Config, ConfigError, Field, Kind, from_json};
use self::irc::IrcRoom;
use self::recipe::Recipe;
pub use self::summary::{Summary, summary};
use crate::domain::notation;
use crate::domain::value::CallbackUrl;

/// A service: what it is called, what it must know, and how a message is put to it.
#[derive(Debug)]
pub struct Service {
    /// The hook's name: `slack`.
    pub name: &'static str,
    /// The name for people: `Slack`.
    pub title: &'static str,
    /// The ways in which it can be configured; most services have one.
    forms: &'static [Form],
}

/// One way in which a service is configured and spoken to.
#[derive(Debug)]
struct Form {
    fields: &'static [Field],
    wire: Wire,
}

/// What carries the message.
#[derive(Debug)]
enum Wire {
    Http(Recipe),
    Irc,
}

/// Where a service's messages go: whom the guard judges, and whom limits and circuits are kept for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// An HTTP request goes there. Where the path has the delivery's id, the nil id stands here.
    Http {
        /// The URL.
        url: CallbackUrl,
    },
    /// An IRC server is visited.
    Irc(IrcRoom),
}

/// A message in the service's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// One request. The headers lack `Host`, `Content-Length` and `User-Agent`, which are the sender's.
    Http {
        /// POST, or PUT for Matrix.
        method: Method,
        /// The URL; Matrix has the delivery's id in it.
        url: CallbackUrl,
        /// Content type and authorization.
        headers: HeaderMap,
        /// The body.
        body: Bytes,
    },
    /// One visit to an IRC channel.
    Irc {
        /// Where, and under what name.
        room: IrcRoom,
        /// What is said, one message for each.
        lines: Vec<String>,
    },
}

/// A name that is no service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a service{}; the services are {}", hint(.nearest), names())]
pub struct UnknownService {
    /// The name.
    pub name: String,
    /// The service that was most likely meant.
    pub nearest: Option<&'static str>,
}

/// Every service, by name.
pub fn services() -> &'static [Service] {
    catalogue::SERVICES
}

/// The service of a name; upper and lower case are the same.
///
/// # Errors
/// The name, with the one that was most likely meant and the list.
pub fn find(name: &str) -> Result<&'static Service, UnknownService> {
    let is_it = |service: &&Service| service.name.eq_ignore_ascii_case(name);
    services().iter().find(is_it).ok_or_else(|| UnknownService {
        name: name.to_owned(),
        nearest: notation::nearest(name, services().iter().map(|service| service.name)),
    })
}

impl Service {
    /// The fields of its config, those of all its forms; what lists of services show.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.forms.iter().flat_map(|form| form.fields)
    }

    /// Checks a config: each field that is needed is there, none is unknown, each value is what it should be.
    ///
    /// # Errors
    /// The first mistake, with what would be right.
    pub fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let form = self.form(config);
        config::check(self.name, form.fields, config)?;
        self.destination(config).map(drop)
    }

    /// Where messages go.
    ///
    /// # Errors
    /// What is wrong with the config; none for one that `check` has passed.
    pub fn destination(&self, config: &Config) -> Result<Destination, ConfigError> {
        match &self.form(config).wire {
            Wire::Http(recipe) => {
                let url = recipe.url(self.name, config, Uuid::nil())?;
                Ok(Destination::Http { url })
            }
            Wire::Irc => IrcRoom::read(self.name, config).map(Destination::Irc),
        }
    }

    /// The message. `delivery` is the delivery's id, the same on every repeat: Matrix drops repeats by it.
    ///
    /// # Errors
    /// What is wrong with the config; none for one that `check` has passed.
    pub fn message(
        &self,
        summary: &Summary,
        config: &Config,
        delivery: Uuid,
    ) -> Result<Outgoing, ConfigError> {
        match &self.form(config).wire {
            Wire::Http(recipe) => recipe.request(self.name, summary, config, delivery),
            Wire::Irc => Ok(Outgoing::Irc {
                room: IrcRoom::read(self.name, config)?,
                lines: summary.all_lines(),
            }),
        }
    }

    /// The config as it may be shown: passwords, and URLs that let anyone who has them post, are masked.
    pub fn masked(&self, config: &Config) -> Config {
        let is_secret = |name: &str| {
            self.fields()
                .any(|field| field.name == name && field.is_secret())
        };
        let shown = |(name, value): (&String, &String)| match is_secret(name) {
            true => (name.clone(), "********".to_owned()),
            false => (name.clone(), value.clone()),
        };
        config.iter().map(shown).collect()
    }

    /// The form that a config is meant for: one that it completes, or else the one that it comes nearest to.
    fn form(&self, config: &Config) -> &'static Form {
        let mut best = &self.forms[0];
        let fit = |form: &Form| {
            let mut needed = form.fields.iter().filter(|field| field.required);
            let (needs, has) = needed.by_ref().fold((0, 0), |(needs, has), field| {
                (needs + 1, has + usize::from(field.of(config).is_some()))
            });
            (needs == has, has)
        };
        for form in &self.forms[1..] {
            if fit(form) > fit(best) {
                best = form;
            }
        }
        best
    }
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

fn names() -> String {
    let names: Vec<_> = services().iter().map(|service| service.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
