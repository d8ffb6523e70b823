//! `fanfare check`: the loaded settings in, one line for each out, with where it came from. What it prints is TOML.

use crate::config::Loaded;

/// The effective settings, one a line: `delivery.timeout = "10s"   # default`. Secrets are masked.
pub fn render(loaded: &Loaded) -> String {
    let lines = loaded.settings().into_iter().map(|setting| {
        let assignment = format!("{} = {}", setting.key, setting.value);
        let mut origin = setting.origin.to_string().replace(char::is_control, "?");
        if setting.key == "public_url" && loaded.config.public_url.is_none() {
            origin.push_str(&format!(
                ": {}",
                loaded.config.public_url(loaded.config.listen)
            ));
        }
        format!("{assignment:<48} # {origin}\n")
    });
    lines.collect()
}
