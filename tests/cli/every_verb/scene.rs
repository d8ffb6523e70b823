//! The scene of all cases: a hub with a topic, a subscription, a source, a hook, and an event that the hook has got; and a server that is the
//! feed and all receivers.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::plain::plain;
use crate::own_hub::{Hub, TOKEN};
use crate::support::{Request, Server, eventually, fanfare, fanfare_with, send};

/// The secret of everybody here.
const SECRET: &str = "a-secret-of-the-scene";

pub struct Scene {
    pub hub: Hub,
    world: Server,
    folder: TempDir,
    /// What stands for a name in braces, and the name.
    known: Vec<(String, String)>,
    count: u32,
}

/// The feed, and whoever is called.
fn answer(own: &str, request: &Request) -> String {
    let url = format!(
        "{own}{}",
        request
            .line
            .split('/')
            .skip(1)
            .collect::<Vec<_>>()
            .join("/")
    );
    let query = url::Url::parse(&url).expect("a URL");
    let challenge = query
        .query_pairs()
        .find(|(name, _)| name == "hub.challenge");
    match challenge {
        Some((_, challenge)) => format!("200 OK\n\n{challenge}"),
        None if request.line.starts_with("POST") => {
            "200 OK\nContent-Type: text/plain\n\nthanks".into()
        }
        None => format!(
            "200 OK\nContent-Type: text/plain\nLink: <{own}hub>; rel=\"hub\", <{own}feed>; rel=\"self\"\n\nnews"
        ),
    }
}

impl Scene {
    pub fn set() -> Scene {
        let hub = Hub::start();
        let world = Server::start_knowing_itself(answer);
        let known = vec![
            (hub.url.clone(), "HUB/".to_owned()),
            (world.url.clone(), "WORLD/".to_owned()),
            (
                env!("CARGO_BIN_EXE_fanfare").to_owned(),
                "fanfare".to_owned(),
            ),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let mut scene = Scene {
            hub,
            world,
            folder,
            known,
            count: 0,
        };
        let path = scene.folder.path().to_str().expect("a path").to_owned();
        scene.known.push((path, "FOLDER".to_owned()));
        scene.declare("blog");
        scene.hook("blog", "hook");
        scene.subscribe("feed", "callback");
        scene.raise();
        scene
    }

    /// What the verbs find in their environment.
    pub fn environment(&self) -> [(&'static str, &str); 2] {
        [("FANFARE_URL", &self.hub.url), ("FANFARE_TOKEN", TOKEN)]
    }

    /// Puts what it stands for in the place of a name in braces.
    pub fn expand(&mut self, word: &str) -> String {
        let Some((before, rest)) = word.split_once('{') else {
            return word.to_owned();
        };
        let Some((name, after)) = rest.split_once('}') else {
            return word.to_owned();
        };
        let value = match name {
            "hub" => self.hub.url.clone(),
            "world" => self.world.url.clone(),
            "folder" => self.folder.path().to_str().expect("a path").to_owned(),
            "subscription" => self.subscription("callback"),
            "new-source" => self.new_source(),
            "new-busy-source" => self.new_busy_source(),
            "new-hook" => self.new_hook(),
            "new-subscription" => self.new_subscription(),
            "new-callback" => self.new_callback(),
            "new-token" => self.new_token(),
            "new-replay" => self.new_replay(),
            "new-folder" => self.new_folder(),
            "backup" => self.backup(),
            "lines" => self.lines(),
            "stopped" => self.stopped(),
            "delivery" => self.delivery(),
            _ => return word.to_owned(),
        };
        if name.starts_with("new") || ["backup", "stopped", "delivery"].contains(&name) {
            self.known.push((value.clone(), format!("{{{name}}}")));
        }
        format!("{before}{value}{}", self.expand(after))
    }

    /// Forgets the names that the last run was given.
    pub fn forget(&mut self) {
        self.known.retain(|(_, name)| !name.starts_with('{'));
    }

    /// An output without what is different each time.
    pub fn plain(&self, text: &str) -> String {
        plain(text, &self.known)
    }

    /// Asks the hub.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let token = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
        ];
        let (status, answer) = send(method, &format!("{}{path}", self.hub.url), &headers, body);
        assert!(status < 300, "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    /// A URL of the server that is everybody else.
    pub fn world(&self, path: &str) -> String {
        self.world.at(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Publishes to a topic.
    pub fn publish(&self, topic: &str, news: &str) {
        let link = format!("<{topic}>; rel=\"self\"");
        let token = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", token.as_str()),
            ("Content-Type", "text/plain"),
            ("Link", &link),
        ];
        let (status, answer) = send("POST", &format!("{}publish", self.hub.url), &headers, news);
        assert!(status < 300, "{status} {answer}");
    }

    fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn declare(&self, source: &str) {
        let path = format!("api/v1/sources/{source}");
        let wish = json!({"events": ["post.published"]});
        self.ask("PUT", &path, &wish.to_string());
    }

    fn hook(&self, source: &str, path: &str) -> String {
        let url = self.world.at(path);
        let wish = json!({"source": source, "url": url, "secret": SECRET, "events": ["post.*"]});
        self.ask("POST", "api/v1/hooks", &wish.to_string())["id"].to_string()
    }

    /// Subscribes, and comes back when the hub has verified it.
    fn subscribe(&self, topic: &str, callback: &str) -> String {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", &self.world.at(topic))
            .append_pair("hub.callback", &self.world.at(callback))
            .append_pair("hub.secret", SECRET)
            .append_pair("hub.verify", "sync")
            .finish();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let (status, answer) = send("POST", &self.hub.url, &headers, &form);
        assert!(status < 300, "{status} {answer}");
        self.subscription(callback)
    }

    fn subscription(&self, callback: &str) -> String {
        let list = self.ask(
            "GET",
            &format!("api/v1/subscriptions?search={callback}"),
            "",
        );
        let id = list["items"][0]["id"].as_str();
        id.unwrap_or_else(|| panic!("{callback} in {list}"))
            .to_owned()
    }

    /// Raises an event, and comes back when the hook has it.
    fn raise(&self) {
        self.ask("POST", "blog/events/post.published", r#"{"title":"Hello"}"#);
        eventually("a delivery", || {
            let list = self.ask("GET", "api/v1/hooks/1/deliveries", "");
            list["items"].get(0).cloned()
        });
    }

    fn new_source(&mut self) -> String {
        let name = format!("spare{}", self.number());
        self.declare(&name);
        name
    }

    /// One with a hook.
    fn new_busy_source(&mut self) -> String {
        let source = self.new_source();
        self.hook(&source, "busy");
        source
    }

    fn new_hook(&mut self) -> String {
        let source = self.expand("{new-source}");
        self.hook(&source, "spare-hook")
    }

    fn new_subscription(&mut self) -> String {
        let callback = format!("spare-callback/{}", self.number());
        self.known
            .push((self.world(&callback), "{new-callback}".to_owned()));
        self.subscribe("spare", &callback)
    }

    /// One that is subscribed.
    fn new_callback(&mut self) -> String {
        let callback = format!("gone-callback/{}", self.number());
        self.subscribe("gone", &callback);
        self.world(&callback)
    }

    fn new_token(&mut self) -> String {
        let wish = json!({"name": "spare", "role": "reader", "sources": ["*"]});
        let issued = self.ask("POST", "api/v1/tokens", &wish.to_string());
        issued["id"].as_str().expect("an id").to_owned()
    }

    /// One that has ended: a replay that runs would be over before it is looked at.
    fn new_replay(&mut self) -> String {
        let begun = self.ask("POST", "api/v1/hooks/1/replay", r#"{"since":"1h"}"#);
        let id = begun["id"].as_str().expect("an id").to_owned();
        eventually("the end of a replay", || {
            let replay = self.ask("GET", &format!("api/v1/replays/{id}"), "");
            (replay["state"] == "finished").then_some(())
        });
        id
    }

    fn new_folder(&mut self) -> String {
        let name = format!("folder{}", self.number());
        self.path(&name).to_str().expect("a path").to_owned()
    }

    /// A backup of the hub.
    fn backup(&self) -> String {
        let path = self
            .path("scene.fanfare")
            .to_str()
            .expect("a path")
            .to_owned();
        let args = ["backup", "--output", &path];
        let done = fanfare_with(&args, &self.environment(), b"");
        assert_eq!(done.code, Some(0), "{}", done.err);
        path
    }

    /// The folder of a hub that does not run, with the same in it.
    fn stopped(&mut self) -> String {
        let (backup, folder) = (self.backup(), self.new_folder());
        let done = fanfare(&["restore", &backup, "--data-dir", &folder]);
        assert_eq!(done.code, Some(0), "{}", done.err);
        folder
    }

    /// The first of the hook.
    fn delivery(&self) -> String {
        let list = self.ask("GET", "api/v1/hooks/1/deliveries", "");
        let oldest = list["items"].as_array().and_then(|items| items.last());
        oldest.expect("a delivery")["id"].to_string()
    }

    /// Two subscriptions, one of which is none.
    fn lines(&self) -> String {
        let path = self.path("lines.jsonl");
        let line = r#"{"topic":"http://t.example/","callback":"http://c.example/"}"#;
        std::fs::write(&path, format!("{line}\n{{}}\n")).expect("a file");
        path.to_str().expect("a path").to_owned()
    }
}
