//! Erasure, on request, of all that is kept of a source or a callback. The administrator's alone.

use warp::http::StatusCode;

use super::call::Call;
use super::object::Object;
use super::problem::{Problem, json_answer, shown};
use super::tokens::Role;
use super::{Answer, Site};
use crate::domain::source::SourceName;
use crate::domain::value::CallbackUrl;

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 16 * 1024;

/// `POST /api/v1/erasures`: the answer comes when all is gone, and says what that was.
pub async fn post(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let wish = Object::parse(&body)?.only(&["source", "callback"])?;
    let erased = match (
        wish.member::<String>("source")?,
        wish.member::<String>("callback")?,
    ) {
        (Some(source), None) => {
            let name = SourceName::parse(&source);
            let name = name.map_err(|error| Problem::Unprocessable(error.to_string()))?;
            site.hub.erase_source(&name).await?
        }
        (None, Some(callback)) => {
            let url = CallbackUrl::parse(&callback);
            let url = url.map_err(|error| {
                let text = shown(&callback);
                Problem::Unprocessable(format!("callback: {text:?} {error}"))
            })?;
            site.hub.erase_callback(&url).await?
        }
        _ => {
            return Err(Problem::Invalid(
                "say what to erase: {\"source\": \"social\"} or {\"callback\": \"https://...\"}, one of both".into(),
            ));
        }
    };
    Ok(json_answer(StatusCode::OK, &erased))
}
