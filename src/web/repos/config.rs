//! The `config` of a hook: key/value pairs, of which booleans become `1` and `0`. In: what a request gives. Out: where the hook's
//! requests go and how they are made, or which of the pairs is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Refusal, Result};
use crate::dialect::repository::MASK;
use crate::dialect::service::{self, Config};
use crate::domain::hook::{ContentType, Hook, Receiver};
use crate::domain::value::{CallbackUrl, Secret};
use crate::flow::hooks::HookError;
use crate::web::object::Object;
use crate::web::settings::LimitSettings;

/// The keys of a hook that is no service's.
const WEB: [&str; 5] = ["url", "content_type", "secret", "insecure_ssl", "digest"];

/// Refuses a URL that is longer than this hub takes.
pub fn check_length(field: &str, url: &str, limits: &LimitSettings) -> Result<()> {
    let (length, most) = (url.len(), limits.url_bytes);
    match length > most {
        true => Err(Refusal::custom(format!(
            "{field} is {length} bytes long; this hub takes up to {most}"
        ))),
        false => Ok(()),
    }
}

/// The pairs of a request.
#[derive(Debug)]
pub struct Given(Config);

impl Given {
    /// Those of the member `config`.
    pub fn read(object: &Object, limits: &LimitSettings) -> Result<Option<Self>> {
        let members = object.member::<Map<String, Value>>("config");
        let members = members.map_err(Refusal::wrong)?;
        members
            .map(|members| Self::of(&members, limits))
            .transpose()
    }

    /// Those of an object that is one.
    pub fn of(members: &Map<String, Value>, limits: &LimitSettings) -> Result<Self> {
        let config = service::from_json(members).map_err(HookError::from)?;
        if let Some(url) = config.get("url") {
            check_length("config.url", url, limits)?;
        }
        Ok(Self(config))
    }

    /// Pairs of texts.
    pub fn pairs(config: Config) -> Self {
        Self(config)
    }

    /// The receiver of a new hook of this name.
    pub fn receiver(&self, name: &str) -> Result<Receiver> {
        match name {
            "web" => self.web(),
            name => Ok(Receiver::Service {
                name: service::find(name)
                    .map_err(HookError::from)?
                    .name
                    .to_owned(),
                config: self.0.clone(),
            }),
        }
    }

    /// What a new hook takes from it beside its receiver.
    pub fn fill(&self, hook: &mut Hook) -> Result<()> {
        if let Receiver::Web { .. } = hook.receiver {
            hook.secret = self.secret(None)?;
            hook.verify_tls = self.verifies_tls()?;
        }
        Ok(())
    }

    /// Replaces the config of a hook as a whole: what is not there is gone, the secret included.
    pub fn replace(&self, hook: &mut Hook) -> Result<()> {
        match &hook.receiver {
            Receiver::Web { .. } => {
                hook.receiver = self.web()?;
                hook.secret = self.secret(hook.secret.as_ref())?;
                hook.verify_tls = self.verifies_tls()?;
            }
            Receiver::Service { name, config } => {
                let mut given = self.0.clone();
                for (field, value) in &mut given {
                    if let Some(own) = config.get(field).filter(|_| value == MASK) {
                        value.clone_from(own);
                    }
                }
                hook.receiver = Receiver::Service {
                    name: name.clone(),
                    config: given,
                };
            }
        }
        Ok(())
    }

    /// Changes the pairs of a hook's config that are there.
    pub fn patch(&self, hook: &mut Hook) -> Result<()> {
        let mut whole: BTreeMap<_, _> = crate::dialect::repository::config(hook);
        whole.extend(self.0.clone());
        Self(whole).replace(hook)
    }

    fn web(&self) -> Result<Receiver> {
        if let Some(unknown) = self.0.keys().find(|key| !WEB.contains(&key.as_str())) {
            let words = format!("Invalid config attribute: {unknown}");
            return Err(Refusal::custom(words));
        }
        let url = self.0.get("url").filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| {
            Refusal::custom("config.url is missing; write where the payloads shall go".into())
        })?;
        Ok(Receiver::Web {
            url: CallbackUrl::parse(url).map_err(HookError::Url)?,
            content_type: match self.0.get("content_type").map(String::as_str) {
                Some("json") => ContentType::Json,
                None | Some("form" | "") => ContentType::Form,
                Some(other) => {
                    return Err(Refusal::custom(format!(
                        "config.content_type: {other:?} is neither \"json\" nor \"form\""
                    )));
                }
            },
        })
    }

    /// `own` is the secret that stands behind the mask.
    fn secret(&self, own: Option<&Secret>) -> Result<Option<Secret>> {
        let given = self.0.get("secret").filter(|text| !text.is_empty());
        match (given, own) {
            (None, _) => Ok(None),
            (Some(text), Some(own)) if text == MASK => Ok(Some(own.clone())),
            (Some(text), _) => Secret::parse(text).map(Some).map_err(|length| {
                Refusal::custom(format!(
                    "config.secret is {length} bytes long; write 199 at most"
                ))
            }),
        }
    }

    fn verifies_tls(&self) -> Result<bool> {
        match self.0.get("insecure_ssl").map(String::as_str) {
            None | Some("0" | "") => Ok(true),
            Some("1") => Ok(false),
            Some(other) => Err(Refusal::custom(format!(
                "config.insecure_ssl: {other:?} is neither \"0\" nor \"1\""
            ))),
        }
    }
}
