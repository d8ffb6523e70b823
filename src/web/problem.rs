//! Why a request is not done, and the reply that says so: the one place where errors become status codes, and where what
//! strangers are told parts from what is logged.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use warp::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::Answer;
use super::form::FormError;
use crate::flow::hooks::HookError;
use crate::flow::subscribe::Rejection;
use crate::store::StoreError;

/// How much of what a client sent is shown back to it, in characters.
const SHOWN: usize = 200;
/// When a client may come back after the store has failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Why a request is not done. The texts are for the client: they name what was wrong and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// 400.
    #[error("{0}")]
    Invalid(String),
    /// 401.
    #[error("this needs a token; send it as Authorization: Bearer <token>")]
    NoToken,
    /// 401: a webhook that nobody vouches for.
    #[error("{0}")]
    Unsigned(String),
    /// 403: the token that was shown is none.
    #[error("the hub does not know this token, or it has expired")]
    UnknownToken,
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405; holds the methods that are allowed.
    #[error("this method is not allowed here; use one of {0}")]
    Method(&'static str),
    /// 408.
    #[error("the body took too long to arrive; it has to be there within {} s", .0.as_secs())]
    Slow(Duration),
    /// 409: the callback did not confirm (HUB-71).
    #[error("{0}")]
    Unconfirmed(String),
    /// 409: something else stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// 410: it was there, or it never was.
    #[error("{0}")]
    Gone(String),
    /// 413; holds the cap.
    #[error("the body is too large; this hub takes up to {0} bytes here")]
    TooLarge(usize),
    /// 415.
    #[error("{0}")]
    MediaType(String),
    /// 422.
    #[error(transparent)]
    Hook(HookError),
    /// 422: it can be read, and cannot be done.
    #[error("{0}")]
    Unprocessable(String),
    /// 429; holds how long to wait.
    #[error("too many requests from this address; try again in {} s", seconds(*.0))]
    TooMany(Duration),
    /// 500: a bug; the panic has been logged where it happened.
    #[error("the hub failed to handle this request; it has been logged")]
    Crashed,
    /// 503.
    #[error("{0}")]
    Unavailable(String),
    /// 503: the cause is for the log alone.
    #[error("the hub cannot write to its store just now; nothing was done, try again later")]
    Store(#[from] StoreError),
}

/// Stands beside an answer to whom showed a token that the hub does not know.
#[derive(Clone, Copy, Debug)]
pub struct TokenRefused;

impl Problem {
    /// The status code of the reply.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NoToken | Self::Unsigned(_) => StatusCode::UNAUTHORIZED,
            Self::UnknownToken | Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Unconfirmed(_) | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Gone(_) => StatusCode::GONE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Hook(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Crashed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The reply: JSON for the API, plain text for everyone else (HUB-17). Logs what only the operator may read.
    pub fn answer(&self, as_json: bool) -> Answer {
        if let Self::Store(error) = self {
            tracing::error!(%error, "a request failed because the store did");
        }
        let mut answer = match as_json {
            true => json_answer(self.status(), &self.told()),
            false => text_answer(self.status(), &self.to_string()),
        };
        self.explain(answer.headers_mut());
        if let Self::UnknownToken = self {
            answer.extensions_mut().insert(TokenRefused);
        }
        answer
    }

    /// What the API says: the words, and of a hook the field and the place in it.
    fn told(&self) -> Value {
        let mut told = json!({ "error": self.to_string() });
        if let Self::Hook(error) = self {
            told["field"] = json!(error.field());
            if let Some((line, column)) = error.position() {
                told["line"] = line.into();
                told["column"] = column.into();
            }
        }
        told
    }

    /// The headers that some status codes ask for.
    fn explain(&self, headers: &mut HeaderMap) {
        match self {
            Self::NoToken | Self::Unsigned(_) => {
                let scheme = HeaderValue::from_static("Bearer realm=\"fanfare\"");
                headers.insert(header::WWW_AUTHENTICATE, scheme);
            }
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::TooMany(wait) => {
                headers.insert(header::RETRY_AFTER, seconds(*wait).into());
            }
            Self::Unavailable(_) | Self::Store(_) => {
                headers.insert(header::RETRY_AFTER, seconds(STORE_PAUSE).into());
            }
            _ => {}
        }
    }
}

impl From<FormError> for Problem {
    fn from(error: FormError) -> Self {
        match error.status() {
            415 => Self::MediaType(error.to_string()),
            _ => Self::Invalid(error.to_string()),
        }
    }
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::NoHook(_) => Self::NotFound(error.to_string()),
            HookError::Store(error) => Self::Store(error),
            error => Self::Hook(error),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Policy(reason) => Self::Forbidden(reason),
            Rejection::Unverified(reason) => Self::Unconfirmed(reason),
            Rejection::Store(error) => Self::Store(error),
        }
    }
}

/// A reply in words; it ends with a line break, for terminals.
pub fn text_answer(status: StatusCode, text: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// A reply for programs; it ends with a line break too, for people look at it in terminals.
pub fn json_answer(status: StatusCode, value: &impl serde::Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut body) => {
            body.push(b'\n');
            typed(status, "application/json", body)
        }
        Err(error) => {
            tracing::error!(%error, "a reply could not be written as JSON");
            empty_answer(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// A reply of a media type.
pub fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    answer
}

/// A reply without a body.
pub fn empty_answer(status: StatusCode) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// What a client sent, fit to be shown back to it: on one line, and not too long.
pub fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Whole seconds, at least one, as `Retry-After` wants them.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).clamp(1, 86_400) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_operator_may_read_is_not_in_the_reply() {
        let problem = Problem::from(StoreError::Unavailable("/secret/path is full".into()));
        let answer = problem.answer(false);
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "5");
        assert!(!String::from_utf8_lossy(answer.body()).contains("/secret/path"));
    }

    #[test]
    fn status_codes_come_with_the_headers_that_they_ask_for() {
        let method = Problem::Method("GET, HEAD").answer(true);
        assert_eq!(method.headers()["allow"], "GET, HEAD");
        assert_eq!(method.headers()["content-type"], "application/json");
        let unknown = Problem::NoToken.answer(false);
        assert!(
            unknown.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
        let busy = Problem::TooMany(Duration::from_millis(1_200)).answer(false);
        assert_eq!(busy.headers()["retry-after"], "2");
    }

    #[test]
    fn what_is_shown_is_short_and_on_one_line() {
        assert_eq!(shown("a\r\nb\u{1b}"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert_eq!(shown(&"é".repeat(1_000)).chars().count(), SHOWN + 3);
    }
}
