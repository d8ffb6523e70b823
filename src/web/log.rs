//! What is logged, looked at and changed while the hub runs. The administrator's alone.

use serde_json::json;
use warp::http::StatusCode;

use super::call::Call;
use super::object::Object;
use super::problem::{Problem, json_answer};
use super::tokens::Role;
use super::{Answer, Site};

/// The largest body of a request here, in bytes.
const BODY_MAX_BYTES: usize = 4 * 1024;

/// The switch of the log. Whoever installs the log makes it.
pub trait Log: Send + Sync {
    /// What is logged now.
    fn level(&self) -> String;
    /// Logs from now on what this says; `None`, what the settings say.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn set(&self, level: Option<&str>) -> Result<(), String>;
}

/// `GET /api/v1/log`.
pub async fn show(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    Ok(view(site))
}

/// `PUT /api/v1/log`: until the next start.
pub async fn put(site: &Site, mut call: Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let body = call.read_body(BODY_MAX_BYTES, &site.limits).await?;
    let wish = Object::parse(&body)?.only(&["level"])?;
    let level = wish.nullable::<String>("level")?.ok_or_else(|| {
        Problem::Invalid(
            "level is missing; write {\"level\": \"debug\"}, or {\"level\": null} for what the settings say".into(),
        )
    })?;
    let before = site.log.level();
    site.log
        .set(level.as_deref())
        .map_err(|refusal| Problem::Unprocessable(format!("level: {refusal}")))?;
    tracing::info!(
        before,
        level = site.log.level(),
        "the log level was changed"
    );
    Ok(view(site))
}

fn view(site: &Site) -> Answer {
    json_answer(StatusCode::OK, &json!({ "level": site.log.level() }))
}
