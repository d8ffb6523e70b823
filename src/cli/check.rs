//! `fanfare check`: the loaded settings in, one line for each out, with where it came from. What it prints is TOML.

use crate::config::{Loaded, Setting};

/// The effective settings, one a line: `delivery.timeout = "10s"   # default`; then each `[[source]]`. Secrets are masked.
pub fn render(loaded: &Loaded) -> String {
    let mut printed = String::new();
    for setting in loaded.settings() {
        let mut note = setting.origin.to_string();
        if setting.key == "public_url" && loaded.config.public_url.is_none() {
            note.push_str(&format!(
                ": {}",
                loaded.config.public_url(loaded.config.listen)
            ));
        }
        printed.push_str(&line(&setting.key, &setting, &note));
    }
    for source in loaded.sources() {
        printed.push_str("\n[[source]]\n");
        for setting in source {
            let name = setting.key.trim_start_matches("source.");
            printed.push_str(&line(name, &setting, &setting.origin.to_string()));
        }
    }
    printed
}

fn line(key: &str, setting: &Setting, note: &str) -> String {
    let assignment = format!("{key} = {}", setting.value);
    let note = note.replace(char::is_control, "?");
    format!("{assignment:<48} # {note}\n")
}
