//! `fanfare discover`.

use serde_json::{Value, json};

use crate::support::{Server, fanfare};

#[test]
fn says_where_each_link_stands_and_where_the_topic_was_found() {
    let server = Server::start(|request| {
        match request.line.as_str() {
        "GET /old" => "302 Found\nLocation: /feed".into(),
        _ => "200 OK\nContent-Type: application/atom+xml\nLink: <https://hub.example/>; rel=hub, <https://b.example/>; rel=hub\n\n\
              <feed xmlns='http://www.w3.org/2005/Atom'><link rel='self' href='https://blog.example/feed'/>\
              <link rel='hub' href='https://ignored.example/'/></feed>"
            .into(),
    }
    });
    let done = fanfare(&["discover", &server.at("old")]);
    assert_eq!(
        done.out,
        format!(
            "{0}old\n  found {0}feed  (redirected)\n  type  application/atom+xml\n  \
             self  https://blog.example/feed  (document)\n  hub   https://hub.example/  (Link header)\n  \
             hub   https://b.example/  (Link header)\n",
            server.url
        )
    );
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
}

#[test]
fn programs_get_the_links_as_json() {
    let server = Server::start(|_| {
        "200 OK\nContent-Type: text/html\nLink: <https://hub.example/>; rel=hub\n\n<link rel=self href=https://blog.example/>".into()
    });
    let found = |args: &[&str]| {
        let done = fanfare(&[&["discover", "--json"], args].concat());
        let json: Value = serde_json::from_str(&done.out).expect("JSON");
        (done.code, json)
    };
    let link = |url: &str, place: &str| json!({"url": url, "place": place});
    let expected = json!({
        "url": server.url,
        "content_type": "text/html",
        "self": link("https://blog.example/", "document"),
        "hubs": [link("https://hub.example/", "Link header")],
    });
    assert_eq!(found(&[&server.url]), (Some(0), expected));
    let silent = Server::start(|_| "200 OK".into());
    let (code, json) = found(&[&silent.url]);
    assert_eq!(
        (code, &json["hubs"], &json["self"]),
        (Some(1), &json!([]), &Value::Null)
    );
}

#[test]
fn a_topic_without_a_hub_ends_with_1_and_what_its_publisher_would_do() {
    let server = Server::start(|_| "200 OK\nContent-Type: text/plain\n\nhello".into());
    let done = fanfare(&["discover", &server.url]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.out
            .ends_with("  type  text/plain\n  self  none\n  hub   none\n"),
        "{}",
        done.out
    );
    assert!(
        done.err.contains("names no hub") && done.err.contains("rel=\"hub\""),
        "{}",
        done.err
    );
}

#[test]
fn what_cannot_be_fetched_is_said_without_letting_the_server_write_on_the_terminal() {
    let server = Server::start(|_| "410 Gone\n\nmoved \x1b[2Jaway".into());
    let done = fanfare(&["discover", &server.url]);
    assert_eq!(done.code, Some(3));
    assert_eq!(
        done.err,
        format!(
            "fanfare: {} cannot be fetched: 410 Gone: moved \u{fffd}[2Jaway\n",
            server.url
        )
    );
    let nobody = fanfare(&["discover", "http://127.0.0.1:1/feed"]);
    assert_eq!(nobody.code, Some(5));
    assert!(
        nobody
            .err
            .contains("no answer from http://127.0.0.1:1/feed: "),
        "{}",
        nobody.err
    );
    assert!(nobody.err.contains("refused"), "{}", nobody.err);
}

#[test]
fn a_wrong_url_is_a_wrong_command_line() {
    for (url, reason) in [
        ("blog.example/feed", "is not an absolute URL"),
        ("ftp://blog.example/", "has the scheme \"ftp\""),
        (
            "http://me:secret@blog.example/",
            "carries a user name or password",
        ),
    ] {
        let done = fanfare(&["discover", url]);
        assert_eq!(done.code, Some(2), "{url}");
        assert!(done.err.contains(reason), "{}", done.err);
    }
}
