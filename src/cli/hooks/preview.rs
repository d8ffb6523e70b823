//! `fanfare hooks preview`: what a hook would be sent. In: a hook as for `hooks add`, and maybe an event. Out: the request.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::AddArgs;
use crate::cli::publish::read;
use crate::cli::remote::Remote;
use crate::cli::table::cell;
use crate::domain::event::EventName;

#[derive(Args, Debug)]
pub struct PreviewArgs {
    #[command(flatten)]
    hook: AddArgs,
    /// Of this event (otherwise of the latest that the hook asks for, or of an example)
    #[arg(long, value_name = "EVENT", value_parser = EventName::parse)]
    of: Option<EventName>,
    /// The file with what that event holds; - is standard input (otherwise an example is made)
    #[arg(long, value_name = "FILE", requires = "of")]
    payload: Option<PathBuf>,
}

/// Asks for it, and prints it.
///
/// # Errors
/// If a file cannot be read, no answer came, or a refusal.
pub async fn run(args: &PreviewArgs) -> anyhow::Result<()> {
    let mut wish = args.hook.wish()?;
    if let Some(event) = &args.of {
        wish["event"] = json!(event.as_str());
    }
    if let Some(file) = &args.payload {
        let payload = serde_json::from_slice(&read(file)?);
        wish["payload"] = payload.with_context(|| format!("{} is not JSON", file.display()))?;
    }
    let remote = Remote::new(&args.hook.remote)?;
    let path = "api/v1/hooks/preview";
    let preview = remote.ask(Method::POST, path, Some(&wish)).await?;
    let kind = match (preview["is_example"] == true, &args.payload) {
        (true, _) => "an example",
        (false, None) => "the latest",
        (false, Some(_)) => "as given",
    };
    remote.show(&preview, || in_words(&preview, kind))
}

fn in_words(preview: &Value, kind: &str) -> String {
    let event = cell(&preview["event"]);
    let filtered = match preview["passes_filter"] == false {
        true => "\nThe filter does not let it through: nothing would be sent.",
        false => "",
    };
    let request = &preview["request"];
    let [method, url, body] = ["method", "url", "body"].map(|key| cell(&request[key]));
    let headers = request["headers"].as_object().into_iter().flatten();
    let headers: String = headers
        .map(|(name, value)| format!("{name}: {}\n", cell(value)))
        .collect();
    format!("{event}, {kind}{filtered}\n\n{method} {url}\n{headers}\n{body}\n")
}
