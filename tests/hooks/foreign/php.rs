//! PHP, as the official receiver of Muut's webhooks uses it: `lib/subscriber/webhooks.class.php` of muut/wordpress-plugin
//! answers 412 without a signature, and 403 to a wrong one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Verdict;
use crate::support::http::Headers;

/// Arguments: the secret, and the signature if there is one. Standard input: the body.
const RECEIVER: &str = r#"
    $signature = $argv[2] ?? null;
    $expected = hash_hmac('sha1', stream_get_contents(STDIN), $argv[1]);
    if ($signature === null) echo '412 no signature';
    elseif ($expected !== $signature) echo '403 another signature';
    else echo '200';
"#;

/// Asks PHP about `X-Muut-Signature`.
pub fn verify_muut(secret: &str, headers: &Headers, body: &[u8]) -> Verdict {
    let mut php = Command::new("php")
        .args(["-r", RECEIVER, "--", secret])
        .args(headers.first("x-muut-signature"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("php: {error}; tests/run installs it, and so does: apt-get install php-cli")
        });
    let mut input = php.stdin.take().expect("piped");
    input.write_all(body).expect("php reads it");
    drop(input);
    let output = php.wait_with_output().expect("php ends");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    match answer.split(' ').next() {
        Some("200") => Ok(()),
        Some("403" | "412") => Err(answer),
        _ => panic!("php, {}: {answer}", output.status),
    }
}
