//! The sources, for who keeps them: what raises events, in whose layout, which events, and who may read them.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use warp::http::StatusCode;

use super::call::Call;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::query::{Page, Query};
use super::tokens::Role;
use super::{Answer, Site};
use crate::dialect;
use crate::domain::event::{EventName, EventPattern};
use crate::domain::notation::nearest;
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::value::{SECRET_MAX_BYTES, Secret};
use crate::flow::sources::SourceError;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// The most events that a source names itself.
const EVENTS_MAX: usize = 500;
/// Sources that are looked at for the one that was most likely meant.
const NEAR_MAX: usize = 1_000;
/// Sources that are read at a time, and that one request may look at: a token may be for a few of many.
const STEP: usize = 1_000;
const ROWS_MAX: usize = 50_000;
/// What is shown in the place of a secret. Sent back, it changes nothing.
const MASK: &str = "********";

/// `GET /api/v1/sources`: those that the token may read.
pub async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let holder = site.tokens.holder(&call.headers)?;
    let query = Query::read(call.query.as_deref(), &["after", "limit"]).await?;
    let parse = |text: &str| SourceName::parse(text).ok();
    let mut after = query.parsed("after", parse, "the next of a page")?;
    let limit = query.limit()?;
    let (mut found, mut seen) = (Vec::new(), 0);
    let unseen = loop {
        let step = site.hub.sources(after.as_ref(), STEP).await?;
        seen += step.len();
        let is_last = step.len() < STEP;
        after = step.last().map(|source| source.name.clone()).or(after);
        let may_read = |source: &Source| holder.may(Role::Reader, &source.name);
        found.extend(step.into_iter().filter(may_read));
        if is_last {
            break None;
        }
        if found.len() > limit || seen >= ROWS_MAX {
            break after;
        }
    };
    let mut page = Page::of(found, limit, |last| last.name.to_string());
    page.next = page.next.or(unseen.map(|name| name.to_string()));
    Ok(json_answer(
        StatusCode::OK,
        &page.map(|source| view(site, &source)),
    ))
}

/// `GET /api/v1/sources/<name>`.
pub async fn show(site: &Site, call: &Call, name: &str) -> Result<Answer, Problem> {
    let name = read_name(name)?;
    site.tokens
        .require_in(Role::Reader, &name, None, &call.headers)?;
    let source = find(site, &name).await?;
    Ok(json_answer(StatusCode::OK, &view(site, &source)))
}

/// `PUT /api/v1/sources/<name>`: declares it, or changes what is named.
pub async fn put(site: &Site, mut call: Call, name: &str) -> Result<Answer, Problem> {
    let name = read_name(name)?;
    require_admin(site, &call, &name)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let draft: Draft = match body.trim_ascii() {
        b"" => Draft::default(),
        body => serde_json::from_slice(body).map_err(|error| {
            Problem::Invalid(format!(
                "the body is not {{\"dialect\": \"...\", \"events\": [...], \"private\": false, \"inbound_secret\": null}}, or \
                 a part of that: {error}"
            ))
        })?,
    };
    let known = site.hub.source(&name).await?;
    let source = draft.onto(known.as_deref(), name, site)?;
    let name = source.name.clone();
    let status = match site.hub.put_source(source).await? {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    let source = find(site, &name).await?;
    Ok(json_answer(status, &view(site, &source)))
}

/// `DELETE /api/v1/sources/<name>`.
pub async fn delete(site: &Site, call: &Call, name: &str) -> Result<Answer, Problem> {
    let name = read_name(name)?;
    require_admin(site, call, &name)?;
    match site.hub.drop_source(&name).await? {
        true => Ok(empty_answer(StatusCode::NO_CONTENT)),
        false => Err(unknown(site, &name).await?),
    }
}

/// The source that a path names.
///
/// # Errors
/// 404, with the name that was most likely meant; and the store's.
pub async fn find_source(site: &Site, name: &str) -> Result<Arc<Source>, Problem> {
    let name = SourceName::parse(name).map_err(|error| Problem::NotFound(error.to_string()))?;
    find(site, &name).await
}

async fn find(site: &Site, name: &SourceName) -> Result<Arc<Source>, Problem> {
    match site.hub.source(name).await? {
        Some(source) => Ok(source),
        None => Err(unknown(site, name).await?),
    }
}

/// Names the nearest of the sources that everybody may know of.
async fn unknown(site: &Site, name: &SourceName) -> Result<Problem, Problem> {
    let sources = site.hub.sources(None, NEAR_MAX).await?;
    let public = sources.iter().filter(|source| !source.private);
    let near = nearest(name.as_str(), public.map(|source| source.name.as_str()));
    let hint = match near {
        Some(near) => format!("; did you mean {near}?"),
        None => "; declare it with PUT /api/v1/sources/<name>, or fanfare sources add".to_owned(),
    };
    Ok(Problem::NotFound(format!(
        "there is no source {name}{hint}"
    )))
}

/// Lets a request pass that may do everything in a source: what is said of a source is about all its events.
fn require_admin(site: &Site, call: &Call, name: &SourceName) -> Result<(), Problem> {
    let all = Some(&EventPattern::All);
    let holder = site
        .tokens
        .require_in(Role::Admin, name, all, &call.headers);
    holder.map(drop)
}

fn read_name(name: &str) -> Result<SourceName, Problem> {
    SourceName::parse(name).map_err(|error| Problem::Unprocessable(error.to_string()))
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Own => Self::Forbidden(error.to_string()),
            SourceError::HasHooks { .. } | SourceError::Needed { .. } => {
                Self::Conflict(error.to_string())
            }
            SourceError::Store(error) => Self::Store(error),
        }
    }
}

/// What is said of a source; what is not stays as it is.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    dialect: Option<String>,
    events: Option<Vec<String>>,
    private: Option<bool>,
    /// `None`: nothing is said. `Some(None)`: there shall be none.
    #[serde(default, deserialize_with = "said")]
    inbound_secret: Option<Option<String>>,
}

/// Tells `null` from what is not there.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Draft {
    fn onto(
        self,
        known: Option<&Source>,
        name: SourceName,
        site: &Site,
    ) -> Result<Source, Problem> {
        let mut source = known.cloned().unwrap_or_else(|| Source {
            name,
            dialect: Dialect::default(),
            events: Vec::new(),
            private: false,
            inbound_secret: None,
            created_at: site.hub.clock.now(),
        });
        if let Some(dialect) = self.dialect {
            source.dialect = Dialect::parse(&dialect).ok_or_else(|| {
                let known = Dialect::ALL.map(Dialect::name).join(", ");
                let shown = shown(&dialect);
                Problem::Unprocessable(format!("dialect: {shown:?} is none; send one of {known}"))
            })?;
        }
        if let Some(events) = self.events {
            source.events = read_events(&events)?;
        }
        source.private = self.private.unwrap_or(source.private);
        match self.inbound_secret {
            None => {}
            Some(Some(mask)) if mask == MASK => {}
            Some(secret) => source.inbound_secret = secret.map(read_secret).transpose()?,
        }
        Ok(source)
    }
}

fn read_events(texts: &[String]) -> Result<Vec<EventName>, Problem> {
    if texts.len() > EVENTS_MAX {
        let count = texts.len();
        return Err(Problem::Unprocessable(format!(
            "events: these are {count}, and a source may name {EVENTS_MAX}"
        )));
    }
    let mut events = Vec::with_capacity(texts.len());
    for text in texts {
        let event = EventName::parse(text)
            .map_err(|error| Problem::Unprocessable(format!("events: {error}")))?;
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Ok(events)
}

fn read_secret(text: String) -> Result<Secret, Problem> {
    Secret::parse(&text).map_err(|length| {
        Problem::Unprocessable(format!(
            "inbound_secret is {length} bytes long; send 1 to {SECRET_MAX_BYTES}, or null for none"
        ))
    })
}

/// A source as the API shows it.
#[derive(Serialize)]
struct SourceView {
    name: String,
    dialect: Dialect,
    /// Those that it names itself.
    events: Vec<EventName>,
    /// All that it may raise.
    catalogue: Vec<String>,
    private: bool,
    inbound_secret: Option<&'static str>,
    created_at: String,
    topics: String,
    inbox: String,
}

fn view(site: &Site, source: &Source) -> SourceView {
    let base = format!("{}{}", site.hub.url, source.name.key());
    let own = source.events.iter().map(EventName::as_str);
    let catalogue = dialect::catalogue(source.dialect).iter().copied();
    SourceView {
        name: source.name.to_string(),
        dialect: source.dialect,
        catalogue: catalogue.chain(own).map(str::to_owned).collect(),
        events: source.events.clone(),
        private: source.private,
        inbound_secret: source.inbound_secret.as_ref().map(|_| MASK),
        created_at: source.created_at.to_string(),
        topics: format!("{base}/events/"),
        inbox: format!("{base}/inbox"),
    }
}
