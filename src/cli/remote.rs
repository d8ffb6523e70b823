//! The API of a hub that runs, as the verbs that keep it use it. In: where the hub is, a token, a request. Out: the answer's JSON, or
//! what the hub said against it.

use std::io::Write as _;
use std::time::Duration;

use anstyle::Style;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::client::{self, Answer, Client};
use super::exit::Failure;
use super::live::Events;
use super::say;

/// What stands above the rows of a table.
const HEAD: Style = Style::new().bold();
/// Items that a hub gives at once.
const PAGE_MAX: usize = 1000;

/// Where the hub is, and who asks.
#[derive(Args, Debug)]
pub struct RemoteArgs {
    /// The hub
    #[arg(long, value_name = "URL", help_heading = "The hub", env = "FANFARE_URL", hide_env_values = true,
          default_value = "http://127.0.0.1:8080/", value_parser = client::hub)]
    url: Url,
    /// A token of the hub; its administrator's, where a token for less does not do
    #[arg(
        long,
        value_name = "TOKEN",
        help_heading = "The hub",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// A hub that can be asked.
pub struct Remote<'a> {
    client: Client,
    args: &'a RemoteArgs,
}

impl RemoteArgs {
    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.json
    }
}

impl<'a> Remote<'a> {
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(args: &'a RemoteArgs) -> anyhow::Result<Self> {
        let client = Client::new()?;
        Ok(Self { client, args })
    }

    /// For what may take so long.
    ///
    /// # Errors
    /// As `new`.
    pub fn patient(args: &'a RemoteArgs, timeout: Duration) -> anyhow::Result<Self> {
        let client = Client::patient(timeout)?;
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
        let body = self.exchange(method, &url, headers, content).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("{url} does not answer as a Fanfare hub does"))
    }

    /// What is at a path, as it is.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn bytes(&self, path: &str) -> anyhow::Result<Bytes> {
        let url = self.at(path)?;
        self.exchange(Method::GET, &url, HeaderMap::new(), Vec::new())
            .await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        content: Vec<u8>,
    ) -> anyhow::Result<Bytes> {
        let token = self.args.token.as_deref();
        let answer = self
            .client
            .send(method, url, headers, token, content)
            .await?;
        self.accepted(&answer)?;
        Ok(answer.body)
    }

    /// Follows what the hub tells as it happens.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn follow(&self, path: &str) -> anyhow::Result<Events> {
        let url = self.at(path)?;
        let response = self.client.open(&url, self.token()).await?;
        if !response.status().is_success() {
            // It is told why in an answer of the usual length.
            let answer = self.client.get(&url, self.token()).await?;
            self.accepted(&answer)?;
        }
        Ok(Events::of(response))
    }

    /// All items of a list, page after page; `path` may have a query.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        Ok(self.first(path, usize::MAX).await?.0)
    }

    /// The first items of a list, `most` at most, and whether there may be more; `path` may have a query.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn first(&self, path: &str, most: usize) -> anyhow::Result<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let limit = PAGE_MAX.min(most - items.len());
            let start = if path.contains('?') { '&' } else { '?' };
            let mut path = format!("{path}{start}limit={limit}");
            if let Some(after) = after {
                path += "&after=";
                path.extend(url::form_urlencoded::byte_serialize(after.as_bytes()));
            }
            let mut page = self.ask(Method::GET, &path, None).await?;
            if let Value::Array(found) = page["items"].take() {
                items.extend(found);
            }
            match page["next"].as_str() {
                Some(_) if items.len() >= most => return Ok((items, true)),
                Some(next) => after = Some(next.to_owned()),
                None => return Ok((items, false)),
            }
        }
    }

    /// Prints the first items of a list as `first` gives them, and says on standard error if that is not all.
    ///
    /// # Errors
    /// As `ask`; or if nobody reads standard output.
    pub async fn show_first(
        &self,
        path: &str,
        most: usize,
        table: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        let (items, has_more) = self.first(path, most).await?;
        let items = Value::Array(items);
        self.show_table(&items, || table(&items))?;
        if has_more {
            anstream::eprintln!("these are the first {most}; --limit shows more");
        }
        Ok(())
    }

    /// Prints a list: as JSON if that is wanted, else as a table, its head bold where a terminal shows that.
    ///
    /// # Errors
    /// If nobody reads standard output.
    pub fn show_table(&self, list: &Value, table: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.args.json {
            return Ok(say(&format!("{list}\n"))?);
        }
        let text = client::printable(&table());
        let (head, rows) = text.split_once('\n').unwrap_or((&text, ""));
        let mut out = anstream::stdout().lock();
        write!(out, "{HEAD}{head}{HEAD:#}\n{rows}")?;
        Ok(out.flush()?)
    }

    /// The hub.
    pub fn hub(&self) -> &Url {
        &self.args.url
    }

    /// Who asks.
    pub fn token(&self) -> Option<&str> {
        self.args.token.as_deref()
    }

    /// How it is spoken to.
    pub fn client(&self) -> &Client {
        &self.client
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

    /// Lets an answer pass that is a success.
    fn accepted(&self, answer: &Answer) -> anyhow::Result<()> {
        let url = &answer.url;
        if answer.status.as_u16() == 401 && self.token().is_none() {
            let words = format!("{url} wants a token; give one with --token or in FANFARE_TOKEN");
            bail!(Failure::refused(answer.status, words));
        }
        if !answer.status.is_success() {
            let words = format!("{url} refused: {}", reason(answer));
            bail!(Failure::refused(answer.status, words));
        }
        Ok(())
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

/// A path with those of the parameters that were given.
pub fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().copied();
    let given: Vec<_> = given
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    if given.is_empty() {
        return path.to_owned();
    }
    let mut query =
        url::form_urlencoded::Serializer::for_suffix(format!("{path}?"), path.len() + 1);
    query.extend_pairs(given).finish()
}
