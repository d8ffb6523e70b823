//! The log of a hub that runs, made to tell more and less.

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, fanfare_with, send};

fn log(hub: &Hub, token: &str, args: &[&str]) -> Done {
    let env = [("FANFARE_URL", hub.url.as_str()), ("FANFARE_TOKEN", token)];
    fanfare_with(&[&["log"], args].concat(), &env, b"")
}

#[track_caller]
fn said(done: Done) -> String {
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.out
}

#[test]
fn the_log_tells_more_when_it_is_told_to_and_then_what_the_settings_say() {
    let mut hub = Hub::start();
    assert_eq!(said(log(&hub, TOKEN, &[])), "info\n");
    send("GET", &format!("{}livez?before", hub.url), &[], "");
    assert_eq!(said(log(&hub, TOKEN, &["debug"])), "debug\n");
    hub.log("the log level was changed");
    send("GET", &format!("{}livez", hub.url), &[], "");
    // Of requests it tells at debug only.
    let told = hub.log("http.path");
    assert!(
        told.contains("/livez") || told.contains("/api/v1/log"),
        "{told}"
    );
    assert_eq!(
        said(log(&hub, TOKEN, &["error", "--json"])),
        "{\"level\":\"error\"}\n"
    );
    assert_eq!(said(log(&hub, TOKEN, &["--reset"])), "info\n");
}

#[test]
fn what_is_no_level_and_who_is_no_administrator_is_refused() {
    let hub = Hub::start();
    let refused = log(&hub, TOKEN, &["debgu"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("did you mean \"debug\"?"),
        "{}",
        refused.err
    );
    let refused = log(&hub, "another-token-here", &["debug"]);
    assert_eq!(refused.code, Some(4), "{}", refused.err);
    let bearer = format!("Bearer {TOKEN}");
    let url = format!("{}api/v1/log", hub.url);
    for (body, status, words) in [
        (r#"{"level":"loud"}"#, 422, "is not a log level"),
        (r#"{"level":7}"#, 400, "is not a text"),
        ("{}", 400, "level is missing"),
        (r#"{"lvel":"info"}"#, 400, "did you mean level?"),
    ] {
        let (code, said) = send("PUT", &url, &[("Authorization", &bearer)], body);
        assert_eq!(code, status, "{said}");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(said(log(&hub, TOKEN, &[])), "info\n", "nothing has changed");
}
