//! The configuration as a user meets it: what is shipped, what each layer changes, what `fanfare check` prints.

mod properties;
mod refusals;
mod service;
mod sources;

use std::{path::Path, path::PathBuf, time::Duration};

use fanfare::{
    cli::check,
    config::{self, Config, ConfigError, Flags, Loaded, Origin},
    domain::signature::Method,
};

/// Loads a file with this text, and these variables.
fn load(toml: &str, env: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, toml).unwrap();
    let env = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    config::load(Some(&file), env, Flags::default())
}

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn the_shipped_file_holds_every_key_and_equals_the_defaults() {
    let shipped = config::load(
        Some(&repository("config.toml")),
        std::iter::empty(),
        Flags::default(),
    )
    .unwrap();
    assert_eq!(shipped.config, Config::default());
    let missing: Vec<_> = shipped
        .origins
        .iter()
        .filter(|(_, origin)| **origin == Origin::Default)
        .collect();
    assert!(missing.is_empty(), "config.toml does not name {missing:?}");
}

#[test]
fn every_value_of_the_shipped_file_has_a_comment_above_it() {
    let text = std::fs::read_to_string(repository("config.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].contains(" = ") && !pair[1].starts_with('#') {
            assert!(pair[0].starts_with("# "), "no comment above `{}`", pair[1]);
        }
    }
}

#[test]
fn the_page_of_settings_names_every_key_with_its_default() {
    let page = std::fs::read_to_string(repository("docs/settings.md")).unwrap();
    let loaded = load("[[source]]\nname = \"social\"", &[]).unwrap();
    let settings = [loaded.settings(), loaded.sources().concat()].concat();
    for setting in &settings {
        let row = format!("| `{}` | ", setting.key);
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("docs/settings.md has no row for {}", setting.key));
        assert!(
            setting.origin != Origin::Default || row.contains(&format!("| `{}` |", setting.value)),
            "another default: {row}"
        );
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(
        rows,
        settings.len(),
        "docs/settings.md names keys that do not exist"
    );
}

#[test]
fn a_later_layer_wins_and_each_value_knows_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(
        &file,
        "listen = \"127.0.0.1:1\"\n\n[delivery]\ntimeout = \"1s\"\nconcurrency = 64\n",
    )
    .unwrap();
    let env = [
        ("FANFARE_LISTEN", "127.0.0.1:2"),
        ("FANFARE_DELIVERY__TIMEOUT", "2s"),
        ("PATH", "/bin"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags = Flags {
        listen: Some("127.0.0.1:3".into()),
        data_dir: None,
    };
    let loaded = config::load(Some(&file), env.into_iter(), flags).unwrap();

    assert_eq!(loaded.config.listen.port(), 3);
    assert_eq!(loaded.origins["listen"], Origin::Flag("--listen"));
    assert_eq!(loaded.config.delivery.timeout, Duration::from_secs(2));
    assert_eq!(
        loaded.origins["delivery.timeout"],
        Origin::Env("FANFARE_DELIVERY__TIMEOUT".into())
    );
    assert_eq!(loaded.config.delivery.concurrency, 64);
    assert_eq!(
        loaded.origins["delivery.concurrency"],
        Origin::File {
            path: file,
            line: 5
        }
    );
    assert_eq!(loaded.origins["delivery.retry"], Origin::Default);
}

#[test]
fn the_environment_writes_every_type() {
    let loaded = load(
        "",
        &[
            ("FANFARE_DELIVERY__RETRY", "1s,2s, 1h30m"),
            ("FANFARE_NETWORK__CALLBACKS_ALLOW", "127.0.0.0/8,::1"),
            ("FANFARE_SUBSCRIPTIONS__SIGNATURE", "sha512"),
            ("FANFARE_SUBSCRIPTIONS__AUTO_REFRESH", "true"),
            ("FANFARE_SUBSCRIPTIONS__TOPIC_HOSTS", ""),
            ("FANFARE_LIMITS__REQUESTS_PER_CLIENT", "0"),
            ("FANFARE_LIMITS__FORM_BODY", "1MiB"),
            ("FANFARE_HOOKS__BRAND", "GitHub"),
            ("FANFARE_HOOKS__DISABLE_AFTER", "0s"),
            ("FANFARE_HOOKS__DELIVERIES_PER_HOOK", "50"),
            ("FANFARE_PUBLIC_URL", "https://hub.example.org/fan"),
            ("FANFARE_AUTH__ADMIN_TOKEN", "0123456789abcdef"),
            ("FANFARE_URL", "anything"),
            ("FANFARE_TOKEN", "anything"),
        ],
    );
    let config = loaded.unwrap().config;
    assert_eq!(
        config.delivery.retry,
        [1, 2, 5_400].map(Duration::from_secs)
    );
    let allowed: Vec<_> = config
        .network
        .callbacks_allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(allowed, ["127.0.0.0/8", "::1/128"]);
    assert_eq!(config.subscriptions.signature, Method::Sha512);
    assert!(config.subscriptions.auto_refresh);
    assert!(config.subscriptions.topic_hosts.is_empty());
    assert_eq!(config.limits.requests_per_client, 0);
    assert_eq!(config.limits.form_body, 1 << 20);
    assert_eq!(config.hooks.brand.as_str(), "GitHub");
    assert_eq!(config.hooks.disable_after, Duration::ZERO);
    assert_eq!(config.hooks.deliveries_per_hook, 50);
    assert_eq!(
        config.public_url(config.listen).as_str(),
        "https://hub.example.org/fan/"
    );
    assert_eq!(
        config.auth.admin_token.unwrap().expose(),
        "0123456789abcdef"
    );
}

#[test]
fn without_a_name_the_file_of_the_working_directory_is_read() {
    // Cargo runs tests in the repository's folder, where the shipped file is.
    let loaded = config::load(None, std::iter::empty(), Flags::default()).unwrap();
    let Origin::File { path, .. } = &loaded.origins["listen"] else {
        panic!("{:?}", loaded.origins["listen"]);
    };
    assert_eq!(path, Path::new("config.toml"));
}

#[test]
fn only_a_loopback_hub_is_loopback_only() {
    let loopback_only = |toml| load(toml, &[]).unwrap().config.loopback_only();
    assert!(loopback_only(""));
    assert!(loopback_only(
        "listen = \"[::1]:80\"\npublic_url = \"http://localhost/\""
    ));
    assert!(!loopback_only("public_url = \"https://hub.example.org/\""));
    assert!(!loopback_only("listen = \"10.0.0.1:8080\""));
    assert!(!loopback_only(
        "listen = \"0.0.0.0:8080\"\npublic_url = \"http://127.0.0.1/\""
    ));
}

#[test]
fn check_prints_each_setting_with_its_origin() {
    let printed = check::render(
        &load(
            "\n\ndelivery.timeout = \"5s\"",
            &[("FANFARE_LOG__LEVEL", "warn")],
        )
        .unwrap(),
    );
    let line = |key: &str| printed.lines().find(|line| line.starts_with(key)).unwrap();
    assert!(line("delivery.timeout = \"5s\" ").ends_with("config.toml:3"));
    assert!(line("log.level = \"warn\" ").ends_with("# FANFARE_LOG__LEVEL"));
    assert!(line("subscriptions.default_lease = \"10d\" ").ends_with("# default"));
    assert!(line("public_url = \"\" ").ends_with("# default: http://127.0.0.1:8080/"));
}
