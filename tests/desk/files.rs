//! The page's files as they are served: under a strict policy, compressed, and once only.

use std::io::Read as _;

use crate::support::Hub;

#[tokio::test]
async fn the_page_and_its_files_come_under_a_strict_policy() {
    let hub = Hub::start().await;
    for (path, media_type) in [
        ("/admin", "text/html; charset=utf-8"),
        ("/admin/app.js", "text/javascript; charset=utf-8"),
        ("/admin/app.css", "text/css; charset=utf-8"),
        ("/admin/vendor/preact.js", "text/javascript; charset=utf-8"),
    ] {
        let plain = hub.get(path).await.expect(200);
        let header = |name| plain.header(name).unwrap_or_default();
        assert_eq!(header("content-type"), media_type);
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");

        let packed = hub
            .request("GET", path, &[("Accept-Encoding", "br, gzip")], b"")
            .await
            .expect(200);
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        let mut text = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(&*packed.body);
        unpacked.read_to_end(&mut text).expect("gzip");
        assert_eq!(text, plain.body, "{path}");

        let tag = header("etag");
        let again = hub
            .request("GET", path, &[("If-None-Match", tag)], b"")
            .await;
        assert!(again.expect(304).body.is_empty());
    }
    let moved = hub.get("/admin/").await.expect(308);
    assert_eq!(moved.header("location"), Some("../admin"));
    for path in [
        "/admin/nothing.js",
        "/admin/../Cargo.toml",
        "/admin/%2e%2e/Cargo.toml",
    ] {
        hub.get(path).await.expect(404);
    }
    hub.request("POST", "/admin", &[], b"").await.expect(405);
}
