//! Templates: the template on the first line, then the event's payload. A mistake lies within the template.
#![no_main]

use fanfare::dialect::template::Template;
use fanfare::domain::event::{Event, EventName};
use fanfare::domain::json::Json;
use fanfare::domain::value::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (text, payload) = input.split_once('\n').unwrap_or((input, "{}"));
    let Ok(payload) = Json::parse(payload.as_bytes()) else {
        return;
    };
    let event = Event {
        name: EventName::parse("account.created").expect("a name"),
        created_at: Timestamp(0),
        payload,
    };
    match Template::parse(text) {
        Ok(template) => {
            let rendered = template.render(&event);
            if !text.contains("{{") {
                assert_eq!(rendered.as_deref(), Ok(text));
            }
        }
        Err(error) => {
            assert_eq!(error.line, 1);
            assert!(error.column <= text.chars().count() + 1);
        }
    }
});
