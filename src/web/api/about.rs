//! What the hub is: its version, since when it runs, whether it is well, and how it is set.

use serde::Serialize;
use warp::http::StatusCode;

use crate::web::call::Call;
use crate::web::health;
use crate::web::problem::{Problem, json_answer};
use crate::web::tokens::Role;
use crate::web::{Answer, Site};

/// One effective setting as it is shown: a secret is masked.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its full key: `delivery.timeout`.
    pub key: String,
    /// Its value as TOML.
    pub value: String,
    /// Where it came from: `default`, a line of the file, a variable, a flag.
    pub origin: String,
}

/// `GET /api/v1/about`.
pub async fn show(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let view = About {
        version: env!("CARGO_PKG_VERSION"),
        url: &site.hub.url,
        started_at: site.started_at.to_string(),
        now: site.hub.clock.now().to_string(),
        troubles: health::troubles(site).await,
        quarantined_rows: site.hub.store.quarantined(),
    };
    Ok(json_answer(StatusCode::OK, &view))
}

/// `GET /api/v1/settings`: each that is in effect, in the order of `config.toml`.
pub fn settings(site: &Site, call: &Call) -> Result<Answer, Problem> {
    site.tokens.require(Role::Admin, &call.headers)?;
    let view = SettingsView {
        settings: &site.settings,
    };
    Ok(json_answer(StatusCode::OK, &view))
}

#[derive(Serialize)]
struct About<'a> {
    version: &'static str,
    url: &'a str,
    started_at: String,
    now: String,
    troubles: Vec<String>,
    quarantined_rows: u64,
}

#[derive(Serialize)]
struct SettingsView<'a> {
    settings: &'a [Setting],
}
