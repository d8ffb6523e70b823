//! Events of repositories in words: pushes, pull requests, issues, comments, releases. In: SocialGateway's payloads.

use serde_json::Value;

use super::{Words, clean, member, shortened, spoken};
use crate::domain::source::SourceName;

/// Commits that are shown of a push.
const COMMITS_SHOWN: usize = 3;

/// The longest title of an issue and the like, in characters.
const TITLE_MAX_CHARS: usize = 150;

pub(super) fn words(source: &SourceName, name: &str, payload: &Value) -> Option<Words> {
    let event = Happening {
        source,
        payload,
        who: who(payload),
    };
    match name {
        "push" => event.push(),
        "pull_request" => event.numbered("pull request", &payload["pull_request"]),
        "issues" => event.numbered("issue", &payload["issue"]),
        "issue_comment" => event.comment(&payload["issue"]),
        "release" => event.release(),
        "create" | "delete" => event.reference(name),
        "ping" => Some(event.ping()),
        _ => None,
    }
}

struct Happening<'a> {
    source: &'a SourceName,
    payload: &'a Value,
    who: String,
}

impl Happening<'_> {
    fn push(&self) -> Option<Words> {
        let payload = self.payload;
        let full = member(payload, "ref")?;
        let (kind, name) = match full.strip_prefix("refs/tags/") {
            Some(tag) => ("tag ", tag),
            None => ("", full.strip_prefix("refs/heads/").unwrap_or(full)),
        };
        let commits = payload["commits"].as_array().map_or(&[][..], Vec::as_slice);
        let what = match commits.len() {
            _ if payload["deleted"] == true => format!("deleted {kind}{name}"),
            0 if payload["created"] == true => format!("created {kind}{name}"),
            0 => format!("pushed to {kind}{name}"),
            number => {
                let verb = if payload["forced"] == true {
                    "force-pushed"
                } else {
                    "pushed"
                };
                format!("{verb} {} to {kind}{name}", counted(number, "commit"))
            }
        };
        let colon = if commits.is_empty() { "" } else { ":" };
        let mut words = Words::line(format!("{} {what} at {}{colon}", self.who, self.place()));
        words
            .lines
            .extend(commits.iter().take(COMMITS_SHOWN).map(commit));
        let more = commits.len().saturating_sub(COMMITS_SHOWN);
        let more = (more > 0).then(|| format!("and {}", counted(more, "more commit")));
        Some(words.and(more).at(&payload["compare"]))
    }

    /// A pull request or an issue.
    fn numbered(&self, kind: &str, thing: &Value) -> Option<Words> {
        let number = thing["number"].as_u64()?;
        let action = match member(self.payload, "action")? {
            "closed" if thing["merged"] == true => "merged".to_owned(),
            "synchronize" => "updated".to_owned(),
            action => spoken(action),
        };
        let line = format!(
            "{} {action} {kind} #{number} at {}{}",
            self.who,
            self.place(),
            title(thing)
        );
        Some(Words::line(line).at(&thing["html_url"]))
    }

    fn comment(&self, issue: &Value) -> Option<Words> {
        let number = issue["number"].as_u64()?;
        let kind = if issue["pull_request"].is_object() {
            "pull request"
        } else {
            "issue"
        };
        let action = match member(self.payload, "action")? {
            "created" => "commented on".to_owned(),
            action => format!("{} a comment on", spoken(action)),
        };
        let comment = &self.payload["comment"];
        let line = format!(
            "{} {action} {kind} #{number} at {}{}",
            self.who,
            self.place(),
            title(issue)
        );
        let words = Words::line(line).and(member(comment, "body").map(str::to_owned));
        Some(words.at(&comment["html_url"]))
    }

    fn release(&self) -> Option<Words> {
        let release = &self.payload["release"];
        let tag = member(release, "tag_name")?;
        let action = spoken(member(self.payload, "action")?);
        let name = member(release, "name").filter(|name| *name != tag);
        let name = name.map_or_else(String::new, |name| format!(": {name}"));
        let line = format!(
            "{} {action} release {tag} at {}{name}",
            self.who,
            self.place()
        );
        Some(Words::line(line).at(&release["html_url"]))
    }

    /// A branch or a tag that came or went.
    fn reference(&self, name: &str) -> Option<Words> {
        let kind = member(self.payload, "ref_type")?;
        let reference = member(self.payload, "ref").unwrap_or_default();
        Some(Words::line(format!(
            "{} {name}d {kind} {reference} at {}",
            self.who,
            self.place()
        )))
    }

    fn ping(&self) -> Words {
        let zen = member(self.payload, "zen").map(str::to_owned);
        Words::line(format!("The hook of {} works.", self.place())).and(zen)
    }

    fn place(&self) -> String {
        let full = member(&self.payload["repository"], "full_name");
        full.map_or_else(
            || self.source.to_string(),
            |name| clean(name, TITLE_MAX_CHARS),
        )
    }
}

fn who(payload: &Value) -> String {
    let name = member(&payload["sender"], "login").or(member(&payload["pusher"], "name"));
    clean(name.unwrap_or("someone"), 60)
}

fn title(thing: &Value) -> String {
    member(thing, "title").map_or_else(String::new, |title| {
        format!(": {}", clean(title, TITLE_MAX_CHARS))
    })
}

fn commit(commit: &Value) -> String {
    let id: String = member(commit, "id")
        .unwrap_or_default()
        .chars()
        .take(7)
        .collect();
    let message = member(commit, "message").unwrap_or_default();
    let message = message.trim_start().lines().next().unwrap_or_default();
    let author = &commit["author"];
    let author = member(author, "name").or(member(author, "username"));
    let author = author.map_or_else(String::new, |name| format!(" ({})", shortened(name, 60)));
    format!("{id} {}{author}", clean(message, TITLE_MAX_CHARS))
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
