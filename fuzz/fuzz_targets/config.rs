//! Settings: the input is `config.toml`, and its lines are values of variables too.
#![no_main]

use std::{env, fs, process};

use fanfare::config::{self, Flags};
use libfuzzer_sys::fuzz_target;

/// A variable of each kind: an address, a URL, a duration, a list, a number, and one that nobody knows.
const VARIABLES: [&str; 6] = [
    "FANFARE_LISTEN",
    "FANFARE_PUBLIC_URL",
    "FANFARE_DELIVERY__TIMEOUT",
    "FANFARE_DELIVERY__RETRY",
    "FANFARE_DELIVERY__CONCURRENCY",
    "FANFARE_NOBODY__KNOWS",
];

fuzz_target!(|text: &str| {
    let file = env::temp_dir().join(format!("fanfare-fuzz-{}.toml", process::id()));
    fs::write(&file, text).expect("a temporary file");
    let variables = VARIABLES.map(str::to_owned).into_iter();
    let variables = variables.zip(text.lines().map(str::to_owned));
    for loaded in [
        config::load(Some(&file), [].into_iter(), Flags::default()),
        config::load(None, variables, Flags::default()),
    ] {
        match loaded {
            Ok(loaded) => assert!(!loaded.settings().is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
