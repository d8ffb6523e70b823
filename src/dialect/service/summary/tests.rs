//! What is said about the events of each dialect, and that nothing can be said that is not safe.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::event::EventName;
use crate::domain::json::Json;
use crate::domain::value::Timestamp;

fn say(source: &str, name: &str, payload: &Value) -> Summary {
    let event = Event {
        name: EventName::parse(name).expect("a name"),
        created_at: Timestamp(0),
        payload: Json::of(payload),
    };
    summary(&SourceName::parse(source).expect("a source"), &event)
}

fn lines(source: &str, name: &str, payload: Value) -> Vec<String> {
    say(source, name, &payload).all_lines()
}

fn commit(id: &str, message: &str, author: &str) -> Value {
    json!({ "id": id, "message": message, "author": { "name": author } })
}

#[test]
fn a_push_tells_its_commits_and_where_to_compare() {
    let payload = json!({
        "ref": "refs/heads/main",
        "compare": "https://gateway.example/octocat/hello/compare/a...b",
        "commits": [
            commit("1a2b3c4d5e6f", "Fix the parser\n\nIt was wrong.", "Mona"),
            commit("2b3c4d5e6f70", "Docs", "Hubot"),
            commit("3c4d5e6f7081", "Tests", "Mona"),
            commit("4d5e6f708192", "More tests", "Mona"),
        ],
        "repository": { "full_name": "octocat/hello" },
        "pusher": { "name": "mona" },
        "sender": { "login": "octocat" },
    });
    assert_eq!(
        lines("octocat/hello", "push", payload),
        [
            "octocat pushed 4 commits to main at octocat/hello:",
            "1a2b3c4 Fix the parser (Mona)",
            "2b3c4d5 Docs (Hubot)",
            "3c4d5e6 Tests (Mona)",
            "and 1 more commit",
            "https://gateway.example/octocat/hello/compare/a...b",
        ]
    );
}

#[test]
fn a_push_may_also_come_without_commits() {
    for (payload, line) in [
        (
            json!({ "ref": "refs/heads/x", "deleted": true, "commits": [] }),
            "someone deleted x at a/b",
        ),
        (
            json!({ "ref": "refs/tags/v1", "created": true, "pusher": { "name": "mona" } }),
            "mona created tag v1 at a/b",
        ),
        (
            json!({ "ref": "refs/heads/x", "forced": true, "commits": [{}] }),
            "someone force-pushed 1 commit to x at a/b:",
        ),
        (json!({ "commits": 7 }), "push at a/b"),
    ] {
        assert_eq!(lines("a/b", "push", payload)[0], line);
    }
}

#[test]
fn repositories_tell_what_else_happens() {
    let sender = json!({ "login": "octocat" });
    let issue = json!({ "number": 5, "title": "It *breaks*", "html_url": "https://g.example/i/5" });
    let merged = json!({ "number": 6, "title": "Mend it", "merged": true, "html_url": "https://g.example/p/6" });
    let comment = json!({ "body": "Thanks!\r\nBye", "html_url": "https://g.example/i/5#c1" });
    let release =
        json!({ "tag_name": "v1.0", "name": "The first", "html_url": "https://g.example/r/1" });
    for (name, payload, expected) in [
        (
            "issues",
            json!({ "action": "opened", "issue": issue, "sender": sender }),
            &[
                "octocat opened issue #5 at a/b: It *breaks*",
                "https://g.example/i/5",
            ][..],
        ),
        (
            "pull_request",
            json!({ "action": "closed", "pull_request": merged, "sender": sender }),
            &[
                "octocat merged pull request #6 at a/b: Mend it",
                "https://g.example/p/6",
            ],
        ),
        (
            "issue_comment",
            json!({ "action": "created", "issue": issue, "comment": comment, "sender": sender }),
            &[
                "octocat commented on issue #5 at a/b: It *breaks*",
                "Thanks! Bye",
                "https://g.example/i/5#c1",
            ],
        ),
        (
            "release",
            json!({ "action": "published", "release": release, "sender": sender }),
            &[
                "octocat published release v1.0 at a/b: The first",
                "https://g.example/r/1",
            ],
        ),
        (
            "create",
            json!({ "ref": "topic", "ref_type": "branch", "sender": sender }),
            &["octocat created branch topic at a/b"],
        ),
        (
            "ping",
            json!({ "zen": "Keep it simple." }),
            &["The hook of a/b works.", "Keep it simple."],
        ),
        (
            "deployment_status",
            json!({ "sender": sender }),
            &["deployment_status at a/b"],
        ),
    ] {
        assert_eq!(lines("a/b", name, payload), expected, "{name}");
    }
}

#[test]
fn an_instance_tells_of_accounts_reports_and_posts() {
    let account = json!({ "username": "ana", "domain": null, "invite_request": "Let me in", "account": { "acct": "ana", "url": "https://s.example/@ana" } });
    let report = json!({
        "category": "spam", "comment": "Bad links", "account": { "username": "bob", "domain": "t.example" },
        "target_account": { "username": "eve" },
    });
    let status = json!({
        "account": { "acct": "ana" }, "visibility": "public", "url": "https://s.example/@ana/1", "spoiler_text": "",
        "content": "<p>Hello <b>you</b> &amp; all</p>",
    });
    let mut direct = status.clone();
    direct["visibility"] = "direct".into();
    let mut warned = status.clone();
    warned["spoiler_text"] = "Spiders".into();
    for (name, object, expected) in [
        (
            "account.created",
            &account,
            &[
                "@ana signed up at social",
                "Let me in",
                "https://s.example/@ana",
            ][..],
        ),
        (
            "account.approved",
            &account,
            &[
                "The account @ana was approved at social",
                "https://s.example/@ana",
            ],
        ),
        (
            "report.created",
            &report,
            &["@bob@t.example reported @eve at social (spam)", "Bad links"],
        ),
        (
            "status.created",
            &status,
            &[
                "@ana posted at social",
                "Hello you & all",
                "https://s.example/@ana/1",
            ],
        ),
        (
            "status.updated",
            &warned,
            &[
                "@ana edited a post at social",
                "CW: Spiders",
                "https://s.example/@ana/1",
            ],
        ),
        ("status.created", &direct, &["@ana posted at social"]),
        ("status.created", &json!([]), &["status.created at social"]),
    ] {
        assert_eq!(lines("social", name, object.clone()), expected, "{name}");
        let envelope = json!({ "event": name, "object": object });
        if object.is_object() {
            assert_eq!(
                lines("social", name, envelope),
                expected,
                "{name} in its envelope"
            );
        }
    }
}

#[test]
fn a_forum_tells_of_threads_and_likes() {
    let user = json!({ "displayname": "John Doe", "path": "@johndoe" });
    let post = json!({ "title": "New", "body": ["Head", "Tail"], "user": user });
    let path = "/goma/galleries:a-thread";
    for (payload, expected) in [
        (
            json!(["post", { "path": path, "page": { "title": "Exhibitions" } }, post]),
            &[
                "John Doe started \"New\" in Exhibitions at forum",
                "Head Tail",
            ][..],
        ),
        (
            json!(["reply", path, { "body": "Yes", "key": "k", "user": user }]),
            &[
                "John Doe replied to /goma/galleries:a-thread at forum",
                "Yes",
            ],
        ),
        (
            json!(["unlike", path, user]),
            &["John Doe unliked /goma/galleries:a-thread at forum"],
        ),
        (
            json!(["unspam", path, user]),
            &["John Doe cleared /goma/galleries:a-thread of spam at forum"],
        ),
        (json!(["enter", user]), &["John Doe came to forum"]),
        (json!(["like"]), &["like at forum"]),
    ] {
        let name = payload[0].as_str().expect("the event").to_owned();
        assert_eq!(lines("forum", &name, payload), expected);
    }
}

#[test]
fn a_url_that_is_none_is_left_out() {
    for url in [
        json!("javascript:alert(1)"),
        json!("https://x.example/\r\nQUIT"),
        json!(7),
        json!("https://x.example/".to_owned() + &"y".repeat(2000)),
    ] {
        let said = say("a/b", "push", &json!({ "ref": "main", "compare": url }));
        assert_eq!(said.url(), None, "{url}");
    }
}

/// JSON in which the members that are read hold anything.
fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        "[\\x00-\\x20a-z<>&]{0,30}".prop_map(Value::from),
        "x{900,1200}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "ref",
        "action",
        "commits",
        "compare",
        "issue",
        "pull_request",
        "number",
        "title",
        "comment",
        "body",
        "release",
        "tag_name",
        "name",
        "sender",
        "login",
        "object",
        "account",
        "acct",
        "username",
        "target_account",
        "content",
        "url",
        "html_url",
        "user",
        "displayname",
        "id",
        "message",
        "author",
        "zen",
        "repository",
        "full_name",
    ]);
    leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_said_in_a_few_safe_lines(
        payload in payload(),
        name in prop::sample::select(vec![
            "push", "pull_request", "issues", "issue_comment", "release", "create", "ping", "account.created",
            "report.updated", "status.created", "post", "reply", "like", "enter", "other",
        ]),
    ) {
        let said = say("a/b", name, &payload);
        prop_assert!((1..=LINES_MAX).contains(&said.lines().len()));
        for line in said.all_lines() {
            prop_assert!(!line.is_empty() && line.chars().count() <= URL_MAX_BYTES);
            prop_assert!(!line.contains(|c: char| c.is_control()), "{:?}", line);
        }
    }
}
