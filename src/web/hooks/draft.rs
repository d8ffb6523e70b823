//! A hook as a request describes it. In: the members of a JSON object. Out: a draft, or what is wrong with a member. Pure but for
//! the secrets and keys that are made.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::dialect::repository::MASK;
use crate::dialect::service;
use crate::domain::event::EventPattern;
use crate::domain::hook::{ContentType, Hook, Receiver, Signing};
use crate::domain::notation::nearest;
use crate::domain::source::{Dialect, Source};
use crate::domain::value::{CallbackUrl, Secret};
use crate::flow::hooks::{HookError, draft, new_secret, new_signing_key};
use crate::web::object::Object;
use crate::web::problem::{Problem, shown};
use crate::web::settings::LimitSettings;

/// What may be said of a hook.
pub const FIELDS: [&str; 18] = [
    "source",
    "name",
    "url",
    "content_type",
    "config",
    "events",
    "dialect",
    "secret",
    "signing",
    "v1a",
    "active",
    "template",
    "type_key",
    "verify_tls",
    "rate",
    "ordered",
    "filter",
    "headers",
];

/// The draft of a new hook.
///
/// # Errors
/// What is missing, or wrong.
pub fn create(object: &Object, source: &Source, limits: &LimitSettings) -> Result<Hook, Problem> {
    let name = object.member::<String>("name")?;
    let receiver = match name.as_deref().unwrap_or("web") {
        "web" => Receiver::Web {
            url: url(object, limits)?.ok_or_else(|| {
                Problem::Invalid("url is missing; write where the requests shall go".into())
            })?,
            content_type: content_type(object)?.unwrap_or_default(),
        },
        name => Receiver::Service {
            name: service::find(name)
                .map_err(HookError::from)?
                .name
                .to_owned(),
            config: config(object)?.unwrap_or_default(),
        },
    };
    let mut hook = draft(source, events(object)?.unwrap_or_default(), receiver)?;
    apply(object, &mut hook)?;
    let is_web = matches!(hook.receiver, Receiver::Web { .. });
    if is_web && !object.has("secret") {
        hook.secret = new_secret(hook.signing);
    }
    Ok(hook)
}

/// Changes a hook as far as the members say something.
///
/// # Errors
/// What is wrong, or cannot be changed.
pub fn edit(object: &Object, hook: &mut Hook, limits: &LimitSettings) -> Result<(), Problem> {
    if let Some(source) = object.member::<String>("source")?
        && !source.eq_ignore_ascii_case(hook.source.as_str())
    {
        return Err(fixed("source", hook.source.as_str()));
    }
    let own = crate::dialect::repository::name(&hook.receiver).to_owned();
    if let Some(name) = object.member::<String>("name")?
        && name != own
    {
        return Err(fixed("name", &own));
    }
    match &mut hook.receiver {
        Receiver::Web {
            url: own,
            content_type: written,
        } => {
            *own = url(object, limits)?.unwrap_or_else(|| own.clone());
            *written = content_type(object)?.unwrap_or(*written);
        }
        Receiver::Service { config: own, .. } => {
            if let Some(config) = config(object)? {
                *own = unmasked(config, own);
            }
        }
    }
    if let Some(events) = events(object)? {
        hook.events = events;
    }
    apply(object, hook)
}

/// A secret as it was written.
///
/// # Errors
/// Its length.
pub fn secret(text: &str) -> Result<Secret, Problem> {
    Secret::parse(text).map_err(|length| {
        Problem::Invalid(format!(
            "secret is {length} bytes long; write 1 to 199, or leave it out and one is made"
        ))
    })
}

/// What new hooks and old ones have in common.
fn apply(object: &Object, hook: &mut Hook) -> Result<(), Problem> {
    set(&mut hook.active, object.member("active")?);
    set(&mut hook.type_key, object.member("type_key")?);
    set(&mut hook.verify_tls, object.member("verify_tls")?);
    set(&mut hook.ordered, object.member("ordered")?);
    set(&mut hook.rate, object.nullable("rate")?);
    set(&mut hook.template, object.nullable("template")?);
    set(&mut hook.filter, object.nullable("filter")?);
    if let Some(headers) = object.member("headers")? {
        hook.headers = unmasked(headers, &hook.headers);
    }
    let dialects = Dialect::ALL.map(|dialect| (dialect.name(), dialect));
    set(&mut hook.dialect, choice(object, "dialect", &dialects)?);
    let signings = [
        ("dialect", Signing::Dialect),
        ("both", Signing::Both),
        ("standard", Signing::Standard),
    ];
    set(&mut hook.signing, choice(object, "signing", &signings)?);
    match object.member::<bool>("v1a")? {
        Some(true) if hook.signing == Signing::Dialect => {
            return Err(Problem::Invalid(
                "v1a is a signature of Standard Webhooks; write \"signing\": \"both\" or \"standard\" beside it".into(),
            ));
        }
        Some(true) if hook.signing_key.is_none() => hook.signing_key = Some(new_signing_key()),
        Some(false) => hook.signing_key = None,
        _ => {}
    }
    if let Some(text) = object.nullable::<String>("secret")?
        && !(text.as_deref() == Some(MASK) && hook.secret.is_some())
    {
        hook.secret = text.as_deref().map(secret).transpose()?;
    }
    Ok(())
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

fn url(object: &Object, limits: &LimitSettings) -> Result<Option<CallbackUrl>, Problem> {
    let Some(text) = object.member::<String>("url")? else {
        return Ok(None);
    };
    if text.len() > limits.url_bytes {
        let most = limits.url_bytes;
        return Err(Problem::Invalid(format!(
            "url is {} bytes long; this hub takes up to {most}",
            text.len()
        )));
    }
    Ok(Some(CallbackUrl::parse(&text).map_err(HookError::Url)?))
}

fn content_type(object: &Object) -> Result<Option<ContentType>, Problem> {
    let choices = [("json", ContentType::Json), ("form", ContentType::Form)];
    choice(object, "content_type", &choices)
}

fn config(object: &Object) -> Result<Option<service::Config>, Problem> {
    let Some(members) = object.member::<Map<String, Value>>("config")? else {
        return Ok(None);
    };
    Ok(Some(service::from_json(&members).map_err(HookError::from)?))
}

fn events(object: &Object) -> Result<Option<Vec<EventPattern>>, Problem> {
    let Some(texts) = object.member::<Vec<String>>("events")? else {
        return Ok(None);
    };
    let patterns = texts.iter().map(|text| EventPattern::parse(text));
    let patterns: Result<Vec<_>, _> = patterns.collect();
    let wrong = |error| Problem::Invalid(format!("events: {error}"));
    patterns.map(Some).map_err(wrong)
}

fn choice<T: Copy>(
    object: &Object,
    name: &str,
    choices: &[(&str, T)],
) -> Result<Option<T>, Problem> {
    let Some(text) = object.member::<String>(name)? else {
        return Ok(None);
    };
    if let Some((_, value)) = choices.iter().find(|(choice, _)| *choice == text) {
        return Ok(Some(*value));
    }
    let names = || choices.iter().map(|(choice, _)| *choice);
    let hint = nearest(&text, names())
        .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    let names: Vec<_> = names().collect();
    Err(Problem::Invalid(format!(
        "{name}: {:?} is not a choice; the choices are {}{hint}",
        shown(&text),
        names.join(", ")
    )))
}

/// What was masked when it was shown is left as it was.
fn unmasked(
    given: BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let keep = |(name, value): (String, String)| match own.get(&name) {
        Some(own) if value == MASK => (name, own.clone()),
        _ => (name, value),
    };
    given.into_iter().map(keep).collect()
}

fn fixed(field: &str, own: &str) -> Problem {
    Problem::Invalid(format!(
        "{field}: this hook's is {own} and stays so; make another hook instead"
    ))
}
