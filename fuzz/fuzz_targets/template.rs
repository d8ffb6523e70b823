//! Templates: the template on the first line, then the document. A mistake lies within the template.
#![no_main]

use fanfare::dialect::template::Template;
use fanfare::domain::json::Json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (text, document) = input.split_once('\n').unwrap_or((input, "{}"));
    match Template::parse(text) {
        Ok(template) => {
            if let Ok(document) = Json::parse(document.as_bytes()) {
                let _ = template.render(&document);
            }
            if !text.contains("{{") {
                let null = Json::parse(b"null").expect("JSON");
                assert_eq!(template.render(&null).as_deref(), Ok(text));
            }
        }
        Err(error) => {
            assert_eq!(error.line, 1);
            assert!(error.column <= text.chars().count() + 1);
        }
    }
});
