//! What is refused, and in which words: each line names the place, the key, the value and what would be right.

use std::path::Path;

use fanfare::{
    cli::check,
    config::{self, Flags},
};

use super::load;

/// The lines of the refusal, without the folder of the file.
pub fn refusals(toml: &str, env: &[(&str, &str)]) -> Vec<String> {
    let message = load(toml, env).unwrap_err().to_string();
    let lines = message.lines().map(|line| match line.find("config.toml:") {
        Some(start) if line.starts_with('/') => line[start..].to_owned(),
        _ => line.to_owned(),
    });
    lines.collect()
}

#[test]
fn what_is_not_a_setting_is_refused_and_the_nearest_is_named() {
    let toml = "lisen = \"127.0.0.1:1\"\n[delivery]\nretri = []\nmax_body = \"1B\"\n[fetsh]\n[log.level]\n[qwertyuiop]\n[[store]]\n";
    assert_eq!(
        refusals(
            toml,
            &[
                ("FANFARE_DELIVERY__TIMEOT", "1s"),
                ("FANFARE_LISTEN_", "x"),
                ("FANFARE_FETSH__RETRY", "x"),
                ("FANFARE_QQQ", "x")
            ]
        ),
        [
            "config.toml:1: lisen is not a setting; did you mean listen?",
            "config.toml:3: delivery.retri is not a setting; did you mean delivery.retry?",
            "config.toml:4: delivery.max_body is not a setting; did you mean fetch.max_body?",
            "config.toml:5: [fetsh] is not a section; did you mean [fetch]?",
            "config.toml:6: log.level is a setting, not a section; write log.level = ...",
            "config.toml:7: [qwertyuiop] is not a section; `fanfare check` prints all settings",
            "config.toml:8: store is a section; write [store] once and its settings below it",
            "FANFARE_DELIVERY__TIMEOT: this variable is not a setting; did you mean FANFARE_DELIVERY__TIMEOUT?",
            "FANFARE_LISTEN_: this variable is not a setting; did you mean FANFARE_LISTEN?",
            "FANFARE_FETSH__RETRY: this variable is not a setting; did you mean FANFARE_FETCH__RETRY?",
            "FANFARE_QQQ: this variable is not a setting; `fanfare check` prints all settings",
        ]
    );
}

#[test]
fn a_quoted_dot_is_part_of_a_name() {
    let refused = refusals("\"delivery.timeout\" = \"1s\"", &[]);
    assert_eq!(
        refused,
        ["config.toml:1: \"delivery.timeout\" is not a setting; did you mean delivery.timeout?"]
    );
}

#[test]
fn a_wrong_value_is_refused_with_what_would_be_right() {
    let cases = [
        (
            "delivery.timeout = 10",
            "10 is not a text in quotes, such as \"10s\"",
        ),
        (
            "delivery.timeout = \"10\"",
            "\"10\" is not a duration; write a number and a unit, such as 10s or 5m",
        ),
        (
            "delivery.retry = [1]",
            "[1] is not a list of texts in quotes, such as [\"10s\", \"1m\", \"5m\", \"15m\", \"1h\", \"3h\"]",
        ),
        (
            "delivery.retry = [\"1s\", \"soon\"]",
            "\"soon\" is not a duration; write a number and a unit, such as 10s or 5m",
        ),
        (
            "subscriptions.max_lease = \"11y\"",
            "\"11y\" is too long; the longest duration is 10y",
        ),
        (
            "delivery.concurrency = -1",
            "-1 is not a whole number from 0 to 4294967295, such as 2048",
        ),
        (
            "delivery.concurrency = \"2048\"",
            "\"2048\" is not a whole number from 0 to 4294967295, such as 2048",
        ),
        ("compat.sync_verify = 1", "1 is not true or false"),
        (
            "fetch.max_body = \"10 MB\"",
            "\"10 MB\" is not a size; write a whole number and B, KiB, MiB or GiB, such as 64KiB or 10MiB",
        ),
        (
            "listen = \"localhost\"",
            "\"localhost\" is not an address to listen on; write an IP address and a port, such as 127.0.0.1:8080",
        ),
        (
            "public_url = \"hub.example.org\"",
            "\"hub.example.org\" is not a URL (relative URL without a base); write for example \"https://hub.example.org/\"",
        ),
        (
            "network.topics_allow = [\"10.0.0.0/33\"]",
            "\"10.0.0.0/33\" is not a network; write an address or a CIDR, such as 10.0.0.0/8 or ::1",
        ),
        (
            "subscriptions.signature = \"sha265\"",
            "\"sha265\" is not a choice; the choices are: sha1, sha256, sha384, sha512; did you mean \"sha256\"?",
        ),
        (
            "hooks.brand = \"Social Gateway\"",
            "\"Social Gateway\" is not a brand; write 1 to 40 letters and digits, such as SocialGateway or GitHub",
        ),
        (
            "hooks.brand = \"FANFARE\"",
            "\"FANFARE\" cannot be the brand, since the hub has headers of that name; write another, such as SocialGateway or GitHub",
        ),
        (
            "store.engine = \"postgres\"",
            "\"postgres\" is not a choice; the choices are: sled",
        ),
        (
            "log.format = \"jsn\"",
            "\"jsn\" is not a choice; the choices are: text, json; did you mean \"json\"?",
        ),
        (
            "log.level = \"inof\"",
            "\"inof\" is not a log level; the levels are: off, error, warn, info, debug, trace; did you mean \"info\"?",
        ),
        (
            "subscriptions.topic_hosts = [\"*\"]",
            "\"*\" is not a host; write a host, such as example.org or *.example.org",
        ),
    ];
    for (assignment, sentence) in cases {
        let key = assignment.split(' ').next().unwrap();
        assert_eq!(
            refusals(&format!("\n{assignment}"), &[]),
            [format!("config.toml:2: {key}: {sentence}")]
        );
    }
    assert_eq!(
        refusals(
            "",
            &[
                ("FANFARE_DELIVERY__TIMEOUT", "10 parsecs"),
                ("FANFARE_DELIVERY__CONCURRENCY", "many")
            ]
        ),
        [
            "FANFARE_DELIVERY__TIMEOUT: \"10 parsecs\" is not a duration; write a number and a unit, such as 10s or 5m",
            "FANFARE_DELIVERY__CONCURRENCY: \"many\" is not a whole number from 0 to 4294967295, such as 2048",
        ]
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let refused = refusals("listen = \"127.0.0.1:1\"\n[delivery\n", &[]);
    assert!(
        refused[0].starts_with("config.toml:2: this is not TOML: "),
        "{refused:?}"
    );
    let refused = refusals("[log]\nlevel = \"info\"\nlevel = \"warn\"\n", &[]);
    assert!(
        refused[0].starts_with("config.toml:3: this is not TOML: duplicate key"),
        "{refused:?}"
    );
}

#[test]
fn contradictions_name_both_keys_and_both_places() {
    let cases = [
        (
            "subscriptions.min_lease = \"20d\"",
            "subscriptions.min_lease = \"20d\" is more than subscriptions.default_lease = \"10d\" (default); lower the one or raise the other",
        ),
        (
            "subscriptions.default_lease = \"1m\"",
            "subscriptions.default_lease = \"1m\" is less than subscriptions.min_lease = \"5m\" (default); raise the one or lower the other",
        ),
        (
            "subscriptions.max_lease = \"1d\"",
            "subscriptions.max_lease = \"1d\" is less than subscriptions.default_lease = \"10d\" (default); raise the one or lower the other",
        ),
        (
            "delivery.concurrency = 8",
            "delivery.concurrency = 8 is less than delivery.per_origin = 32 (default); raise the one or lower the other",
        ),
        (
            "retention.publications = \"1d\"",
            "retention.publications = \"1d\" is less than delivery.give_up_after = \"3d\" (default); raise the one or lower the other",
        ),
        (
            "hooks.remember_keys = \"8d\"",
            "hooks.remember_keys = \"8d\" is more than retention.publications = \"7d\" (default); lower the one or raise the other",
        ),
    ];
    for (assignment, sentence) in cases {
        assert_eq!(
            refusals(assignment, &[]),
            [format!("config.toml:1: {sentence}")]
        );
    }
    let refused = refusals(
        "delivery.concurrency = 8\ndelivery.per_origin = 4",
        &[("FANFARE_DELIVERY__PER_ORIGIN", "9")],
    );
    assert!(
        refused[0]
            .starts_with("FANFARE_DELIVERY__PER_ORIGIN: delivery.per_origin = 9 is more than"),
        "{refused:?}"
    );
    assert!(refused[0].contains("config.toml:1)"), "{refused:?}");
}

#[test]
fn values_that_cannot_work_are_refused() {
    let cases = [
        (
            "subscriptions.min_lease = \"0s\"",
            "is too small; the least is 1s",
        ),
        (
            "subscriptions.verify_timeout = \"0s\"",
            "is too small; the least is 1ms",
        ),
        (
            "delivery.timeout = \"0s\"",
            "is too small; the least is 1ms",
        ),
        ("delivery.per_origin = 0", "is too small; the least is 1"),
        ("fetch.concurrency = 0", "is too small; the least is 1"),
        ("limits.form_body = \"0B\"", "is too small; the least is 1B"),
        (
            "limits.event_body = \"0B\"",
            "is too small; the least is 1B",
        ),
        (
            "limits.events_per_request = 0",
            "is too small; the least is 1",
        ),
        (
            "hooks.deliveries_per_hook = 0",
            "is too small; the least is 1",
        ),
        (
            "hooks.keep_deliveries = \"0s\"",
            "is too small; the least is 1ms",
        ),
        ("delivery.retry = []", "has no step"),
        ("fetch.retry = [\"0s\"]", "has a step that is too short"),
        (
            "network.ca_file = \"/nowhere/roots.pem\"",
            "is not a file that is there",
        ),
        ("data_dir = \"\"", "is empty"),
    ];
    for (assignment, reason) in cases {
        let refused = refusals(assignment, &[]);
        assert!(
            refused[0].starts_with(&format!("config.toml:1: {assignment} {reason}")),
            "{refused:?}"
        );
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
}

#[test]
fn an_address_that_nobody_can_be_told_needs_a_public_url() {
    for address in ["0.0.0.0:8080", "[::]:8080"] {
        let listen = format!("listen = {address:?}");
        assert_eq!(
            refusals(&listen, &[]),
            [format!(
                "config.toml:1: {listen} is every address of this machine, and subscribers would be told http://{address}/; \
                 set public_url (in the environment FANFARE_PUBLIC_URL) to the URL under which they reach the hub, such as \
                 \"https://hub.example.org/\""
            )]
        );
        let named = [("FANFARE_PUBLIC_URL", "http://192.168.1.5:8080/")];
        assert!(load(&listen, &named).is_ok());
    }
    for reached in ["127.0.0.1:8080", "192.168.1.5:8080"] {
        assert!(load("", &[("FANFARE_LISTEN", reached)]).is_ok());
    }
}

#[test]
fn secrets_are_printed_nowhere() {
    let secrets = ["hunter2hunter2hunter2", "publisher-publisher-1"];
    let toml = format!(
        "[auth]\nadmin_token = {:?}\npublisher_tokens = [{:?}]",
        secrets[0], secrets[1]
    );
    let loaded = load(&toml, &[]).unwrap();
    let printed = check::render(&loaded);
    assert!(
        printed.contains("auth.admin_token = \"********\""),
        "{printed}"
    );
    assert!(
        printed.contains("auth.publisher_tokens = [\"********\"]"),
        "{printed}"
    );
    for secret in secrets {
        assert!(!printed.contains(secret));
        assert!(!format!("{loaded:?}").contains(secret));
    }
    for refused in [
        refusals("[auth]\nadmin_token = \"hunter2\"", &[]),
        refusals("[auth]\npublisher_tokens = \"hunter2\"", &[]),
        refusals("[auth]\nadmin_token = [\"hunter2\"]", &[]),
        refusals("[auth]\nadmin_token = { hunter2 = 1 }", &[]),
    ] {
        let secret = refused.iter().any(|line| line.contains("\"hunter2\""));
        assert!(
            !secret && refused[0].starts_with("config.toml:2: auth."),
            "{refused:?}"
        );
    }
}

#[test]
fn a_named_file_must_exist() {
    let missing = Path::new("/nowhere/fanfare.toml");
    let error = config::load(Some(missing), std::iter::empty(), Flags::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/fanfare.toml: cannot be read: No such file"),
        "{error}"
    );
}
