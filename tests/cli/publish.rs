//! `fanfare publish`.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Server, fanfare, fanfare_with};

/// A hub whose receipts are these, one after the other; the last one stays.
fn hub_with_receipts(receipts: &'static [&'static str]) -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request| match request.line.as_str() {
        "GET /receipts/1" => {
            let at = asked
                .fetch_add(1, Ordering::Relaxed)
                .min(receipts.len() - 1);
            format!("200 OK\nContent-Type: application/json\n\n{}", receipts[at])
        }
        _ => "204 No Content\nLocation: /receipts/1".into(),
    })
}

#[test]
fn each_hub_is_told_once_of_all_its_topics() {
    let hubs = [0, 1].map(|_| Server::start(|_| "204 No Content".into()));
    let links = [0, 1].map(|at: usize| hubs[at].url.clone());
    let site = Server::start(move |request| {
        let [one, two] = &links;
        match request.line.as_str() {
            "GET /both" => format!("200 OK\nLink: <{one}>; rel=hub, <{two}>; rel=hub"),
            _ => format!("200 OK\nLink: <{one}>; rel=hub"),
        }
    });
    let (both, single) = (site.at("both"), site.at("one"));
    let done = fanfare(&["publish", &both, &single]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(
        done.out,
        format!(
            "{} accepted it (204).\n{} accepted it (204).\n",
            hubs[0].url, hubs[1].url
        )
    );
    let body = |hub: &Server| {
        let requests = hub.requests();
        assert_eq!(requests.len(), 1);
        let pairs = url::form_urlencoded::parse(requests[0].body.as_bytes());
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    let named = |topic: &str| format!("hub.url={topic}");
    assert_eq!(
        body(&hubs[0]),
        ["hub.mode=publish".to_owned(), named(&both), named(&single)]
    );
    assert_eq!(
        body(&hubs[1]),
        ["hub.mode=publish".to_owned(), named(&both)]
    );
}

#[test]
fn programs_get_a_line_of_json_for_each_hub() {
    let hub = hub_with_receipts(&[
        r#"{"id":"1","topic":"http://t.example/","state":"complete","targets":2,"delivered":1,"given_up":1}"#,
    ]);
    let ask = |more: &[&str]| {
        let args = ["publish", "--hub", &hub.url, "http://t.example/", "--json"];
        let done = fanfare(&[&args, more].concat());
        let json: Value = serde_json::from_str(&done.out).expect("one line of JSON");
        (done.code, json)
    };
    let receipt = format!("{}receipts/1", hub.url);
    let mut expected = json!({"hub": hub.url, "status": 204, "receipt": receipt, "receipts": null});
    assert_eq!(ask(&[]), (Some(0), expected.clone()));
    expected["receipts"] = json!([{
        "topic": "http://t.example/", "state": "complete", "targets": 2, "delivered": 1,
        "in_backlog": 0, "given_up": 1, "gone": 0,
    }]);
    assert_eq!(ask(&["--wait"]), (Some(1), expected), "one has not got it");
    let plain = Server::start(|_| "204 No Content".into());
    let args = [
        "publish",
        "--hub",
        &plain.url,
        "http://t.example/",
        "--json",
    ];
    let said: Value = serde_json::from_str(&fanfare(&args).out).expect("JSON");
    assert_eq!(said["receipt"], Value::Null);
}

#[test]
fn content_goes_out_as_it_is_with_its_type_topic_and_token() {
    let hub = Server::start(|_| "202 Accepted\nLocation: /receipts/1".into());
    let args = [
        "publish",
        "--hub",
        &hub.url,
        "--content",
        "-",
        "--type",
        "text/x; charset=UTF-8",
        "http://t.example/",
    ];
    let done = fanfare_with(&args, &[("FANFARE_TOKEN", "letmein")], b" news\r\n");
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(
        done.out,
        format!(
            "{0}publish accepted it (202).\nreceipt: {0}receipts/1\n",
            hub.url
        )
    );
    let request = &hub.requests()[0];
    assert_eq!(
        (request.line.as_str(), request.body.as_str()),
        ("POST /publish", " news\r\n")
    );
    for header in [
        "content-type: text/x; charset=utf-8",
        "link: <http://t.example/>; rel=\"self\"",
        "authorization: bearer letmein",
    ] {
        assert!(
            request.head.contains(&format!("\r\n{header}\r\n")),
            "{}",
            request.head
        );
    }
}

#[test]
fn a_missing_token_is_asked_for() {
    let hub = Server::start(|_| "401 Unauthorized\n\nno".into());
    let done = fanfare(&[
        "publish",
        "--hub",
        &hub.url,
        "--content",
        "-",
        "--type",
        "a/b",
        "http://t.example/",
    ]);
    assert_eq!(done.code, Some(4));
    assert!(
        done.err
            .contains("give one with --token or in FANFARE_TOKEN"),
        "{}",
        done.err
    );
}

#[test]
fn waits_until_everybody_has_got_it() {
    let hub = hub_with_receipts(&[
        r#"{"topic":"http://t.example/","state":"fetching"}"#,
        r#"{"topic":"http://t.example/","state":"retrying","targets":3,"delivered":1,"in_backlog":2}"#,
        r#"{"topic":"http://t.example/","state":"complete","targets":3,"delivered":2,"in_backlog":0,"given_up":0,"gone":1,"more":1}"#,
    ]);
    let done = fanfare(&["publish", "--hub", &hub.url, "--wait", "http://t.example/"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out
            .ends_with("\nhttp://t.example/: complete; 2 of 3 delivered, 1 gone\n"),
        "{}",
        done.out
    );
    assert_eq!(hub.requests().len(), 4);
}

#[test]
fn waiting_ends_with_1_unless_everybody_has_got_it() {
    for (receipt, wait, out, err) in [
        (
            r#"{"topic":"http://t.example/","state":"failed","reason":"status 500"}"#,
            "--wait",
            "http://t.example/: failed: status 500\n",
            "not every subscriber",
        ),
        (
            r#"{"topic":"http://t.example/","state":"complete","targets":2,"delivered":1,"given_up":1}"#,
            "--wait",
            "complete; 1 of 2 delivered, 1 given up\n",
            "not every subscriber",
        ),
        (
            r#"{"receipts":[{"topic":"http://t.example/","state":"unheard"},{"topic":"http://u.example/","state":"retrying","targets":2,"in_backlog":2}]}"#,
            "--wait=50ms",
            "nobody subscribes, so nothing was sent\nhttp://u.example/: retrying; 0 of 2 delivered, 2 waiting for another try\n",
            "after 50ms; the hub goes on trying",
        ),
        (r#"[]"#, "--wait", "", "is not a receipt of a Fanfare hub"),
    ] {
        let receipts: &[&str] = Box::leak(Box::new([receipt]));
        let hub = hub_with_receipts(receipts);
        let done = fanfare(&["publish", "--hub", &hub.url, wait, "http://t.example/"]);
        assert_eq!(done.code, Some(1), "{receipt}");
        assert!(done.out.ends_with(out), "{}", done.out);
        assert!(done.err.contains(err), "{}", done.err);
    }
    let other = Server::start(|_| "204 No Content".into());
    let done = fanfare(&[
        "publish",
        "--hub",
        &other.url,
        "--wait",
        "http://t.example/",
    ]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("gives no receipt to wait for"),
        "{}",
        done.err
    );
}

#[test]
fn refusals_are_repeated_and_misuse_is_explained() {
    let hub = Server::start(|_| "400 Bad Request\n\nhub.url is too long".into());
    let done = fanfare(&["publish", "--hub", &hub.url, "http://t.example/"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("refused: 400 Bad Request: hub.url is too long"),
        "{}",
        done.err
    );
    for (args, reason) in [
        (&["publish"][..], "TOPIC"),
        (
            &["publish", "--content", "-", "http://t.example/"],
            "--type",
        ),
        (
            &["publish", "--type", "a/b", "http://t.example/"],
            "--content",
        ),
        (
            &[
                "publish",
                "--content",
                "-",
                "--type",
                "text",
                "http://t.example/",
            ],
            "written like text/html",
        ),
        (
            &["publish", "--wait=soon", "http://t.example/"],
            "is not a duration",
        ),
        (
            &["publish", "--wait", "5s", "http://t.example/"],
            "write --wait=5s",
        ),
        (&["publish", "--wait", "5s"], "write --wait=5s"),
    ] {
        let done = fanfare(args);
        assert_eq!(done.code, Some(2), "{args:?}");
        assert!(done.err.contains(reason), "{}", done.err);
    }
}
