//! Where the foreign software is that `tests/run` installs, pinned by the files beside this one. For the tests that drive it.

use std::path::{Path, PathBuf};

/// A path below `target/foreign`, where `tests/run` puts it; panics, and says so, when it is not there.
pub fn installed(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("it lies in target");
    let path = target.join("foreign").join(path);
    assert!(
        path.exists(),
        "{} is missing: run ./tests/run, which installs it",
        path.display()
    );
    path
}
