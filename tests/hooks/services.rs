//! Services: a hook for each of them, whole. In: a push, raised at a hub. Out: what a service's server hears, over HTTP or from
//! Debian's ngircd. What the messages look like in every case, `tests/services.rs` and `tests/irc` show.

use serde_json::{Value, json};

use crate::declared::ask;
use crate::hooking::receiver;
use crate::ngircd;
use crate::support::receipts::assert_counts;
use crate::support::{Hub, Reply, Request, Response, eventually};

const REPOSITORY: &str = "octocat/hello";

/// A hub with a repository.
async fn repository() -> Hub {
    let hub = Hub::start().await;
    let source = json!({ "dialect": "socialgateway" });
    hub.declare(REPOSITORY, &source).await.expect(201);
    hub
}

impl Hub {
    /// Makes the hook of a service; gives its number.
    async fn service(&self, name: &str, config: &Value) -> u64 {
        let path = format!("/repos/{REPOSITORY}/hooks");
        let wish = json!({ "name": name, "events": ["push"], "config": config });
        let made = ask(self, "POST", &path, &wish).await;
        // A source has each service once: made again, it is changed.
        assert!([200, 201].contains(&made.status), "{}", made.text());
        made.json()["id"].as_u64().expect("a number")
    }

    async fn push_commit(&self) -> Response {
        let push = json!({
            "ref": "refs/heads/main",
            "commits": [{ "id": "1a2b3c4d5e", "message": "Mehr Wärme & <b>", "author": { "name": "Mona" } }],
            "sender": { "login": "octocat" },
        });
        let path = format!("/{REPOSITORY}/events/push");
        self.raise(&path, &push).await.expect(202)
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[tokio::test]
async fn each_chat_is_told_of_a_push_in_its_own_way() {
    let hub = repository().await;
    let chats = receiver(Reply::status(200)).await;
    let url = |path: &str| json!({ "url": chats.url(path) });
    let matrix = json!({
        "homeserver": chats.url(""), "room": "!r:m.example", "token": "syt_abc",
    });
    let mut hooks = Vec::new();
    for (name, config) in [
        ("slack", url("/slack")),
        ("discord", url("/discord")),
        ("mattermost", url("/mattermost")),
        ("campfire", url("/campfire")),
        ("matrix", matrix),
    ] {
        hooks.push(hub.service(name, &config).await);
    }
    let is_told = |request: &Request| {
        // The ping of a new hook speaks of the hook alone.
        String::from_utf8_lossy(&request.body).contains("pushed")
    };
    hub.push_commit().await;
    let told = chats
        .log()
        .wait_for("a message", hooks.len(), is_told)
        .await;
    let at = |path: &str| {
        let mut told = told.iter().filter(|request| request.path().contains(path));
        told.next().unwrap_or_else(|| panic!("nothing at {path}"))
    };
    let said = "octocat pushed 1 commit to main at octocat/hello:";
    assert_eq!(
        body(at("/slack")),
        json!({ "text": format!("{said}\n1a2b3c4 Mehr Wärme &amp; &lt;b&gt; (Mona)"), "mrkdwn": false })
    );
    let marked = "octocat pushed 1 commit to main at octocat/hello\\:\n1a2b3c4 Mehr Wärme & \\<b\\> \\(Mona\\)";
    assert_eq!(
        body(at("/discord")),
        json!({ "content": marked, "allowed_mentions": { "parse": [] } })
    );
    assert_eq!(body(at("/mattermost")), json!({ "text": marked }));
    assert_eq!(
        at("/campfire").body,
        format!("{said}<br>1a2b3c4 Mehr Wärme &amp; &lt;b&gt; (Mona)")
    );
    let matrix = at("/_matrix/client/v3/rooms/%21r%3Am.example/send/m.room.message/");
    assert_eq!(matrix.method, "PUT");
    assert_eq!(matrix.header("authorization"), Some("Bearer syt_abc"));
    let plain = format!("{said}\n1a2b3c4 Mehr Wärme & <b> (Mona)");
    assert_eq!(
        body(matrix),
        json!({ "msgtype": "m.text", "body": plain, "m.mentions": {} })
    );
    for hook in hooks {
        let log = hub.logged(hook, 1).await;
        let push = log.iter().find(|delivery| delivery["event"] == "push");
        assert_eq!(push.expect("the push")["status"], 200, "{log:?}");
    }
}

#[tokio::test]
async fn an_irc_channel_hears_of_a_push_and_what_it_refuses_is_in_the_log() {
    let server = ngircd::Server::start("[Channel]\nName = #closed\nModes = +i\n").await;
    let mut reader = server.reader("ana", "#news").await;
    let hub = repository().await;
    let room = |room: &str| json!({ "server": "localhost", "port": server.port, "room": room, "nick": "hub" });
    let hook = hub.service("irc", &room("news")).await;
    let answer = hub.push_commit().await;
    for expected in [
        "PRIVMSG #news :octocat pushed 1 commit to main at octocat/hello:",
        "PRIVMSG #news :1a2b3c4 Mehr Wärme & <b> (Mona)",
    ] {
        let line = reader.line_with(expected).await;
        assert!(line.starts_with(":hub"), "{line}");
    }
    assert_counts(&hub.ended(&answer).await, [1, 1, 0, 0, 0]);

    let same = hub.service("irc", &room("closed")).await;
    assert_eq!(same, hook, "a source has a service once");
    let answer = hub.push_commit().await;
    let waits = |receipt: &Value| receipt["in_backlog"] == 1;
    hub.receipt_when(&answer, waits).await;
    let is_refused = |delivery: &Value| delivery["event"] == "push" && delivery["status"] == 403;
    let refused = eventually("a refusal in the log", async || {
        let log = hub.logged(hook, 1).await;
        log.into_iter().find(is_refused)
    });
    let refused = hub.delivery(hook, &refused.await["id"]).await;
    let words = refused["response"]["body"].as_str().expect("words");
    assert!(words.contains("473 "), "{words}");
}
