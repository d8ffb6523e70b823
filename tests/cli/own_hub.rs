//! The verbs together, against the hub of the same binary.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Running, fanfare, fanfare_with};

pub const TOKEN: &str = "a-token-for-this-test";

/// A hub of the same binary.
pub struct Hub {
    running: Running,
    pub url: String,
    data: String,
    folder: TempDir,
}

/// The data folder of a hub that has ended.
pub struct Stopped {
    pub path: PathBuf,
    _folder: TempDir,
}

impl Hub {
    pub fn start() -> Hub {
        Self::with_config("")
    }

    /// With this `config.toml`.
    pub fn with_config(config: &str) -> Hub {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        Self::begin("127.0.0.1:0", config, folder, &data)
    }

    /// At an address, on a data folder that is there already.
    pub fn on(address: &str, config: &str, data: &Path) -> Hub {
        Self::begin(
            address,
            config,
            tempfile::tempdir().expect("a folder"),
            data,
        )
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        let address = self.url.trim_start_matches("http://");
        address.trim_end_matches('/').to_owned()
    }

    /// Waits for a line of its log that holds a text.
    #[track_caller]
    pub fn log(&mut self, text: &str) -> String {
        self.running.err(text)
    }

    /// Stops it; its data folder is left.
    pub fn stop(self) -> Stopped {
        self.running.signal("TERM");
        assert_eq!(self.running.end().code, Some(0));
        Stopped {
            path: self.data.into(),
            _folder: self.folder,
        }
    }

    fn begin(address: &str, config: &str, folder: TempDir, data: &Path) -> Hub {
        let data = data.to_str().expect("a path").to_owned();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, config).expect("a file");
        let file = file.to_str().expect("a path");
        let args = [
            "serve",
            "--config",
            file,
            "--listen",
            address,
            "--data-dir",
            &data,
        ];
        let mut running = Running::start_with(&args, &[("FANFARE_AUTH__ADMIN_TOKEN", TOKEN)]);
        let up = running.out("Fanfare is up: ");
        let url = up.split_whitespace().last().expect("a URL").to_owned();
        Hub {
            running,
            url,
            data,
            folder,
        }
    }
}

#[test]
fn what_is_published_arrives_signed_and_the_receipt_says_so() {
    let mut hub = Hub::start();
    let mut listener = Running::start(&[
        "listen",
        "--hub",
        &hub.url,
        "http://t.example/",
        "--count",
        "1",
    ]);
    listener.err("subscribed for 10d");
    // The listener has agreed; the hub's log says when it has heard that.
    hub.running.err("subscribed");
    let args = [
        "publish",
        "--hub",
        &hub.url,
        "--content",
        "-",
        "--type",
        "text/plain",
        "--wait",
        "http://t.example/",
    ];
    let published = fanfare_with(&args, &[("FANFARE_TOKEN", TOKEN)], b"news");
    assert_eq!(published.code, Some(0), "{}", published.err);
    assert!(
        published.out.ends_with("complete; 1 of 1 delivered\n"),
        "{}",
        published.out
    );
    let heard = listener.end();
    assert_eq!(heard.code, Some(0), "{}", heard.err);
    assert!(
        heard.out.contains("signature verified (sha1, sha256)"),
        "{}",
        heard.out
    );
    assert!(heard.out.ends_with("\n\nnews\n\n"), "{}", heard.out);
    assert!(heard.err.ends_with("unsubscribed\n"), "{}", heard.err);
}

#[test]
fn the_data_of_a_hub_that_runs_is_not_touched() {
    let hub = Hub::start();
    for args in [
        &["export", "--data-dir", &hub.data][..],
        &["import", "-", "--data-dir", &hub.data],
    ] {
        let done = fanfare(args);
        assert_eq!(done.code, Some(1));
        assert!(
            done.err
                .contains("is in use by another process; stop that one"),
            "{}",
            done.err
        );
    }
    hub.running.signal("TERM");
    assert_eq!(hub.running.end().code, Some(0));
    assert_eq!(fanfare(&["export", "--data-dir", &hub.data]).code, Some(0));
}
