//! A hub with sources. In: their names and dialects. Out: a hub that knows them, and forgets what it is told to.

use fanfare::domain::source::{Dialect, Source, SourceName};
use fanfare::domain::value::{PublicationId, Timestamp};
use fanfare::store::{BacklogLimits, Change, HookChange, SledStore, Store as _, StoreOptions};

use crate::support::client::bearer;
use crate::support::{ADMIN, Hub, Response};

/// A hub that knows these sources.
pub async fn hub_with(sources: &[(&str, Dialect)]) -> Hub {
    let mut hub = Hub::start().await;
    let put = |(name, dialect): &(&str, Dialect)| {
        let source = Source {
            name: SourceName::parse(name).expect("a name"),
            dialect: *dialect,
            events: Vec::new(),
            private: false,
            inbound_secret: None,
            created_at: Timestamp(0),
        };
        HookChange::PutSource(source).into()
    };
    commit(&mut hub, sources.iter().map(put).collect()).await;
    hub
}

/// Forgets an event, as the hub does when it is old.
pub async fn forget(hub: &mut Hub, event: &str) {
    let event = PublicationId::parse(event).expect("an id");
    commit(hub, vec![Change::Prune(event)]).await;
}

/// Changes what a hub keeps, while it does not run.
async fn commit(hub: &mut Hub, changes: Vec<Change>) {
    hub.terminate().await;
    let options = StoreOptions {
        cache_bytes: 16 << 20,
        backlog: BacklogLimits {
            entries: 10,
            bytes: 1_000,
            events: 1_000,
        },
    };
    let store = SledStore::open(&hub.data(), options).expect("the store opens");
    store.commit(changes).await.expect("durable");
    store.close().await.expect("closed");
    drop(store);
    hub.start_again().await;
}

/// Asks as the administrator, with JSON.
pub async fn ask(hub: &Hub, method: &str, path: &str, json: &serde_json::Value) -> Response {
    let admin = bearer(ADMIN);
    let body = match json {
        serde_json::Value::Null => String::new(),
        json => json.to_string(),
    };
    let headers = [
        ("Authorization", admin.as_str()),
        ("Content-Type", "application/json"),
    ];
    hub.request(method, path, &headers, body.as_bytes()).await
}
