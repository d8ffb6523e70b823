//! What may be said of a hook on the command line. In: flags. Out: the JSON of the API, which has a member for each flag that was
//! given; null for what shall be none.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::publish::read;

/// What may be said of a hook; the hub says what is wrong with it.
#[derive(Args, Debug)]
pub struct Fields {
    /// Which events, such as push, account.* or *; say it again for each
    #[arg(long = "event", value_name = "PATTERN")]
    events: Vec<String>,
    /// The layout of the requests, unless it is the source's: websub, mastodon, pleroma, muut, socialgateway
    #[arg(long)]
    dialect: Option<String>,
    /// json or form
    #[arg(long, value_name = "FORM")]
    content_type: Option<String>,
    /// What the requests are signed with (otherwise one is made; empty for none)
    #[arg(long)]
    secret: Option<String>,
    /// dialect, both, or standard for Standard Webhooks
    #[arg(long)]
    signing: Option<String>,
    /// Sign with a key pair too, as v1a of Standard Webhooks (--v1a=false: no longer)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "BOOL")]
    v1a: Option<bool>,
    /// What a service needs to know; say it again for each
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    config: Vec<(String, String)>,
    /// A header that is added; say it again for each
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// Only events that this lets through; empty for all
    #[arg(long)]
    filter: Option<String>,
    /// The file with the template of the body; empty for none
    #[arg(long, value_name = "FILE")]
    template: Option<OsString>,
    /// In Pleroma's dialect the key type for event, as Rebased writes it (--type-key=false: event)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "BOOL")]
    type_key: Option<bool>,
    /// The most deliveries in a second; 0 for no limit
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// One at a time, in their order (--ordered=false: side by side)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "BOOL")]
    ordered: Option<bool>,
    /// Check the receiver's certificate (--verify-tls=false: do not)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, value_name = "BOOL")]
    verify_tls: Option<bool>,
}

impl Fields {
    /// What was said, as the API takes it.
    ///
    /// # Errors
    /// If the template cannot be read.
    pub fn wish(&self) -> anyhow::Result<Value> {
        let mut wish = Map::new();
        let texts = [
            ("dialect", &self.dialect),
            ("content_type", &self.content_type),
            ("signing", &self.signing),
        ];
        for (name, text) in texts {
            wish.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        for (name, text) in [("secret", &self.secret), ("filter", &self.filter)] {
            let given = |text: &String| json!(Some(text).filter(|text| !text.is_empty()));
            wish.extend(text.as_ref().map(|text| (name.to_owned(), given(text))));
        }
        if !self.events.is_empty() {
            wish.insert("events".into(), json!(self.events));
        }
        for (name, pairs) in [("config", &self.config), ("headers", &self.headers)] {
            let pairs: Map<_, _> = pairs
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            if !pairs.is_empty() {
                wish.insert(name.into(), pairs.into());
            }
        }
        if let Some(file) = &self.template {
            let given = Some(Path::new(file)).filter(|file| !file.as_os_str().is_empty());
            wish.insert("template".into(), json!(given.map(text_of).transpose()?));
        }
        if let Some(rate) = self.rate {
            wish.insert("rate".into(), json!(NonZeroU32::new(rate)));
        }
        let flags = [
            ("v1a", self.v1a),
            ("type_key", self.type_key),
            ("ordered", self.ordered),
            ("verify_tls", self.verify_tls),
        ];
        for (name, flag) in flags {
            wish.extend(flag.map(|flag| (name.to_owned(), json!(flag))));
        }
        Ok(wish.into())
    }
}

fn text_of(file: &Path) -> anyhow::Result<String> {
    let text = String::from_utf8(read(file)?);
    text.with_context(|| format!("{} is not UTF-8", file.display()))
}

/// Reads an argument that is a name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
