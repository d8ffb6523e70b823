//! The unit for systemd in `docs/`: what it says to the hub, the hub understands.

use std::{collections::BTreeSet, process::Command, time::Duration};

use fanfare::config::{self, Config, Flags};

use super::repository;

/// The values of a key of the unit, in their order.
fn values(key: &str) -> Vec<String> {
    let unit = std::fs::read_to_string(repository("docs/fanfare.service")).unwrap();
    let pairs = unit.lines().filter_map(|line| line.split_once('='));
    pairs
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// The value of a key that is there once.
fn value(key: &str) -> String {
    let [value] = values(key).try_into().expect(key);
    value
}

#[test]
fn it_starts_the_hub_with_flags_that_there_are() {
    let command = value("ExecStart");
    let words: Vec<_> = command.split_whitespace().collect();
    assert_eq!(words[..2], ["/usr/local/bin/fanfare", "serve"]);
    let help = Command::new(env!("CARGO_BIN_EXE_fanfare"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let known: BTreeSet<_> = help.split_whitespace().collect();
    let flags: Vec<_> = words.iter().filter(|word| word.starts_with('-')).collect();
    assert!(!flags.is_empty());
    for flag in flags {
        assert!(known.contains(flag), "{flag} is not in\n{help}");
    }
}

#[test]
fn its_variables_are_settings() {
    let unit = std::fs::read_to_string(repository("docs/fanfare.service")).unwrap();
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let named: BTreeSet<_> = unit
        .split(|c| !is_part(c))
        .filter(|word| word.starts_with("FANFARE_"))
        .collect();
    let shipped = repository("config.toml");
    let load = |env: &[(String, String)]| {
        config::load(Some(&shipped), env.iter().cloned(), Flags::default()).unwrap()
    };
    let settings = load(&[]).settings();
    let known: BTreeSet<_> = settings
        .iter()
        .map(|setting| format!("FANFARE_{}", setting.key.to_uppercase().replace('.', "__")))
        .collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(known.contains(name), "{name} is not a setting");
    }

    let pairs = values("Environment").into_iter().map(|pair| {
        let (name, value) = pair.split_once('=').expect("NAME=value");
        (name.to_owned(), value.to_owned())
    });
    let config = load(&pairs.collect::<Vec<_>>()).config;
    let folder = format!("/var/lib/{}", value("StateDirectory"));
    assert_eq!(config.data_dir.to_str(), Some(folder.as_str()));
}

#[test]
fn it_waits_longer_than_the_hub_takes_to_stop() {
    let patience = Duration::from_secs(value("TimeoutStopSec").parse().unwrap());
    assert!(patience > Config::default().drain_timeout);
}
