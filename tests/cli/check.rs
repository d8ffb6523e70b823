//! `fanfare check`, in the two ways that it prints.

use std::str::FromStr as _;

use serde_json::{Value, json};

use crate::support::fanfare_with;

const ENV: &[(&str, &str)] = &[
    ("FANFARE_DELIVERY__TIMEOUT", "5s"),
    ("FANFARE_AUTH__ADMIN_TOKEN", "not-to-be-seen-by-anybody"),
];

#[test]
fn people_read_a_config_toml_with_the_origin_of_each_setting() {
    let done = fanfare_with(&["check", "--listen", "127.0.0.1:9999"], ENV, b"");
    assert_eq!(done.code, Some(0), "{}", done.err);
    for line in [
        "listen = \"127.0.0.1:9999\" # --listen",
        "delivery.timeout = \"5s\" # FANFARE_DELIVERY__TIMEOUT",
        "delivery.concurrency = 2048 # default",
    ] {
        let is_there = |printed: &str| printed.split_whitespace().eq(line.split_whitespace());
        assert!(done.out.lines().any(is_there), "{line}: {}", done.out);
    }
    assert!(!done.out.contains("not-to-be-seen-by-anybody"));
    toml_edit::DocumentMut::from_str(&done.out).expect("TOML");
}

#[test]
fn programs_get_keys_values_and_origins_as_json() {
    let done = fanfare_with(&["check", "--json"], ENV, b"");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let said: Value = serde_json::from_str(&done.out).expect("JSON");
    let settings = said["settings"].as_array().expect("a list");
    let setting = |key: &str| settings.iter().find(|it| it["key"] == key);
    for (key, value, origin) in [
        ("delivery.timeout", json!("5s"), "FANFARE_DELIVERY__TIMEOUT"),
        ("delivery.concurrency", json!(2048), "default"),
        ("network.callbacks_allow", json!([]), "default"),
    ] {
        let expected = json!({"key": key, "value": value, "origin": origin});
        assert_eq!(setting(key), Some(&expected));
    }
    assert_eq!(said["sources"], json!([]));
    assert!(!done.out.contains("not-to-be-seen-by-anybody"));
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_nothing_is_printed() {
    let done = fanfare_with(
        &["check", "--json"],
        &[("FANFARE_DELIVERY__TIMEOUT", "5")],
        b"",
    );
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(
        done.err.contains("FANFARE_DELIVERY__TIMEOUT: "),
        "{}",
        done.err
    );
}
