//! wrk as the measure of what this machine can do: POST of 1 KiB, one thread, 64 connections.

use std::io::Write;
use std::process::Command;

/// wrk's requests per second to `url`, over `seconds`.
pub fn rate(url: &str, seconds: u32) -> f64 {
    let mut script = tempfile::NamedTempFile::new().expect("a temporary file");
    script
        .write_all(b"wrk.method = 'POST'\nwrk.body = string.rep('x', 1024)\n")
        .expect("the script is written");
    let output = Command::new("wrk")
        .args(["-t1", "-c64", &format!("-d{seconds}s"), "-s"])
        .arg(script.path())
        .arg(url)
        .output()
        .expect("wrk (apt-get install wrk)");
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.unwrap_or_else(|| panic!("wrk did not print a rate: {text}"));
    rate.trim().parse().expect("a number")
}
