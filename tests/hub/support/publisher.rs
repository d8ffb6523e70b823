//! A publisher: a web server whose pages are topics. In: content, headers, redirects. Out: the fetches that came.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::server::Requests;
use super::{Reply, Request, Server};

type Pages = Arc<Mutex<HashMap<String, Reply>>>;

/// A web server for any number of topics.
pub struct Publisher {
    server: Server,
    pages: Pages,
}

/// One page of a publisher.
#[derive(Clone)]
pub struct Topic {
    url: String,
    path: String,
    pages: Pages,
    requests: Requests,
}

impl Publisher {
    /// A publisher on 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_on([127, 0, 0, 1].into()).await
    }

    /// A publisher on another address.
    pub async fn start_on(ip: IpAddr) -> Self {
        let pages = Pages::default();
        let known = pages.clone();
        let server = Server::start_on(ip, move |request| serve(&known, request)).await;
        Self { server, pages }
    }

    /// A page at this target, 404 until it has content. Pages are found by path and query, else by path.
    pub fn topic(&self, target: &str) -> Topic {
        Topic {
            url: self.server.url(target),
            path: target.split('#').next().unwrap_or_default().to_owned(),
            pages: self.pages.clone(),
            requests: self.server.log(),
        }
    }

    /// The port, for URLs that name this server in another way.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// Every request so far, whatever its path.
    pub fn requests(&self) -> Vec<Request> {
        self.server.log().matching(|_| true)
    }
}

impl Topic {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves this text as `text/plain`, without any link.
    pub fn says(&self, text: &str) {
        self.serves(Reply::ok(text).header("Content-Type", "text/plain"));
    }

    /// Serves this. `ETag` and `Last-Modified` in it make it answer 304 to who has it.
    pub fn serves(&self, page: Reply) {
        lock(&self.pages).insert(self.path.clone(), page);
    }

    /// The requests for it so far.
    pub fn fetches(&self) -> Vec<Request> {
        self.requests.matching(|request| self.is_fetch(request))
    }

    /// Waits for so many fetches; gives the last of them.
    pub async fn fetch(&self, count: usize) -> Request {
        let found = self
            .requests
            .wait_for("a fetch", count, |request| self.is_fetch(request))
            .await;
        found
            .into_iter()
            .nth(count - 1)
            .expect("as many as waited for")
    }

    fn is_fetch(&self, request: &Request) -> bool {
        request.target == self.path
    }
}

/// The value of a `Link` header that names a topic's own URL and its hub.
pub fn links(topic: &str, hub: &str) -> String {
    format!("<{topic}>; rel=\"self\", <{hub}>; rel=\"hub\"")
}

fn serve(pages: &Pages, request: &Request) -> Reply {
    let pages = lock(pages);
    let page = pages
        .get(&request.target)
        .or_else(|| pages.get(request.path()));
    match page {
        None => Reply::status(404),
        Some(page) if is_known(page, request) => Reply::status(304),
        Some(page) => page.clone(),
    }
}

/// Whether the one who asks has this page already.
fn is_known(page: &Reply, request: &Request) -> bool {
    let Reply::Answer { headers, .. } = page else {
        return false;
    };
    let given = |name: &str| {
        let mut headers = headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    };
    match (given("ETag"), request.header("if-none-match")) {
        (Some(tag), Some(known)) => tag == known,
        _ => {
            let modified = given("Last-Modified");
            modified.is_some() && modified == request.header("if-modified-since")
        }
    }
}

fn lock(pages: &Pages) -> MutexGuard<'_, HashMap<String, Reply>> {
    pages.lock().unwrap_or_else(PoisonError::into_inner)
}
