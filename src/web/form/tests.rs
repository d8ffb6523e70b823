//! Forms and multipart bodies, on examples and on arbitrary input.

use super::*;
use futures_util::FutureExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

fn read(query: &str, content_type: &str, body: impl AsRef<[u8]>) -> Result<Fields, FormError> {
    let content_type = Some(content_type).filter(|value| !value.is_empty());
    let body = Bytes::copy_from_slice(body.as_ref());
    let fields = super::read(Some(query), content_type, body).now_or_never();
    fields.expect("the body is all there: nothing to wait for")
}

fn pairs(query: &str, content_type: &str, body: impl AsRef<[u8]>) -> Pairs {
    read(query, content_type, body).unwrap().0
}

/// Url-encodes every byte that could mean something.
fn encoded(fields: &Pairs) -> String {
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let field = |(name, value): &(String, String)| escape(name) + "=" + &escape(value);
    fields.iter().map(field).collect::<Vec<_>>().join("&")
}

fn multipart(fields: &Pairs) -> String {
    let part = |(name, value): &(String, String)| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--b--\r\n"
}

#[test]
fn decodes_exactly() {
    let cases = [
        // Q-07
        (
            "hub.secret=%21%40%23%24%25%5E%26*(-_%3D%2B)",
            "!@#$%^&*(-_=+)",
        ),
        ("hub.secret=a+b%2Bc", "a b+c"),
        ("hub.secret=a=b", "a=b"),
        ("hub.secret=100%&x", "100%"),
        ("hub%2Esecret=%c3%a9", "\u{e9}"),
        ("&&hub.secret&=y", ""),
    ];
    for (body, expected) in cases {
        let content_type = "Application/X-WWW-form-urlencoded ; charset=UTF-8";
        let fields = read("", content_type, body).unwrap();
        assert_eq!(fields.first("hub.secret"), Some(expected), "{body}");
        assert!(fields.contains("hub.secret") && !fields.contains("hub.topic"));
    }
}

#[test]
fn reads_lists_however_they_are_written() {
    let body = "hub.url=a&hub.url%5B%5D=b&hub.url[12]=c&hub.url]=d&hub.url[x]=e";
    let fields = read("", FORM, body).unwrap();
    assert_eq!(fields.all("hub.url").collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(fields.first("hub.url"), Some("a"));
}

#[test]
fn the_body_wins_over_the_query() {
    let query = "hub.url=q1&hub.mode=publish&hub.url=q2";
    let fields = read(query, FORM, "hub.url[]=b1&hub.url=b2").unwrap();
    assert_eq!(fields.all("hub.url").collect::<Vec<_>>(), ["b1", "b2"]);
    assert_eq!(fields.first("hub.mode"), Some("publish"));
}

#[test]
fn an_empty_body_needs_no_media_type() {
    assert!(read("", "", "").unwrap().is_empty());
    let fields = read("hub.mode=publish&hub.url=https%3A%2F%2Ft%2F", "", "").unwrap();
    assert_eq!(fields.first("hub.url"), Some("https://t/"));
}

#[test]
fn reads_multipart() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"hub.mode\"\r\n\r\npublish\r\n\
        --b\r\nContent-Disposition: form-data; filename=x\r\n\r\nno name\r\n\
        --b\r\nContent-Type: text/plain; charset=latin1\r\n\
        Content-Disposition: form-data; name=hub.url[]\r\n\r\nhttps://t/?a+b=%41&\u{e9}\r\n--b--";
    let fields = read("", "Multipart/Form-Data; boundary=\"b\"", body).unwrap();
    assert_eq!(fields.0.len(), 2);
    assert_eq!(fields.first("hub.mode"), Some("publish"));
    assert_eq!(fields.first("hub.url"), Some("https://t/?a+b=%41&\u{e9}"));
}

#[test]
fn says_what_is_wrong() {
    let cut = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\ncut";
    let latin1 = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\xe9\r\n--b--";
    let cases: [(&str, &str, &[u8], u16, &str); 8] = [
        (
            "",
            "application/json",
            b"{}",
            415,
            "Content-Type is application/json; send application/x-www",
        ),
        ("", "", b"a=b", 415, "Content-Type is missing; send"),
        (
            "",
            FORM,
            b"a=b&hub.topic=%ff",
            400,
            "hub.topic is not valid UTF-8",
        ),
        (
            "hub.topic=%C3",
            FORM,
            b"",
            400,
            "hub.topic is not valid UTF-8",
        ),
        (
            "",
            FORM,
            b"%ff%0a=x",
            400,
            "the field name \u{fffd}  is not valid UTF-8",
        ),
        ("", MULTIPART, latin1, 400, "a is not valid UTF-8"),
        (
            "",
            "multipart/form-data",
            b"--b--",
            400,
            "the multipart body cannot be read (",
        ),
        (
            "",
            MULTIPART,
            cut.as_bytes(),
            400,
            "the multipart body cannot be read (",
        ),
    ];
    for (query, content_type, body, status, reason) in cases {
        let error = read(query, content_type, body).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(error.to_string().starts_with(reason), "{error}");
    }
}

#[test]
fn counts_the_fields_of_query_and_body_together() {
    let fields = |count| vec![("a".to_owned(), String::new()); count];
    let (most, more) = (encoded(&fields(MAX_FIELDS)), fields(MAX_FIELDS + 1));
    assert_eq!(pairs("", FORM, &most).len(), MAX_FIELDS);
    assert_eq!(pairs("a", FORM, &most).len(), MAX_FIELDS);
    assert_eq!(read("b", FORM, &most), Err(FormError::TooManyFields));
    assert_eq!(
        read("", FORM, encoded(&more)),
        Err(FormError::TooManyFields)
    );
    assert_eq!(
        read("", MULTIPART, multipart(&more)),
        Err(FormError::TooManyFields)
    );
}

fn fields() -> impl Strategy<Value = Pairs> {
    proptest::collection::vec(("[a-z.]{1,8}", any::<String>()), 0..8)
}

proptest! {
    #[test]
    fn takes_any_bytes(query: String, content_type: String, body: Vec<u8>) {
        for content_type in ["", FORM, MULTIPART, &content_type] {
            if let Err(error) = read(&query, content_type, &body) {
                let reason = error.to_string();
                prop_assert!(matches!(error.status(), 400 | 415));
                prop_assert!(reason.len() < 2000 && !reason.contains('\n'), "{reason}");
            }
        }
    }

    /// That it answers at all is the point: `read` refuses to wait.
    #[test]
    fn takes_any_multipart(
        boundary in r#"b|""|a|-"#,
        body in r#"(--b|--|\r\n|\r\n\r\n|Content-Disposition: form-data; name=|"|a|;|:|\x00){0,30}"#,
    ) {
        if let Ok(fields) = read("", &format!("multipart/form-data; boundary={boundary}"), &body) {
            prop_assert!(fields.0.iter().all(|(name, value)| body.contains(name) && body.contains(value)));
        }
    }

    #[test]
    fn reads_back_what_is_encoded(fields in fields()) {
        prop_assert_eq!(&pairs("", FORM, encoded(&fields)), &fields);
        prop_assert_eq!(&pairs(&encoded(&fields), "", ""), &fields);
    }

    #[test]
    fn reads_back_multipart(fields in fields()) {
        prop_assume!(fields.iter().all(|(_, value)| !value.contains("\r\n--b")));
        prop_assert_eq!(&pairs("", MULTIPART, multipart(&fields)), &fields);
    }
}
