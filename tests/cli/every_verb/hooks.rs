//! The verbs for sources, events, hooks, and tokens.

use super::Case;

pub const CASES: &[Case] = &[
    Case {
        verb: "sources list",
        out: "NAME  DIALECT  READERS  INBOX  OWN EVENTS
blog  websub  all  -  post.published
fanfare  websub  token  -  hook.disabled,hook.enabled,hook.given_up
",
        ..Case::PLAIN
    },
    Case {
        verb: "sources add",
        args: "shop --event order.paid --private",
        out: "shop is a source.
events: HUB/shop/events/<event>
inbox: HUB/shop/inbox
",
        ..Case::PLAIN
    },
    Case {
        verb: "sources remove",
        args: "{new-source}",
        out: "{new-source} is a source no longer.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks list",
        args: "--source blog",
        out: "ID  SOURCE  STATE  TO  EVENTS
1  blog  active  WORLD/hook  post.*
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks show",
        args: "1",
        out: "active: true
config: -
content_type: json
created_at: TIME
dialect: websub
disabled_because: -
event_count: 1
events: post.*
filter: -
headers: -
health:
  failing_since: -
  last_response:
    message: OK
    status: 200
id: 1
in_backlog: 0
name: web
next_attempt_at: -
old_secret_until: -
ordered: false
public_key: -
rate: -
secret: ********
signing: dialect
source: blog
template: -
type_key: false
updated_at: TIME
url: WORLD/hook
verify_tls: true
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks add",
        args: "{new-source} {world}added --event post.published",
        out: "Hook 2 gets events of {new-source} from now on.
secret: HEX

Keep it: it is not shown again.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks preview",
        args: "blog {world}hook --event post.published",
        out: r#"post.published, the latest

POST WORLD/hook
content-type: application/json
link: <HUB/blog/events/post.published>; rel="self", <HUB/>; rel="hub"
user-agent: Fanfare/0.1.0 (+HUB/)
x-fanfare-delivery: UUID
x-fanfare-event: post.published
x-hub-signature: sha1=HEX
x-hub-signature-256: sha256=HEX

{"title":"Hello"}
"#,
        ..Case::PLAIN
    },
    Case {
        verb: "hooks edit",
        args: "{new-hook} --rate 10",
        out: "active: true
config: -
content_type: json
created_at: TIME
dialect: websub
disabled_because: -
event_count: 1
events: post.*
filter: -
headers: -
health:
  failing_since: -
  last_response: -
id: {new-hook}
in_backlog: 0
name: web
next_attempt_at: -
old_secret_until: -
ordered: false
public_key: -
rate: 10
secret: ********
signing: dialect
source: {new-source}
template: -
type_key: false
updated_at: TIME
url: WORLD/spare-hook
verify_tls: true
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks disable",
        args: "{new-hook}",
        out: "Hook {new-hook} gets nothing any more.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks enable",
        args: "{new-hook}",
        out: "Hook {new-hook} gets events from now on.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks rotate",
        args: "{new-hook}",
        out: "secret: HEX

Keep it: it is not shown again.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks ping",
        args: "{new-hook}",
        out: "Hook {new-hook} is pinged; fanfare deliveries list {new-hook} shows what it answers.
",
        ..Case::PLAIN
    },
    Case {
        verb: "hooks remove",
        args: "{new-hook}",
        out: "Hook {new-hook} is no more.
",
        ..Case::PLAIN
    },
    Case {
        verb: "deliveries list",
        args: "1",
        out: "ID  AT  EVENT  ANSWER  MS  AGAIN
HEX  TIME  post.published  200  N  -
",
        volatile: without_times,
        ..Case::PLAIN
    },
    Case {
        verb: "deliveries show",
        args: "1 {delivery}",
        out: r#"at: TIME
detail: -
event: post.published
failure: -
id: {delivery}
millis: N
publication: UUID
redelivery: false
request:
  body: {"title":"Hello"}
  headers:
    content-type: application/json
    link: <HUB/blog/events/post.published>; rel="self", <HUB/>; rel="hub"
    user-agent: Fanfare/0.1.0 (+HUB/)
    x-fanfare-delivery: UUID
    x-fanfare-event: post.published
    x-hub-signature: sha1=HEX
    x-hub-signature-256: sha256=HEX
  method: POST
  url: WORLD/hook
response:
  body: thanks
  headers:
    connection: close
    content-length: 6
    content-type: text/plain
  status: 200
status: 200
"#,
        volatile: without_times,
        ..Case::PLAIN
    },
    Case {
        verb: "deliveries redeliver",
        args: "1 {delivery}",
        out: "Hook 1 is sent {delivery} again; fanfare deliveries list 1 shows what comes of it.
",
        ..Case::PLAIN
    },
    Case {
        verb: "replay",
        args: "1 --since 1h --wait",
        out: "UUID finished; 1 seen, 1 delivered, 0 failed
",
        ..Case::PLAIN
    },
    Case {
        verb: "replays list",
        args: "1",
        out: "ID  STATE  SINCE  ONLY  SEEN  DELIVERED  FAILED
UUID  finished  TIME  all  1  1  0
UUID  finished  TIME  all  1  1  0
",
        ..Case::PLAIN
    },
    Case {
        verb: "replays stop",
        args: "{new-replay}",
        out: "{new-replay} finished; 1 seen, 1 delivered, 0 failed
",
        ..Case::PLAIN
    },
    Case {
        verb: "events raise",
        args: "blog post.published",
        input: r#"{"title":"More"}"#,
        out: "1 raised.
receipt: HUB/api/v1/receipts/UUID
",
        ..Case::PLAIN
    },
    Case {
        verb: "tokens add",
        args: "reader --role reader --source * --expires-in 365d",
        out: "TOKEN

Keep it: it is not shown again. To take it back: fanfare tokens remove UUID
",
        ..Case::PLAIN
    },
    Case {
        verb: "tokens list",
        out: "ID  NAME  ROLE  SOURCES  EVENTS  EXPIRES
UUID  reader  reader  *  -  TIME
UUID  reader  reader  *  -  TIME
",
        ..Case::PLAIN
    },
    Case {
        verb: "tokens remove",
        args: "{new-token}",
        out: "{new-token} is worth nothing any longer.
",
        ..Case::PLAIN
    },
];

/// How long a delivery took.
fn without_times(text: &str) -> String {
    let is_time = |line: &str| line.starts_with("millis: ");
    let lines = text.split_inclusive('\n').map(|line| match is_time(line) {
        true => "millis: N\n".to_owned(),
        false => without_column(line, 4),
    });
    lines.collect()
}

/// A row of the table of deliveries with its column of milliseconds left out.
fn without_column(line: &str, column: usize) -> String {
    if !line.starts_with("HEX") {
        return line.to_owned();
    }
    let mut cells: Vec<&str> = line.split("  ").collect();
    cells[column] = "N";
    cells.join("  ")
}
