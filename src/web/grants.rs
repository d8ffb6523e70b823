//! The tokens that the administrator gives out and takes back.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use warp::http::StatusCode;

use super::call::Call;
use super::problem::{Problem, empty_answer, json_answer, shown};
use super::query::{Page, Query};
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::event::EventPattern;
use crate::domain::notation::parse_duration;
use crate::domain::source::SourceName;
use crate::domain::token::{SourcePattern, Token};
use crate::flow::tokens::TokenDraft;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// The longest name, in bytes.
const NAME_MAX_BYTES: usize = 200;
/// The most patterns of sources, and of events.
const PATTERNS_MAX: usize = 100;

/// `GET /api/v1/tokens`: page by page, all or those that are good for a source; without their texts, which the hub does not know.
pub async fn list(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let query = Query::read(call.query.as_deref(), &["source", "after", "limit"]).await?;
    let parse = |text: &str| SourceName::parse(text).ok();
    let source = query.parsed("source", parse, "the name of a source")?;
    let parse = |text: &str| Uuid::parse_str(text).ok();
    let after = query.parsed("after", parse, "the next of a page")?;
    let is_good = |token: &Token| {
        let mut patterns = token.sources.iter();
        let is_there = source
            .as_ref()
            .is_none_or(|source| patterns.any(|it| it.matches(source)));
        is_there && after.is_none_or(|after| token.id > after)
    };
    let limit = query.limit()?;
    let mut tokens = site.hub.tokens().await?;
    tokens.retain(is_good);
    let page = Page::of(tokens, limit, |last| last.id.to_string());
    Ok(json_answer(StatusCode::OK, &page.map(|token| view(&token))))
}

/// `POST /api/v1/tokens`: gives one out.
pub async fn post(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|error| {
        Problem::Invalid(format!(
            "the body is not {{\"name\": \"...\", \"role\": \"publisher\", \"sources\": [\"social\"], \"events\": [], \
             \"expires_in\": \"30d\"}}: {error}"
        ))
    })?;
    let draft = wish.draft(site)?;
    let (token, text) = site.hub.issue_token(draft).await?;
    let view = Issued {
        token: text,
        about: view(&token),
    };
    Ok(json_answer(StatusCode::CREATED, &view))
}

/// `DELETE /api/v1/tokens/<id>`.
pub async fn delete(site: &Site, call: &Call, id: &str) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let is_gone = match Uuid::parse_str(id) {
        Ok(id) => site.hub.revoke_token(id).await?,
        Err(_) => false,
    };
    match is_gone {
        true => Ok(empty_answer(StatusCode::NO_CONTENT)),
        false => Err(Problem::NotFound(format!(
            "there is no token {:?}; /api/v1/tokens lists those that there are, by \"id\"",
            shown(id)
        ))),
    }
}

/// What a token shall be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    name: String,
    role: String,
    sources: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
    expires_in: Option<String>,
}

impl Wish {
    fn draft(self, site: &Site) -> Result<TokenDraft, Problem> {
        let length = self.name.len();
        if !(1..=NAME_MAX_BYTES).contains(&length) || self.name.chars().any(char::is_control) {
            return Err(Problem::Unprocessable(format!(
                "name: write 1 to {NAME_MAX_BYTES} bytes on one line, for you to know it by"
            )));
        }
        let role = Role::parse(&self.role).ok_or_else(|| {
            let (given, roles) = (shown(&self.role), Role::ALL.map(Role::name).join(", "));
            Problem::Unprocessable(format!("role: {given:?} is none; send one of {roles}"))
        })?;
        if !(1..=PATTERNS_MAX).contains(&self.sources.len()) || self.events.len() > PATTERNS_MAX {
            return Err(Problem::Unprocessable(format!(
                "sources: name 1 to {PATTERNS_MAX}, such as social, octocat/*, or * for all; and {PATTERNS_MAX} events at most"
            )));
        }
        let lifetime = self.expires_in.as_deref().map(parse_duration).transpose();
        let lifetime = lifetime.map_err(|error| wrong("expires_in", error))?;
        Ok(TokenDraft {
            name: self.name,
            role,
            sources: each("sources", &self.sources, SourcePattern::parse)?,
            events: EventPattern::normalise(each("events", &self.events, EventPattern::parse)?),
            expires_at: lifetime.map(|span| site.hub.clock.now().plus(span)),
        })
    }
}

fn each<T, E: Display>(
    field: &str,
    texts: &[String],
    parse: fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Problem> {
    let parsed = texts.iter().map(|text| parse(text));
    parsed
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(field, error))
}

fn wrong(field: &str, error: impl Display) -> Problem {
    Problem::Unprocessable(format!("{field}: {error}"))
}

/// A token as the API shows it.
#[derive(Serialize)]
struct TokenView {
    id: Uuid,
    name: String,
    role: Role,
    sources: Vec<String>,
    events: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
}

/// A token that was just given out: the only time that its text is shown.
#[derive(Serialize)]
struct Issued {
    token: String,
    #[serde(flatten)]
    about: TokenView,
}

fn view(token: &Token) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name.clone(),
        role: token.role,
        sources: token.sources.iter().map(ToString::to_string).collect(),
        events: token.events.iter().map(ToString::to_string).collect(),
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.map(|at| at.to_string()),
    }
}
