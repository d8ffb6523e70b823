//! `GET /hooks`: the names that a hook may have, and what each needs to know.

use serde::Serialize;
use warp::http::StatusCode;

use crate::dialect::{catalogue, service};
use crate::domain::source::Dialect;
use crate::web::Answer;
use crate::web::problem::json_answer;

/// A name, in the form that SocialGateway's list had.
#[derive(Serialize)]
struct Name {
    name: &'static str,
    title: &'static str,
    events: [&'static str; 1],
    supported_events: &'static [&'static str],
    schema: Vec<(&'static str, &'static str)>,
}

/// The list.
pub fn list() -> Answer {
    let web = Name {
        name: "web",
        title: "Web",
        events: ["push"],
        supported_events: catalogue(Dialect::SocialGateway),
        schema: vec![
            ("string", "url"),
            ("string", "content_type"),
            ("password", "secret"),
            ("boolean", "insecure_ssl"),
        ],
    };
    let services = service::services().iter().map(|service| Name {
        name: service.name,
        title: service.title,
        events: ["push"],
        supported_events: catalogue(Dialect::SocialGateway),
        schema: service
            .fields()
            .map(|field| (field.kind.name(), field.name))
            .collect(),
    });
    let names: Vec<_> = std::iter::once(web).chain(services).collect();
    json_answer(StatusCode::OK, &names)
}
