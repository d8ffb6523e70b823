//! Filters: the query on the first line, then the event's payload. A mistake lies within the query.
#![no_main]

use fanfare::dialect::filter::{self, Filter};
use fanfare::domain::event::{Event, EventName};
use fanfare::domain::json::Json;
use fanfare::domain::value::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (query, payload) = input.split_once('\n').unwrap_or((input, "{}"));
    match Filter::parse(query) {
        Ok(filter) => {
            if let Ok(payload) = Json::parse(payload.as_bytes()) {
                let event = Event {
                    name: EventName::parse("report.created").expect("a name"),
                    created_at: Timestamp(0),
                    payload,
                };
                let _ = filter.matches(&filter::subject(&event));
            }
        }
        Err(error) => assert!(error.column <= query.chars().count() + 1),
    }
});
