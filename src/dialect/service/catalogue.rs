//! The table of services: one entry each, nothing but data. In: nothing. Out: `SERVICES`.
//!
//! In URLs and bodies `{field}` stands for a field of the config, `{text}` for what is said and `{delivery}` for the
//! delivery's id. A member of a JSON body whose field is absent is left out.

use hyper::Method;

use super::config::Kind::{Boolean, Password, Text, Url};
use super::config::{Field, checks};
use super::escape::Escape;
use super::recipe::{Authorization, Body, Recipe};
use super::{Form, Service, Wire};

pub(super) const SERVICES: &[Service] = &[
    Service {
        name: "campfire",
        title: "Campfire",
        forms: &[
            // The API of 37signals' hosted Campfire.
            Form {
                fields: &[
                    Field::required("subdomain", Text, "the account's part of its address: the \"acme\" of acme.campfirenow.com")
                        .checked(checks::host_label),
                    Field::required("room", Text, "the room, as it stands in the room's address")
                        .checked(checks::path_segment),
                    Field::required("token", Password, "the API token of who shall speak"),
                ],
                wire: Wire::Http(Recipe {
                    method: Method::POST,
                    url: "https://{subdomain}.campfirenow.com/room/{room}/speak.json",
                    authorization: Authorization::Basic { user: "token", password: "X" },
                    body: Body::Json(r#"{"message":{"body":"{text}"}}"#),
                    escape: Escape::None,
                    max_units: 4000,
                }),
            },
            // Once Campfire on a server of one's own: the URL holds the bot's key, the body is shown as HTML.
            Form {
                fields: &[Field::required("url", Url, "the address for messages that Campfire shows for a bot and a room")],
                wire: Wire::Http(Recipe {
                    method: Method::POST,
                    url: "{url}",
                    authorization: Authorization::None,
                    body: Body::Plain,
                    escape: Escape::Html,
                    max_units: 4000,
                }),
            },
        ],
    },
    Service {
        name: "discord",
        title: "Discord",
        forms: &[Form {
            fields: &[
                Field::required("url", Url, "the URL of a channel's webhook"),
                Field::optional("username", Text, "the name to speak under"),
            ],
            wire: Wire::Http(Recipe {
                method: Method::POST,
                url: "{url}",
                authorization: Authorization::None,
                body: Body::Json(r#"{"content":"{text}","username":"{username}","allowed_mentions":{"parse":[]}}"#),
                escape: Escape::Markdown,
                max_units: 2000,
            }),
        }],
    },
    Service {
        name: "irc",
        title: "IRC",
        forms: &[Form {
            fields: &[
                Field::required("server", Text, "the host name of the IRC server")
                    .checked(checks::host),
                Field::required("room", Text, "the channel; # is put before it if it begins with no other sign")
                    .checked(checks::channel),
                Field::optional("port", Text, "the port; 6667, or 6697 with ssl")
                    .checked(checks::port),
                Field::optional("ssl", Boolean, "whether the connection is encrypted"),
                Field::optional("nick", Text, "the name to speak under; fanfare")
                    .checked(checks::nick),
                Field::optional("password", Password, "the password of the server")
                    .checked(checks::irc_password),
                Field::optional("key", Password, "the key of the channel")
                    .checked(checks::channel_key),
                Field::optional("notice", Boolean, "whether to send notices, which no other program answers, instead of messages"),
            ],
            wire: Wire::Irc,
        }],
    },
    Service {
        name: "matrix",
        title: "Matrix",
        forms: &[Form {
            fields: &[
                Field::required("homeserver", Url, "the URL of the homeserver's client API, such as https://matrix.example")
                    .checked(checks::base_url),
                Field::required("room", Text, "the room's internal id, such as !abc:matrix.example, which the speaker has joined")
                    .checked(checks::room_id),
                Field::required("token", Password, "the access token of who shall speak"),
            ],
            wire: Wire::Http(Recipe {
                method: Method::PUT,
                url: "{homeserver}/_matrix/client/v3/rooms/{room}/send/m.room.message/{delivery}",
                authorization: Authorization::Bearer("token"),
                // An empty m.mentions says that nobody is meant, whatever the words (client API 1.7).
                body: Body::Json(r#"{"msgtype":"m.text","body":"{text}","m.mentions":{}}"#),
                escape: Escape::None,
                max_units: 8000,
            }),
        }],
    },
    Service {
        name: "mattermost",
        title: "Mattermost",
        forms: &[Form {
            fields: &[
                Field::required("url", Url, "the URL of an incoming webhook"),
                Field::optional("channel", Text, "another channel than the webhook's own"),
                Field::optional("username", Text, "the name to speak under"),
            ],
            wire: Wire::Http(Recipe {
                method: Method::POST,
                url: "{url}",
                authorization: Authorization::None,
                body: Body::Json(r#"{"text":"{text}","channel":"{channel}","username":"{username}"}"#),
                escape: Escape::Markdown,
                max_units: 4000,
            }),
        }],
    },
    Service {
        name: "slack",
        title: "Slack",
        forms: &[Form {
            fields: &[
                Field::required("url", Url, "the URL of an incoming webhook"),
                Field::optional("channel", Text, "another channel than the webhook's own"),
                Field::optional("username", Text, "the name to speak under"),
            ],
            wire: Wire::Http(Recipe {
                method: Method::POST,
                url: "{url}",
                authorization: Authorization::None,
                // Asterisks and the like in what strangers wrote are no markup.
                body: Body::Json(r#"{"text":"{text}","mrkdwn":false,"channel":"{channel}","username":"{username}"}"#),
                escape: Escape::Slack,
                max_units: 4000,
            }),
        }],
    },
];
