//! `GET /api/openapi.json`: the whole surface as OpenAPI 3.1. In: the document beside the page (`static/openapi.json`), which is kept by
//! hand; `tests/openapi` holds it to the routes. Out: the same, of this version and at this hub's URL.

use std::sync::LazyLock;

use serde_json::{Value, json};
use warp::http::StatusCode;

use super::problem::json_answer;
use super::{Answer, Site};

/// The document, of no hub yet.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../static/openapi.json"))
        .expect("a constant that is JSON; a test reads it")
});

/// The document.
pub fn show(site: &Site) -> Answer {
    let mut document = DOCUMENT.clone();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"] = json!([{ "url": site.hub.url }]);
    json_answer(StatusCode::OK, &document)
}
