//! The API of a hub that runs, as the verbs that keep it use it. In: where the hub is, a token, a request. Out: the answer's JSON, or
//! what the hub said against it; and tables for people.

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::client::{self, Answer, Client};
use super::say;

/// Where the hub is, and who asks.
#[derive(Args, Debug)]
pub struct RemoteArgs {
    /// The hub
    #[arg(long, value_name = "URL", env = "FANFARE_URL", hide_env_values = true,
          default_value = "http://127.0.0.1:8080/", value_parser = client::hub)]
    url: Url,
    /// A token of the hub; its administrator's, where a token for less does not do
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the hub's JSON
    #[arg(long)]
    json: bool,
}

/// A hub that can be asked.
pub struct Remote<'a> {
    client: Client,
    args: &'a RemoteArgs,
}

impl<'a> Remote<'a> {
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(args: &'a RemoteArgs) -> anyhow::Result<Self> {
        let client = Client::new()?;
        Ok(Self { client, args })
    }

    /// Sends JSON, or nothing, and takes what comes back: null for an empty answer.
    ///
    /// # Errors
    /// If no answer came, or a refusal, in the hub's words.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let content = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.send(method, path, headers, content).await
    }

    /// Sends content as it is.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        content: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let url = self.at(path)?;
        let token = self.args.token.as_deref();
        let answer = self
            .client
            .send(method, &url, headers, token, content)
            .await?;
        if answer.status.as_u16() == 401 && token.is_none() {
            bail!("{url} wants a token; give one with --token or in FANFARE_TOKEN");
        }
        if !answer.status.is_success() {
            bail!("{url} refused: {}", reason(&answer));
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{url} does not answer as a Fanfare hub does"))
    }

    /// All items of a list, page after page; `path` may have a query.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let query = after.map_or_else(String::new, |after| {
                let start = if path.contains('?') { "&" } else { "?" };
                let mut query = url::form_urlencoded::Serializer::for_suffix(start.to_owned(), 1);
                query.append_pair("after", &after).finish()
            });
            let page = self
                .ask(Method::GET, &format!("{path}{query}"), None)
                .await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Prints what was asked for: as JSON if that is wanted, else in words.
    ///
    /// # Errors
    /// If nobody reads standard output.
    pub fn show(&self, value: &Value, in_words: impl FnOnce() -> String) -> anyhow::Result<()> {
        let text = match self.args.json {
            true => format!("{value}\n"),
            false => client::printable(&in_words()),
        };
        Ok(say(&text)?)
    }

    fn at(&self, path: &str) -> anyhow::Result<Url> {
        let mut base = self.args.url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        base.join(path)
            .with_context(|| format!("{path} cannot stand behind {base}"))
    }
}

/// What the hub said against it.
fn reason(answer: &Answer) -> String {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let error = body.as_ref().and_then(|body| body["error"].as_str());
    match error {
        Some(error) => format!("{}: {}", answer.status, client::printable(error)),
        None => answer.in_words(),
    }
}

/// Rows under a head, in columns that are as wide as what stands in them.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let width = |at: usize| {
        let cells = std::iter::once(&head).chain(rows);
        cells.map(|row| row[at].chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let cells = row.iter().zip(widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A text, or a list of them, or nothing, for a cell of a table.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_as_wide_as_what_stands_in_it() {
        let rows = [["a", "longer"], ["äöü", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["n", "b"], &rows), "n    b\na    longer\näöü\n");
        assert_eq!(table(["n", "b"], &[]), "n  b\n");
    }

    #[test]
    fn a_cell_is_short() {
        for (value, text) in [
            (json!(null), "-"),
            (json!([]), "-"),
            (json!(["a", "b"]), "a,b"),
            (json!(true), "true"),
        ] {
            assert_eq!(cell(&value), text);
        }
    }
}
