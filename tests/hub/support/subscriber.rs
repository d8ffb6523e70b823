//! A subscriber: a server with callbacks that confirm and take deliveries, or do not, as a test wants it.
//! In: the behaviour of each callback. Out: its verifications, denials and deliveries.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::server::Requests;
use super::{Reply, Request, Server};

type Behaviours = Arc<Mutex<HashMap<String, Behaviour>>>;
type Confirm = Box<dyn FnMut(&str) -> Reply + Send>;

/// A server for any number of callbacks.
pub struct Subscriber {
    server: Server,
    behaviours: Behaviours,
}

/// One callback of a subscriber: it repeats challenges and answers 200 until told otherwise.
#[derive(Clone)]
pub struct Callback {
    url: String,
    path: String,
    behaviours: Behaviours,
    requests: Requests,
}

struct Behaviour {
    confirm: Confirm,
    denied: Reply,
    script: VecDeque<Reply>,
    then: Reply,
}

impl Subscriber {
    /// A subscriber on 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_on([127, 0, 0, 1].into()).await
    }

    /// A subscriber on another address.
    pub async fn start_on(ip: IpAddr) -> Self {
        let behaviours = Behaviours::default();
        let known = behaviours.clone();
        let server = Server::start_on(ip, move |request| reply(&known, request)).await;
        Self { server, behaviours }
    }

    /// A callback at this target, such as `/cb?user=7`. Its path must be its own.
    pub fn callback(&self, target: &str) -> Callback {
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let fresh = lock(&self.behaviours).insert(path.clone(), Behaviour::default());
        assert!(fresh.is_none(), "the path {path} has a callback already");
        Callback {
            url: self.server.url(target),
            path,
            behaviours: self.behaviours.clone(),
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

impl Callback {
    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers verifications so, given the challenge.
    pub fn confirm_with(&self, confirm: impl FnMut(&str) -> Reply + Send + 'static) {
        self.change(|behaviour| behaviour.confirm = Box::new(confirm));
    }

    /// Answers denials so.
    pub fn take_denials_with(&self, reply: Reply) {
        self.change(|behaviour| behaviour.denied = reply);
    }

    /// Answers the next deliveries so, one after the other; the ones after those with 200.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.change(|behaviour| behaviour.script.extend(replies));
    }

    /// Answers every delivery so from now on.
    pub fn always(&self, reply: Reply) {
        self.change(|behaviour| {
            behaviour.script.clear();
            behaviour.then = reply;
        });
    }

    /// The verification requests so far.
    pub fn verifications(&self) -> Vec<Request> {
        self.requests
            .matching(|request| self.is_verification(request))
    }

    /// The deliveries so far.
    pub fn deliveries(&self) -> Vec<Request> {
        self.requests.matching(|request| self.is_delivery(request))
    }

    /// The denials so far.
    pub fn denials(&self) -> Vec<Request> {
        self.requests.matching(|request| self.is_denial(request))
    }

    /// Waits for so many verifications; gives the last of them.
    pub async fn verification(&self, count: usize) -> Request {
        let found = self
            .requests
            .wait_for("a verification", count, |request| {
                self.is_verification(request)
            })
            .await;
        found
            .into_iter()
            .nth(count - 1)
            .expect("as many as waited for")
    }

    /// Waits for so many deliveries; gives the last of them.
    pub async fn delivery(&self, count: usize) -> Request {
        let found = self
            .requests
            .wait_for("a delivery", count, |request| self.is_delivery(request))
            .await;
        found
            .into_iter()
            .nth(count - 1)
            .expect("as many as waited for")
    }

    /// Waits for a denial.
    pub async fn denial(&self) -> Request {
        let found = self
            .requests
            .wait_for("a denial", 1, |request| self.is_denial(request))
            .await;
        found.into_iter().next().expect("one was waited for")
    }

    fn is_verification(&self, request: &Request) -> bool {
        request.path() == self.path && request.method == "GET" && !is_denied(request)
    }

    fn is_denial(&self, request: &Request) -> bool {
        request.path() == self.path && request.method == "GET" && is_denied(request)
    }

    fn is_delivery(&self, request: &Request) -> bool {
        request.path() == self.path && request.method == "POST"
    }

    fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(
            lock(&self.behaviours)
                .get_mut(&self.path)
                .expect("registered"),
        );
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            confirm: Box::new(|challenge| Reply::ok(challenge)),
            denied: Reply::status(200),
            script: VecDeque::new(),
            then: Reply::status(200),
        }
    }
}

fn reply(behaviours: &Behaviours, request: &Request) -> Reply {
    let mut behaviours = lock(behaviours);
    let Some(behaviour) = behaviours.get_mut(request.path()) else {
        return Reply::status(404);
    };
    match request.method.as_str() {
        "GET" if is_denied(request) => behaviour.denied.clone(),
        "GET" => (behaviour.confirm)(&request.param("hub.challenge").unwrap_or_default()),
        "POST" => behaviour
            .script
            .pop_front()
            .unwrap_or_else(|| behaviour.then.clone()),
        _ => Reply::status(405),
    }
}

fn is_denied(request: &Request) -> bool {
    request.param("hub.mode").as_deref() == Some("denied")
}

fn lock(behaviours: &Behaviours) -> std::sync::MutexGuard<'_, HashMap<String, Behaviour>> {
    behaviours.lock().unwrap_or_else(PoisonError::into_inner)
}
