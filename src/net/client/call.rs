//! Asks a callback: its URL, with the question in the query, comes in; status and body go out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::USER_AGENT;
use url::Url;

use super::{CallError, GuardedClient};
use crate::net::resolve::Resolver;
use crate::net::tls::Tls;

/// Sends the GET requests of verification and denial to callbacks.
pub struct Caller {
    client: GuardedClient,
    max_body: usize,
    user_agent: String,
}

/// What a callback answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackAnswer {
    pub status: u16,
    /// The body up to the caller's limit.
    pub body: Bytes,
}

impl Caller {
    /// `timeout` covers a whole call; `max_body` is how many bytes of an answer are read, the rest is left.
    /// Fails only if the HTTP client cannot be set up.
    pub fn new(
        resolver: Arc<Resolver>,
        tls: &Tls,
        timeout: Duration,
        max_body: usize,
        user_agent: String,
    ) -> Result<Caller, reqwest::Error> {
        let client = GuardedClient::new(resolver, tls, timeout)?;
        Ok(Caller {
            client,
            max_body,
            user_agent,
        })
    }

    /// GETs `url`. A redirect is an answer like any other and is not followed (HUB-30).
    pub async fn get(&self, url: &Url) -> Result<CallbackAnswer, CallError> {
        self.client.within_timeout(self.exchange(url)).await
    }

    async fn exchange(&self, url: &Url) -> Result<CallbackAnswer, CallError> {
        let response = self
            .client
            .get(url, |request| request.header(USER_AGENT, &self.user_agent));
        let response = response.await?;
        let status = response.status().as_u16();
        let body = self.client.read(response, self.max_body).await?.bytes;
        Ok(CallbackAnswer { status, body })
    }
}
