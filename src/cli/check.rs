//! `fanfare check`: the loaded settings in, one line for each out, with where it came from. What it prints is TOML, or for programs
//! JSON.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize as _;
use serde_json::{Value, json};
use toml_edit::de::ValueDeserializer;

use super::say;
use super::serve::SettingsFlags;
use crate::config::{Loaded, Setting};

pub const EXAMPLE: &str = "\
Examples:
  FANFARE_DELIVERY__TIMEOUT=5s fanfare check --config /etc/fanfare/config.toml
  fanfare check --json | jq '.settings[] | select(.origin != \"default\")'

What it prints is itself a config.toml; secrets are masked.";

#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    settings: SettingsFlags,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints the settings in effect.
///
/// # Errors
/// Every problem of the settings, with its place.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let loaded = args.settings.load()?;
    match args.json {
        true => say(&format!("{}\n", as_json(&loaded)?))?,
        false => say(&render(&loaded))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `{"settings": [{"key": "delivery.timeout", "value": "10s", "origin": "default"}, ...], "sources": [[...], ...]}`.
fn as_json(loaded: &Loaded) -> anyhow::Result<Value> {
    let view = |setting: Setting| {
        let value = setting
            .value
            .parse()
            .and_then(|value: ValueDeserializer| Value::deserialize(value))
            .with_context(|| format!("{} is no TOML", setting.key))?;
        let origin = setting.origin.to_string();
        anyhow::Ok(json!({"key": setting.key, "value": value, "origin": origin}))
    };
    let all = |settings: Vec<Setting>| {
        settings
            .into_iter()
            .map(view)
            .collect::<anyhow::Result<Vec<_>>>()
    };
    let sources: Vec<_> = loaded
        .sources()
        .into_iter()
        .map(all)
        .collect::<anyhow::Result<_>>()?;
    Ok(json!({"settings": all(loaded.settings())?, "sources": sources}))
}

/// The effective settings, one a line: `delivery.timeout = "10s"   # default`; then each `[[source]]`. Secrets are masked.
pub fn render(loaded: &Loaded) -> String {
    let mut printed = String::new();
    for setting in loaded.settings() {
        let mut note = setting.origin.to_string();
        if setting.key == "public_url" && loaded.config.public_url.is_none() {
            note.push_str(&format!(
                ": {}",
                loaded.config.public_url(loaded.config.listen)
            ));
        }
        printed.push_str(&line(&setting.key, &setting, &note));
    }
    for source in loaded.sources() {
        printed.push_str("\n[[source]]\n");
        for setting in source {
            let name = setting.key.trim_start_matches("source.");
            printed.push_str(&line(name, &setting, &setting.origin.to_string()));
        }
    }
    printed
}

fn line(key: &str, setting: &Setting, note: &str) -> String {
    let assignment = format!("{key} = {}", setting.value);
    let note = note.replace(char::is_control, "?");
    format!("{assignment:<48} # {note}\n")
}
