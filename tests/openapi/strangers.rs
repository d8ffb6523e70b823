//! A stranger reads the document and tries everything in it: schemathesis (PyPI), on the real binary. In: the cases that it makes up,
//! the same each time. Out: nothing that differs from what is written there.

use std::path::Path;
use std::process::Command;

use crate::installed::installed;
use crate::support::client::bearer;
use crate::support::{ADMIN, Hub};

/// Cases of each operation and phase.
const CASES: &str = "8";

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_failure() {
    let hub = Hub::with(&[("log.level", "warn")]).await;
    let authorization = ("Authorization", bearer(ADMIN));
    for (source, dialect) in [
        ("social", "mastodon"),
        ("pleroma", "pleroma"),
        ("octocat/hello-world", "socialgateway"),
    ] {
        let declared = format!(r#"{{"dialect":"{dialect}"}}"#);
        let headers = [(authorization.0, authorization.1.as_str())];
        let target = format!("/api/v1/sources/{source}");
        let answer = hub
            .request("PUT", &target, &headers, declared.as_bytes())
            .await;
        assert_eq!(answer.status, 201, "{source}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    let home = tempfile::tempdir().expect("a folder");
    let mut stranger = Command::new(installed("venv/bin/schemathesis"));
    stranger
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .args([
            "run",
            &format!("{}api/openapi.json", hub.url),
            "--max-examples",
            CASES,
        ])
        .args(["--seed", "7", "--generation-database", "none", "--no-color"])
        .args(["--header", &format!("Authorization: {}", authorization.1)])
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .current_dir(home.path());
    let run = tokio::task::spawn_blocking(move || stranger.output()).await;
    let run = run.expect("it is waited for").expect("schemathesis runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
}
