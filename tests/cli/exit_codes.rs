//! The exit codes of docs/cli.md: each with the verbs of every kind that end with it, and what they say.

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Server, fanfare, fanfare_with};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1/";
const ID: &str = "01a204cd-5d6f-72c9-9a59-e8591bfc4a95";
const SUBSCRIPTION: &str = "767352e50be5a133a854fc43270458bc3af69ce71ce32cb41263945fd5b653cf";

/// What asks the hub at `FANFARE_URL`, and needs a token.
const ASKING: [&str; 11] = [
    "topics list",
    "subscriptions list",
    "sources list",
    "sources add blog",
    "hooks list",
    "hooks add blog http://127.0.0.1:9/ --event *",
    "hooks preview blog http://127.0.0.1:9/ --event *",
    "tokens list",
    "tokens add reader --role reader --source *",
    "log",
    "inspect --count 1",
];

/// What names something that no hub has.
fn naming() -> Vec<String> {
    let hooks = [
        "show", "edit", "enable", "disable", "rotate", "ping", "remove",
    ];
    let hooks = hooks.map(|verb| format!("hooks {verb} 17"));
    let subscriptions = ["show", "deny", "remove"];
    let subscriptions = subscriptions.map(|verb| format!("subscriptions {verb} {SUBSCRIPTION}"));
    let others = [
        "topics show http://nobody.example/".to_owned(),
        "sources remove nobody".to_owned(),
        "events raise nobody post.published".to_owned(),
        "deliveries list 17".to_owned(),
        "deliveries show 17 1".to_owned(),
        "deliveries redeliver 17 1".to_owned(),
        "replay 17 --since 1h".to_owned(),
        "replays list 17".to_owned(),
        format!("replays stop {ID}"),
        format!("tokens remove {ID}"),
    ];
    hooks
        .into_iter()
        .chain(subscriptions)
        .chain(others)
        .collect()
}

fn run(url: &str, token: Option<&str>, verb: &str) -> Done {
    let args: Vec<&str> = verb.split_whitespace().collect();
    let mut env = vec![("FANFARE_URL", url)];
    env.extend(token.map(|token| ("FANFARE_TOKEN", token)));
    fanfare_with(&args, &env, b"{}")
}

/// What ended otherwise than it should, or without the words that it should say.
fn unlike(done: &Done, code: i32, words: &str, verb: &str) -> Option<String> {
    let is_so = done.code == Some(code) && done.out.is_empty() && done.err.contains(words);
    (!is_so).then(|| format!("fanfare {verb} does not end with {code}, {words:?}: {done:?}\n"))
}

#[track_caller]
fn nothing(wrong: impl IntoIterator<Item = Option<String>>) {
    let wrong: String = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn nobody_answers_is_5() {
    let verbs = ASKING.map(str::to_owned).into_iter().chain(naming());
    let erased = ["erase source blog --yes", "backup --output - --json"].map(str::to_owned);
    let any = ["publish", "topics ping", "discover"].map(|verb| format!("{verb} {NOWHERE}feed"));
    let subscribing = ["subscribe", "unsubscribe"]
        .map(|verb| format!("{verb} http://t.example/ http://c.example/ --hub {NOWHERE}"));
    let all = verbs.chain(erased).chain(any).chain(subscribing);
    nothing(all.map(|verb| {
        let done = run(NOWHERE, Some(TOKEN), &verb);
        unlike(
            &done,
            5,
            "fanfare: no answer from http://127.0.0.1:1/",
            &verb,
        )
    }));
}

#[test]
fn a_token_that_is_wrong_or_missing_is_4() {
    let hub = Hub::start();
    let declared = run(&hub.url, Some(TOKEN), "sources add blog");
    assert_eq!(declared.code, Some(0), "{}", declared.err);
    let verbs = ASKING.map(str::to_owned).into_iter().chain(naming());
    // Whether there is a source is no secret.
    let verbs = verbs.filter(|verb| !verb.starts_with("events"));
    let more = [
        "events raise blog post.published",
        "erase source blog --yes",
        "backup --output - --json",
    ];
    let verbs: Vec<_> = verbs.chain(more.map(str::to_owned)).collect();
    nothing(verbs.iter().map(|verb| {
        let done = run(&hub.url, Some("wrong"), verb);
        unlike(
            &done,
            4,
            " refused: 403 Forbidden: the hub does not know this token",
            verb,
        )
    }));
    nothing(verbs.iter().map(|verb| {
        let words = "wants a token; give one with --token or in FANFARE_TOKEN";
        unlike(&run(&hub.url, None, verb), 4, words, verb)
    }));
}

#[test]
fn what_is_not_there_is_3() {
    let hub = Hub::start();
    nothing(naming().iter().map(|verb| {
        let done = run(&hub.url, Some(TOKEN), verb);
        unlike(&done, 3, "fanfare: ", verb)
    }));
    let folder = ["export", "backup --output -"].map(|verb| format!("{verb} --data-dir ./none"));
    nothing(folder.iter().map(|verb| {
        let done = run(&hub.url, None, verb);
        unlike(&done, 3, "there is no data folder ./none", verb)
    }));
    let elsewhere = Server::start(|_| "404 Not Found\n\nno hub here".into());
    nothing(["discover", "publish"].map(|verb| {
        let verb = format!("{verb} {}feed", elsewhere.url);
        unlike(&run(&elsewhere.url, None, &verb), 3, "404 Not Found", &verb)
    }));
}

#[test]
fn a_command_line_that_is_wrong_is_2() {
    nothing(
        [
            ("", "Usage: fanfare"),
            ("dance", "unrecognized subcommand 'dance'"),
            ("hooks dance", "unrecognized subcommand 'dance'"),
            ("hooks show three", "invalid value 'three'"),
            ("hooks show", "required arguments were not provided"),
            ("topics list --limit 0", "invalid value '0'"),
            ("topics list --colour", "unexpected argument '--colour'"),
            (
                "topics list --url hub",
                "invalid value 'hub' for '--url <URL>'",
            ),
            ("replay 3", "--since <TIME>"),
            ("subscriptions show 17", "64 hexadecimal digits"),
            (
                "erase source blog",
                "Say --yes if that is meant; nothing was erased",
            ),
            ("publish a.example/feed", "invalid value 'a.example/feed'"),
            ("bench --subscribers 0", "invalid value '0'"),
            ("completions csh", "bash, elvish, fish"),
            ("man hooks dance", "there is no verb \"hooks dance\""),
            ("log loud", "invalid value 'loud'"),
        ]
        .map(|(verb, words)| unlike(&run(NOWHERE, None, verb), 2, words, verb)),
    );
}

#[test]
fn what_is_refused_or_fails_is_1() {
    let hub = Hub::start();
    nothing(
        [
            (
                "hooks add fanfare http://127.0.0.1:9/ --event no.such",
                "422 Unprocessable Entity",
            ),
            (
                "tokens add x --role reader --source * --expires-in soon",
                "is not a duration",
            ),
            ("import ./none --data-dir ./data", "cannot read ./none"),
            ("restore ./none --data-dir ./data", "cannot read ./none"),
            ("check --config ./none", "./none"),
        ]
        .map(|(verb, words)| unlike(&run(&hub.url, Some(TOKEN), verb), 1, words, verb)),
    );
    let page = Server::start(|_| "200 OK\nContent-Type: text/html\n\n<p>Hello".into());
    let verb = "hooks show 3";
    let done = run(&page.url, None, verb);
    nothing([unlike(
        &done,
        1,
        "does not answer as a Fanfare hub does",
        verb,
    )]);
}

#[test]
fn what_is_done_is_0() {
    let hub = Hub::start();
    for verb in [
        "topics list",
        "log",
        "sources add blog",
        "--help",
        "--version",
        "check",
    ] {
        let done = run(&hub.url, Some(TOKEN), verb);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{verb}");
    }
    assert_eq!(fanfare(&["hooks", "--help"]).code, Some(0));
}
