//! The page that people see at the hub's URL: what this is, and how to subscribe and publish here.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use warp::http::{HeaderValue, StatusCode, header};

use super::call::Call;
use super::problem::{Problem, typed};
use super::{Answer, Site};

/// The page's style; it stands within the page, which loads nothing.
pub const STYLE: &str = include_str!("../../static/hub.css");

static POLICY: LazyLock<String> = LazyLock::new(|| policy("'none'"));

/// Lets the browser use that style and nothing else: no script, no image, no frame, and forms only to where it is said.
pub fn policy(form_action: &str) -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'"
    )
}

#[derive(Template)]
#[template(path = "hub.html")]
struct Page<'a> {
    hub: &'a str,
    style: &'static str,
}

/// The page. A hub request that came as a GET is told what to do instead: it would be lost on a page.
pub fn show(site: &Site, call: &Call) -> Result<Answer, Problem> {
    let query = call.query.as_deref().unwrap_or_default();
    if query.split('&').any(|field| field.starts_with("hub.")) {
        return Err(Problem::Invalid(
            "this is a GET; send hub requests as a POST, with the parameters as a form in the body"
                .into(),
        ));
    }
    let page = Page {
        hub: &site.hub.url,
        style: STYLE,
    };
    written(&page, &POLICY)
}

/// A page as it is answered, under a policy.
pub fn written(page: &impl Template, policy: &str) -> Result<Answer, Problem> {
    let html = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Problem::Crashed
    })?;
    let mut answer = typed(StatusCode::OK, "text/html; charset=utf-8", html);
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hubs_url_is_escaped_and_nothing_is_loaded_from_elsewhere() {
        let page = Page {
            hub: "http://h.example/?<script>&\"",
            style: STYLE,
        };
        let html = page.render().unwrap();
        assert!(
            html.contains("http://h.example/?&#60;script&#62;&#38;&#34;"),
            "{html}"
        );
        assert!(!html.contains("<script"));
        assert!(
            html.contains(&format!("<style>{STYLE}</style>")),
            "the digest is that of the whole element"
        );
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains("</"));
    }
}
