//! The verbs for topics, subscriptions, and how a hub is.

use super::Case;
use super::scene::Scene;
use crate::support::{Running, send};

pub const CASES: &[Case] = &[
    Case {
        verb: "topics list",
        args: "--search feed",
        out: "TOPIC  SUBSCRIBERS  FETCHED  OUTCOME  ALIAS OF
WORLD/feed  1  -  -  -
",
        ..Case::PLAIN
    },
    Case {
        verb: "topics show",
        args: "{world}feed",
        out: "alias_of: -
aliases: -
hubs: -
id: HEX
last_fetch: -
last_publication: -
next_fetch_at: -
self: -
subscribers: 1
url: WORLD/feed
",
        ..Case::PLAIN
    },
    Case {
        verb: "topics ping",
        args: "{world}feed --wait",
        out: "receipt: HUB/api/v1/receipts/UUID
WORLD/feed: complete; 1 of 1 delivered
",
        ..Case::PLAIN
    },
    Case {
        verb: "subscriptions list",
        args: "--topic {world}feed",
        out: "ID  TOPIC  CALLBACK  EXPIRES  BACKLOG
HEX  WORLD/feed  WORLD/callback  TIME  0
",
        ..Case::PLAIN
    },
    Case {
        verb: "subscriptions show",
        args: "{subscription}",
        out: "active_since: TIME
callback: WORLD/callback
expires_at: TIME
from: -
id: HEX
in_backlog: 0
secret: true
signature: -
topic: WORLD/feed
verified_at: TIME
",
        ..Case::PLAIN
    },
    Case {
        verb: "subscriptions deny",
        args: "{new-subscription} --reason busy",
        out: "The subscription of {new-callback} to WORLD/spare is over; it is told: busy
",
        ..Case::PLAIN
    },
    Case {
        verb: "subscriptions remove",
        args: "{new-subscription}",
        out: "{new-subscription} is over; its callback is told nothing.
",
        ..Case::PLAIN
    },
    Case {
        verb: "inspect",
        args: "--count 1 --secret hush",
        meanwhile: knock,
        out: "TIME  POST  from 127.0.0.1  5 bytes  answered 200  signature none
  host: ADDRESS
  connection: close
  content-type: text/plain
  content-length: 5

hello

",
        err: "send requests to HUB/inspect/HEX
the address has ended
",
        ..Case::PLAIN
    },
    Case {
        verb: "log",
        args: "info",
        out: "info
",
        ..Case::PLAIN
    },
    Case {
        verb: "erase source",
        args: "{new-busy-source} --yes",
        out: "erased: 0 subscriptions, 0 unconfirmed requests, 1 hook, 0 deliveries, 0 events, 0 places in receipts
",
        ..Case::PLAIN
    },
    Case {
        verb: "erase callback",
        args: "{new-callback} --yes",
        out: "erased: 1 subscription, 0 unconfirmed requests, 0 hooks, 0 deliveries, 0 events, 0 places in receipts
",
        ..Case::PLAIN
    },
    Case {
        verb: "bench",
        args: "--subscribers 3 --publications 2",
        out: "9 subscribers, 9 publications of 9KiB; all signatures are right
subscribed and verified: 9 a second
delivered: 9 a second

SINCE PUBLISHING  P9  P9
accepted  9 ms  9 ms
first delivery  9 ms  9 ms
last delivery  9 ms  9 ms
",
        volatile: without_figures,
        ..Case::PLAIN
    },
];

/// Somebody calls the address.
fn knock(_: &Scene, running: &mut Running) {
    let line = running.err("send requests to");
    let url = line.split_whitespace().next_back().expect("a URL");
    send("POST", url, &[("Content-Type", "text/plain")], "hello");
}

/// Figures are of this machine, and of this moment.
fn without_figures(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '0'..='9' | '.' if plain.ends_with('9') => {}
            '0'..='9' => plain.push('9'),
            _ => plain.push(letter),
        }
    }
    plain
}
