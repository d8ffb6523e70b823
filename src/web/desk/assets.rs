//! The page's files (`static/admin`), which stand in the binary. In: a path. Out: the file, compressed once for all who take that, or 304
//! for who has it already.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use warp::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::super::Answer;
use super::super::call::Call;
use super::super::hosted::is_known;
use super::super::problem::{Problem, empty_answer, shown, typed};
use crate::domain::value::Timestamp;

/// What the browser may do on the page: run its own scripts, show its own style, ask this hub, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
/// The page itself.
const PAGE: &str = "index.html";

/// The files as they stand in the repository.
#[derive(RustEmbed)]
#[folder = "static/admin"]
struct Files;

/// The files as they are served, by their paths below `/admin/`.
static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let named = |name: std::borrow::Cow<'static, str>| {
        let file = Files::get(&name)?;
        Some((name.into_owned(), file))
    };
    let found = Files::iter().filter_map(named);
    found
        .filter_map(|(name, file)| {
            let media_type = media_type(&name)?;
            Some((name, Asset::of(media_type, file.data.into_owned())))
        })
        .collect()
});

/// A file as it is served.
struct Asset {
    media_type: &'static str,
    tag: String,
    plain: Bytes,
    gzip: Bytes,
}

impl Asset {
    fn of(media_type: &'static str, plain: Vec<u8>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail; what could not be compressed is served as it is.
        let gzip = encoder.write_all(&plain).and_then(|()| encoder.finish());
        let digest = Sha256::digest(&plain);
        Self {
            media_type,
            tag: format!("\"{}\"", hex::encode(&digest[..16])),
            gzip: gzip.unwrap_or_default().into(),
            plain: plain.into(),
        }
    }
}

/// `GET /admin`: the page. It has no slash at its end, since its files are found beside it.
pub fn page(call: &Call) -> Result<Answer, Problem> {
    if !call.path.ends_with('/') {
        return serve(PAGE, call);
    }
    let mut answer = empty_answer(StatusCode::PERMANENT_REDIRECT);
    let place = HeaderValue::from_static("../admin");
    answer.headers_mut().insert(header::LOCATION, place);
    Ok(answer)
}

/// `GET /admin/<path>`: one of its files.
pub fn file(call: &Call) -> Result<Answer, Problem> {
    let path = call.path.strip_prefix("/admin/");
    serve(path.unwrap_or_default(), call)
}

fn serve(path: &str, call: &Call) -> Result<Answer, Problem> {
    let asset = ASSETS
        .get(path)
        .ok_or_else(|| Problem::NotFound(format!("the page has no file {:?}", shown(path))))?;
    let is_compressed = takes_gzip(&call.headers) && asset.gzip.len() < asset.plain.len();
    let mut answer = match (
        is_known(&call.headers, &asset.tag, Timestamp(u64::MAX)),
        is_compressed,
    ) {
        (true, _) => empty_answer(StatusCode::NOT_MODIFIED),
        (false, true) => typed(StatusCode::OK, asset.media_type, asset.gzip.clone()),
        (false, false) => typed(StatusCode::OK, asset.media_type, asset.plain.clone()),
    };
    let headers = answer.headers_mut();
    if is_compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // Weak: the same whether compressed or not. ASCII: hexadecimal digits in quotes.
    if let Ok(tag) = HeaderValue::try_from(format!("W/{}", asset.tag)) {
        headers.insert(header::ETAG, tag);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "Accept-Encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter();
    codings
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}

/// What a file is, by the end of its name; what it does not know is not served.
fn media_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All scripts together, compressed, in bytes (issue 4).
    const SCRIPTS_MAX_BYTES: usize = 100_000;

    #[test]
    fn all_scripts_together_are_small() {
        let scripts = ASSETS.iter().filter(|(name, _)| name.ends_with(".js"));
        let bytes: usize = scripts.map(|(_, asset)| asset.gzip.len()).sum();
        assert!((1..SCRIPTS_MAX_BYTES).contains(&bytes), "{bytes} bytes");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_nothing_stands_inline() {
        for (name, asset) in ASSETS
            .iter()
            .filter(|(name, _)| !name.starts_with("vendor/"))
        {
            let text = String::from_utf8_lossy(&asset.plain);
            for foreign in [
                "src=\"http",
                "from \"http",
                "url(http",
                "@import",
                " style=\"",
                "innerHTML",
            ] {
                assert!(!text.contains(foreign), "{name} has {foreign}");
            }
        }
        let page = String::from_utf8_lossy(&ASSETS[PAGE].plain).into_owned();
        assert!(
            !page.contains("<style")
                && page.matches("<script").count()
                    == page.matches("<script type=\"module\" src=").count()
        );
    }
}
