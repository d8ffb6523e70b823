//! The places of the hub: a path comes in, which place it names goes out. What may be done there stands in `web::handle`.

use warp::Filter;
use warp::filters::BoxedFilter;

/// A place of the hub, with the part of the path that names a thing.
#[derive(Debug)]
pub enum Route {
    Hub,
    Hosted,
    Receipts,
    Receipt(String),
    Missing(String),
    Topics,
    Topic(String),
    Content(String),
    Growth(String),
    Ping(String),
    Subscriptions,
    Subscription(String),
    Backlog(String),
    Verify(String),
    Try(String),
    Deny(String),
    Verifications,
    About,
    Settings,
    Hooks,
    Replay(String),
    Repositories,
    Pleroma,
    Sources,
    Source(String),
    Tokens,
    Token(String),
    Inspector,
    Follow(String),
    Inspect(String),
    SelfService,
    Session,
    Backups,
    Backup(String),
    Erasures,
    Log,
    Watch,
    History,
    Page,
    PageFile,
    Event { source: String, event: String },
    Inbox(String),
    OpenApi,
    Live,
    Ready,
    Metrics,
    Nowhere,
}

/// Finds the place that a path names.
pub fn route() -> BoxedFilter<(Route,)> {
    let hub = warp::path::end()
        .or(warp::path!("hub"))
        .unify()
        .or(warp::path!("subscribe"))
        .unify()
        .or(warp::path!("api" / "v3" / "hub"))
        .unify()
        .or(warp::path!("publish"))
        .unify();
    one_of([
        hub.map(|| Route::Hub).boxed(),
        warp::path!("topics" / ..).map(|| Route::Hosted).boxed(),
        warp::path!("repos" / ..)
            .or(warp::path!("hooks"))
            .unify()
            .map(|| Route::Repositories)
            .boxed(),
        warp::path!("api" / "v1" / "pleroma" / "admin" / "webhooks" / ..)
            .or(warp::path!("api" / "pleroma" / "admin" / "webhooks" / ..))
            .unify()
            .map(|| Route::Pleroma)
            .boxed(),
        warp::path!("api" / "openapi.json")
            .map(|| Route::OpenApi)
            .boxed(),
        api(),
        warp::path!("admin").map(|| Route::Page).boxed(),
        warp::path!("admin" / ..).map(|| Route::PageFile).boxed(),
        warp::path!("inspect" / String).map(Route::Inspect).boxed(),
        warp::path!("subscription")
            .map(|| Route::SelfService)
            .boxed(),
        warp::path!("livez").map(|| Route::Live).boxed(),
        warp::path!("readyz").map(|| Route::Ready).boxed(),
        warp::path!("metrics").map(|| Route::Metrics).boxed(),
        of_a_source(),
        warp::any().map(|| Route::Nowhere).boxed(),
    ])
}

fn api() -> BoxedFilter<(Route,)> {
    let routes = one_of([
        warp::path!("hooks" / ..).map(|| Route::Hooks).boxed(),
        warp::path!("replays" / String).map(Route::Replay).boxed(),
        warp::path!("receipts").map(|| Route::Receipts).boxed(),
        warp::path!("receipts" / String).map(Route::Receipt).boxed(),
        warp::path!("receipts" / String / "missing")
            .map(Route::Missing)
            .boxed(),
        warp::path!("topics").map(|| Route::Topics).boxed(),
        warp::path!("topics" / String).map(Route::Topic).boxed(),
        warp::path!("topics" / String / "content")
            .map(Route::Content)
            .boxed(),
        warp::path!("topics" / String / "subscribers")
            .map(Route::Growth)
            .boxed(),
        warp::path!("topics" / String / "ping")
            .map(Route::Ping)
            .boxed(),
        warp::path!("subscriptions")
            .map(|| Route::Subscriptions)
            .boxed(),
        warp::path!("subscriptions" / String)
            .map(Route::Subscription)
            .boxed(),
        warp::path!("subscriptions" / String / "backlog")
            .map(Route::Backlog)
            .boxed(),
        warp::path!("subscriptions" / String / "verify")
            .map(Route::Verify)
            .boxed(),
        warp::path!("subscriptions" / String / "try")
            .map(Route::Try)
            .boxed(),
        warp::path!("verifications")
            .map(|| Route::Verifications)
            .boxed(),
        warp::path!("about").map(|| Route::About).boxed(),
        warp::path!("settings").map(|| Route::Settings).boxed(),
        warp::path!("subscriptions" / String / "deny")
            .map(Route::Deny)
            .boxed(),
        warp::path!("sources").map(|| Route::Sources).boxed(),
        warp::path!("sources" / String).map(Route::Source).boxed(),
        warp::path!("sources" / String / String)
            .map(|owner, name| Route::Source(format!("{owner}/{name}")))
            .boxed(),
        warp::path!("tokens").map(|| Route::Tokens).boxed(),
        warp::path!("tokens" / String).map(Route::Token).boxed(),
        warp::path!("backups").map(|| Route::Backups).boxed(),
        warp::path!("backups" / String).map(Route::Backup).boxed(),
        warp::path!("erasures").map(|| Route::Erasures).boxed(),
        warp::path!("log").map(|| Route::Log).boxed(),
        warp::path!("inspector" / String / "live")
            .map(Route::Follow)
            .boxed(),
        warp::path!("inspector" / ..)
            .map(|| Route::Inspector)
            .boxed(),
        warp::path!("session").map(|| Route::Session).boxed(),
        warp::path!("live").map(|| Route::Watch).boxed(),
        warp::path!("history").map(|| Route::History).boxed(),
    ]);
    warp::path!("api" / "v1" / ..).and(routes).boxed()
}

/// What belongs to a source, whose name has one segment or two. The hub's own places come before these.
fn of_a_source() -> BoxedFilter<(Route,)> {
    one_of([
        warp::path!(String / "events" / String)
            .map(|source, event| Route::Event { source, event })
            .boxed(),
        warp::path!(String / String / "events" / String)
            .map(|owner: String, name: String, event| Route::Event {
                source: format!("{owner}/{name}"),
                event,
            })
            .boxed(),
        warp::path!(String / "inbox").map(Route::Inbox).boxed(),
        warp::path!(String / String / "inbox")
            .map(|owner: String, name: String| Route::Inbox(format!("{owner}/{name}")))
            .boxed(),
    ])
}

/// The first of these that matches.
fn one_of<const N: usize>(routes: [BoxedFilter<(Route,)>; N]) -> BoxedFilter<(Route,)> {
    let nothing = warp::any()
        .and_then(async || Err::<Route, _>(warp::reject::not_found()))
        .boxed();
    routes
        .into_iter()
        .rev()
        .fold(nothing, |rest, route| route.or(rest).unify().boxed())
}
