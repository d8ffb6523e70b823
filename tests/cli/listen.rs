//! `fanfare listen`. The test is the hub.

use fanfare::domain::signature::{Method, sign};
use fanfare::domain::value::Secret;
use serde_json::Value;

use crate::support::{Running, Server, send};

const TOPIC: &str = "http://t.example/feed?a=b";

/// A hub that has been asked for a subscription and has not verified it yet.
struct Scene {
    hub: Server,
    listener: Running,
    callback: String,
    secret: Secret,
}

impl Scene {
    fn start(more: &[&str]) -> Scene {
        let hub = Server::start(|_| "202 Accepted".into());
        let mut args = vec!["listen", "--hub", &hub.url, TOPIC];
        args.extend(more);
        let listener = Running::start(&args);
        let request = hub.asked("subscribe", 0);
        let field = |name| request.field(name).expect(name);
        assert_eq!(field("hub.topic"), TOPIC);
        Scene {
            callback: field("hub.callback"),
            secret: Secret::parse(&field("hub.secret")).expect("a secret"),
            hub,
            listener,
        }
    }

    /// Asks the callback as a hub does.
    fn ask(&self, mode: &str, topic: &str, more: &str) -> (u16, String) {
        let pairs = [
            ("hub.mode", mode),
            ("hub.topic", topic),
            ("hub.challenge", "riddle"),
        ];
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        send("GET", &format!("{}?{query}{more}", self.callback), &[], "")
    }

    fn deliver(&self, headers: &[(&str, &str)], body: &str) -> u16 {
        send("POST", &self.callback, headers, body).0
    }

    /// Confirms the end that the listener has asked for.
    fn part(&self) {
        self.hub.asked("unsubscribe", 0);
        assert_eq!(self.ask("unsubscribe", TOPIC, ""), (200, "riddle".into()));
    }
}

#[test]
fn only_what_was_asked_for_is_confirmed() {
    let mut scene = Scene::start(&[]);
    assert_eq!(scene.ask("subscribe", "http://t.example/other", "").0, 404);
    assert_eq!(scene.ask("unsubscribe", TOPIC, "").0, 404);
    assert_eq!(send("GET", &format!("{}x", scene.callback), &[], "").0, 404);
    assert_eq!(send("PUT", &scene.callback, &[], "").0, 405);
    assert_eq!(
        scene.ask("subscribe", TOPIC, "&hub.lease_seconds=864000"),
        (200, "riddle".into())
    );
    assert_eq!(scene.listener.err("subscribed"), "subscribed for 10d\n");
    scene.listener.signal("INT");
    scene.hub.asked("unsubscribe", 0);
    assert_eq!(scene.ask("subscribe", TOPIC, "").0, 404);
    scene.part();
    let done = scene.listener.end();
    assert_eq!((done.code, done.err.as_str()), (Some(0), "unsubscribed\n"));
}

#[test]
fn prints_each_delivery_and_what_its_signature_is_worth() {
    let mut scene = Scene::start(&["--count", "3"]);
    scene.ask("subscribe", TOPIC, "");
    let signature = sign(Method::Sha1, &scene.secret, b"news\x1b[2J");
    let stronger = sign(Method::Sha256, &scene.secret, b"news\x1b[2J");
    let headers = [
        ("Content-Type", "text/plain"),
        (
            "Link",
            "<http://t.example/feed>; rel=self, <http://h.example/>; rel=hub",
        ),
        ("X-Hub-Signature", &signature),
        ("X-Hub-Signature-256", &stronger),
        ("X-Fanfare-Delivery", "d-1"),
    ];
    assert_eq!(scene.deliver(&headers, "news\x1b[2J"), 200);
    assert_eq!(scene.deliver(&headers, "forged"), 200);
    assert_eq!(scene.deliver(&[], "unsigned"), 200);
    scene.part();
    let time = scene.listener.out("text/plain");
    assert!(
        time.ends_with("  text/plain  8 bytes  signature verified (sha1, sha256)\n"),
        "{time}"
    );
    let done = scene.listener.end();
    assert_eq!(done.code, Some(0), "{}", done.err);
    let (first, rest) = done.out.split_once("\n\n").expect("a head and a body");
    assert_eq!(
        first,
        "  self  http://t.example/feed\n  hub   http://h.example/\n  id    d-1"
    );
    assert!(rest.starts_with("news\u{fffd}[2J\n\n"), "{rest}");
    assert!(rest.contains("signature WRONG: not from the hub"), "{rest}");
    assert!(
        rest.contains("  no type  8 bytes  signature none\n\nunsigned\n"),
        "{rest}"
    );
}

#[test]
fn json_has_everything_in_one_line() {
    let scene = Scene::start(&["--json", "--count", "1", "--secret", "key"]);
    assert_eq!(scene.secret.expose(), "key");
    let signature = sign(Method::Sha512, &scene.secret, "nüws\n".as_bytes());
    let headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Link", "<http://h.example/>; rel=hub"),
        ("X-Hub-Signature", &signature),
        ("X-Two", "a"),
        ("X-Two", "b"),
    ];
    assert_eq!(scene.deliver(&headers, "nüws\n"), 200);
    scene.part();
    let done = scene.listener.end();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(done.out.lines().count(), 1);
    let line: Value = serde_json::from_str(&done.out).expect("JSON");
    for (key, value) in [
        ("topic", TOPIC),
        ("content_type", "text/plain; charset=utf-8"),
        ("signature", "verified"),
        ("body", "nüws\n"),
    ] {
        assert_eq!(line[key], value, "{line:#}");
    }
    assert_eq!(line["size"], 6);
    assert_eq!(line["links"][0]["url"], "http://h.example/");
    assert_eq!(line["headers"]["x-two"], "a, b");
    assert!(
        line["received_at"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{line:#}"
    );
}

#[test]
fn a_denial_is_the_end() {
    let scene = Scene::start(&[]);
    assert_eq!(scene.ask("denied", TOPIC, "&hub.reason=not+you").0, 200);
    let done = scene.listener.end();
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("denied the subscription: not you"),
        "{}",
        done.err
    );
    assert_eq!(scene.hub.requests().len(), 1);
}

#[test]
fn a_lease_is_renewed_before_it_ends() {
    let mut scene = Scene::start(&["--lease", "1s"]);
    assert_eq!(scene.ask("subscribe", TOPIC, "&hub.lease_seconds=1").0, 200);
    let renewal = scene.hub.asked("subscribe", 1);
    assert_eq!(renewal.field("hub.lease_seconds").as_deref(), Some("1"));
    assert_eq!(renewal.field("hub.callback"), Some(scene.callback.clone()));
    assert_eq!(
        scene
            .ask("subscribe", TOPIC, "&hub.lease_seconds=99999999999999")
            .0,
        200
    );
    assert_eq!(scene.listener.err("renewed"), "renewed for 3652d12h\n");
}

#[test]
fn behind_a_proxy_any_path_is_the_callback() {
    let scene = Scene::start(&["--callback", "http://me.example/hooks/7?k=v"]);
    assert_eq!(scene.callback, "http://me.example/hooks/7?k=v");
    let mut listener = scene.listener;
    let own = listener.err("listening at ");
    assert!(
        own.contains("callback http://me.example/hooks/7?k=v"),
        "{own}"
    );
    let (_, address) = own.split_once("listening at ").expect("an address");
    let (address, _) = address.split_once(',').expect("an address");
    let verification = format!(
        "http://{address}/7?k=v&hub.topic=mine&hub.mode=subscribe&hub.topic=http://t.example/feed?a%3Db&hub.challenge=x"
    );
    assert_eq!(send("GET", &verification, &[], ""), (200, "x".into()));
}

#[test]
fn a_refusal_ends_it_without_a_farewell() {
    let hub = Server::start(|_| "403 Forbidden\n\nnot here".into());
    let done = crate::support::fanfare(&["listen", "--hub", &hub.url, TOPIC]);
    assert_eq!(done.code, Some(4));
    assert!(
        done.err.contains("refused: 403 Forbidden: not here"),
        "{}",
        done.err
    );
    assert_eq!(hub.requests().len(), 1);
}
