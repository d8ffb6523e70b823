//! Events of a social instance in words: accounts, reports, posts. In: Mastodon's payloads, and Pleroma's, with or
//! without the envelope around the object.

use serde_json::Value;

use super::{Words, member, plain};
use crate::domain::source::SourceName;

pub(super) fn words(source: &SourceName, name: &str, payload: &Value) -> Option<Words> {
    let object = match &payload["object"] {
        object @ Value::Object(_) => object,
        _ => payload,
    };
    let (group, what) = name.rsplit_once('.')?;
    match group {
        "account" => account(source, what, object),
        "report" => report(source, what, object),
        "status" => status(source, what, object),
        _ => None,
    }
}

fn account(source: &SourceName, what: &str, account: &Value) -> Option<Words> {
    let who = handle(account)?;
    let line = match what {
        "created" => format!("{who} signed up at {source}"),
        other => format!("The account {who} was {other} at {source}"),
    };
    let reason = member(account, "invite_request").map(str::to_owned);
    let reason = reason.filter(|_| what == "created");
    Some(Words::line(line).and(reason).at(&account["account"]["url"]))
}

fn report(source: &SourceName, what: &str, report: &Value) -> Option<Words> {
    let target = handle(&report["target_account"])?;
    let by = handle(&report["account"]).unwrap_or_else(|| "someone".into());
    let category = member(report, "category").filter(|category| *category != "other");
    let category = category.map_or_else(String::new, |category| format!(" ({category})"));
    let line = match what {
        "created" => format!("{by} reported {target} at {source}{category}"),
        _ if report["action_taken"] == true => {
            format!("The report by {by} about {target} was resolved at {source}")
        }
        other => format!("The report by {by} about {target} was {other} at {source}"),
    };
    let comment = member(report, "comment").map(str::to_owned);
    Some(Words::line(line).and(comment))
}

/// Posts for followers and for single people come, too: what they say is not repeated.
fn status(source: &SourceName, what: &str, status: &Value) -> Option<Words> {
    let who = handle(&status["account"])?;
    let verb = if what == "created" {
        "posted"
    } else {
        "edited a post"
    };
    let line = Words::line(format!("{who} {verb} at {source}"));
    if matches!(status["visibility"].as_str(), Some("private" | "direct")) {
        return Some(line);
    }
    let content = match member(status, "spoiler_text") {
        Some(warning) => Some(format!("CW: {warning}")),
        None => member(status, "content").map(plain),
    };
    let url = match member(status, "url") {
        Some(_) => &status["url"],
        None => &status["uri"],
    };
    Some(line.and(content).at(url))
}

/// `@name`, or `@name@host` for an account of another instance.
fn handle(account: &Value) -> Option<String> {
    let nested = &account["account"];
    let name = member(account, "acct").or(member(nested, "acct"));
    let (user, domain) = (member(account, "username"), member(account, "domain"));
    match (name, user, domain) {
        (Some(name), ..) => Some(format!("@{name}")),
        (None, Some(user), Some(domain)) => Some(format!("@{user}@{domain}")),
        (None, Some(user), None) => Some(format!("@{user}")),
        (None, None, _) => None,
    }
}
