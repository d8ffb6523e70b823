//! What holds for every text and every value: no panic, and what is printed reads back.

use std::time::Duration;

use fanfare::{
    cli::check,
    config::{Origins, SourceSettings},
    domain::{
        event::EventName,
        source::{Dialect, SourceName},
    },
};
use proptest::prelude::*;

use super::load;

fn key() -> impl Strategy<Value = String> {
    let settings = load("", &[]).unwrap().settings();
    prop::sample::select(
        settings
            .into_iter()
            .map(|setting| setting.key)
            .collect::<Vec<_>>(),
    )
}

/// A line that sets something to something, mostly sensible, so that the text gets past the parser.
fn line() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "-?[0-9]{1,20}",
        "\"[0-9]{0,20}[a-zA-Z*./:]{0,4}\"",
        "\\[(\"[0-9]{1,3}[smhd]\",){0,3}\\]",
        "\\PC{0,20}",
    ];
    let key = prop_oneof![4 => key(), 2 => "(name|dialect|events|private|inbound_secret)", 1 => "[a-z.]{1,12}"];
    prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => "\\[\\[source\\]\\]\n",
        1 => "\\[?\\[[a-z.]{1,12}\\]\\]?\n",
    ]
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), lines in prop::collection::vec(line(), 0..4)) {
        let _ = load(&text, &[]);
        let _ = load(&lines.concat(), &[]);
    }

    #[test]
    fn arbitrary_variables_never_panic(name in "[A-Z_]{0,20}", key in key(), text in any::<String>()) {
        let known = format!("FANFARE_{}", key.to_uppercase().replace('.', "__"));
        for name in [known, format!("FANFARE_{name}")] {
            let _ = load("", &[(&name, &text)]);
        }
    }

    #[test]
    fn what_check_prints_reads_back_as_the_same_settings(
        lease_seconds in 300_u64..2_592_000,
        retry in prop::collection::vec(1_u64..1_000_000_000, 1..9),
        concurrency in 32_usize..100_000,
        bytes in 1_usize..1 << 40,
        data_dir in "\\PC{1,20}",
        networks in prop::collection::vec(any::<std::net::IpAddr>(), 0..4),
        auto_refresh in any::<bool>(),
        port in any::<u16>(),
        sources in prop::collection::btree_map("[a-m/._-]{1,8}", (0..5_usize, any::<bool>(), prop::collection::vec("[a-z.]{1,8}", 0..3)), 0..4),
    ) {
        let mut config = load("", &[]).unwrap();
        config.config.listen.set_port(port);
        config.config.data_dir = data_dir.into();
        config.config.subscriptions.default_lease = Duration::from_secs(lease_seconds);
        config.config.subscriptions.auto_refresh = auto_refresh;
        config.config.delivery.retry = retry.into_iter().map(Duration::from_millis).collect();
        config.config.delivery.concurrency = concurrency;
        config.config.delivery.backlog_bytes = bytes;
        config.config.network.topics_allow = networks.into_iter().map(Into::into).collect();
        for (name, (dialect, private, events)) in sources {
            let (Ok(name), Ok(events)) = (SourceName::parse(&name), events.iter().map(|name| EventName::parse(name)).collect()) else {
                continue;
            };
            let dialect = Dialect::ALL[dialect];
            config.config.sources.push(SourceSettings { name, dialect, events, private, inbound_secret: None });
            config.source_origins.push(Origins::new());
        }
        let again = load(&check::render(&config), &[]).unwrap();
        prop_assert_eq!(again.config, config.config);
    }
}
