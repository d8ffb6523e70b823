//! SocialGateway, which is GitHub's classic hooks under another name: the payload as it is, its name in a header
//! (webhooks.md 1.4). The brand in the headers is a setting.

use bytes::Bytes;
use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use sha2::{Digest as _, Sha256};

use super::signature::{HUB_BOTH, Scheme};
use super::{DELIVERY, EVENT, Grammar, Occasion, value};
use crate::domain::hook::Hook;
use crate::domain::json::Json;
use crate::domain::source::SourceName;

/// The event that is sent to a new hook, and tells of nothing.
pub const PING: &str = "ping";

/// SocialGateway's repository hooks.
pub(super) struct SocialGateway;

impl Grammar for SocialGateway {
    fn catalogue(&self) -> &'static [&'static str] {
        &EVENTS
    }

    fn schemes(&self) -> &'static [Scheme] {
        &HUB_BOTH
    }

    fn headers(&self, occasion: &Occasion<'_>, hook: &Hook, _: &Bytes, headers: &mut HeaderMap) {
        let brand = occasion.brand;
        let own = [
            ("Event", occasion.event.name.to_string()),
            ("Delivery", occasion.id.to_string()),
            ("Hook-ID", hook.id.to_string()),
            ("Hook-Installation-Target-Type", "repository".to_owned()),
            (
                "Hook-Installation-Target-ID",
                repository_id(occasion.source).to_string(),
            ),
        ];
        for (name, text) in own {
            if let Ok(name) = HeaderName::try_from(format!("x-{brand}-{name}")) {
                headers.insert(name, value(text));
            }
        }
        let version = hex::encode(Sha256::digest(occasion.user_agent));
        headers.insert(
            USER_AGENT,
            value(format!("{brand}-Hookshot/{}", &version[..7])),
        );
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    }

    fn incoming_name(&self, headers: &HeaderMap, _: &Json) -> Option<String> {
        let name = branded(headers, "-event", &EVENT)?.to_str().ok()?;
        Some(name.to_owned())
    }

    fn names_it_in(&self) -> &'static str {
        "the header X-GitHub-Event or X-SocialGateway-Event"
    }
}

/// The number of a source where the system has one for a repository: always the same for one name.
pub fn repository_id(source: &SourceName) -> u32 {
    let digest: [u8; 32] = Sha256::digest(source.key()).into();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// The id that a sender of this kind gave an event, whatever its brand.
pub(super) fn delivery_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    branded(headers, "-delivery", &DELIVERY)
}

/// The value of `X-<any brand><end>`; `ours`, which ends in the same way, is another dialect's.
fn branded<'a>(headers: &'a HeaderMap, end: &str, ours: &HeaderName) -> Option<&'a HeaderValue> {
    let is_branded = |name: &HeaderName| {
        name.as_str().starts_with("x-") && name.as_str().ends_with(end) && name != ours
    };
    headers
        .iter()
        .find(|(name, _)| is_branded(name))
        .map(|(_, value)| value)
}

/// GitHub's events (npm `@octokit/webhooks` 14.2).
static EVENTS: [&str; 75] = [
    "branch_protection_configuration",
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "code_scanning_alert",
    "commit_comment",
    "create",
    "custom_property",
    "custom_property_values",
    "delete",
    "dependabot_alert",
    "deploy_key",
    "deployment",
    "deployment_protection_rule",
    "deployment_review",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "github_app_authorization",
    "gollum",
    "installation",
    "installation_repositories",
    "installation_target",
    "issue_comment",
    "issue_dependencies",
    "issues",
    "label",
    "marketplace_purchase",
    "member",
    "membership",
    "merge_group",
    "meta",
    "milestone",
    "org_block",
    "organization",
    "package",
    "page_build",
    "personal_access_token_request",
    "ping",
    "project",
    "project_card",
    "project_column",
    "projects_v2",
    "projects_v2_item",
    "projects_v2_status_update",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "registry_package",
    "release",
    "repository",
    "repository_advisory",
    "repository_dispatch",
    "repository_import",
    "repository_ruleset",
    "repository_vulnerability_alert",
    "secret_scanning_alert",
    "secret_scanning_alert_location",
    "secret_scanning_scan",
    "security_advisory",
    "security_and_analysis",
    "sponsorship",
    "star",
    "status",
    "sub_issues",
    "team",
    "team_add",
    "watch",
    "workflow_dispatch",
    "workflow_job",
    "workflow_run",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_keeps_its_number_however_it_is_written() {
        let name = |text| SourceName::parse(text).expect("a name");
        assert_eq!(
            repository_id(&name("octocat/Hello-World")),
            repository_id(&name("octocat/hello-world"))
        );
        assert_ne!(
            repository_id(&name("octocat/a")),
            repository_id(&name("octocat/b"))
        );
    }

    #[test]
    fn any_brand_names_the_event() {
        for header in ["x-github-event", "x-socialgateway-event", "x-gitea-event"] {
            let mut headers = HeaderMap::new();
            headers.insert("x-fanfare-event", HeaderValue::from_static("other"));
            headers.insert(header, HeaderValue::from_static("push"));
            let body = Json::parse(b"{}").expect("JSON");
            let name = SocialGateway.incoming_name(&headers, &body);
            assert_eq!(name.as_deref(), Some("push"), "{header}");
        }
    }
}
