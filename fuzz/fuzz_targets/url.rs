//! URLs of topics and callbacks: a topic keeps its words, a callback its query, and both can be called.
#![no_main]

use fanfare::domain::value::{CallbackUrl, TopicUrl};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    if let Ok(topic) = TopicUrl::parse(text) {
        assert_eq!(topic.as_str(), text);
        assert!(
            topic
                .fetchable()
                .is_some_and(|url| url.fragment().is_none())
        );
    }
    if let Ok(callback) = CallbackUrl::parse(text) {
        assert!(CallbackUrl::parse(callback.as_str()).is_ok_and(|again| again == callback));
        assert!(!callback.host().is_empty() && !callback.origin().is_empty());
        let query =
            callback.with_query(&[("hub.mode", "subscribe"), ("hub.topic", "https://t/?a=b&c")]);
        assert!(query.starts_with(callback.as_str()));
        let last: Vec<_> = Url::parse(&query)
            .expect("a URL")
            .query_pairs()
            .into_owned()
            .collect();
        assert_eq!(last.last().expect("two pairs").1, "https://t/?a=b&c");
    }
});
