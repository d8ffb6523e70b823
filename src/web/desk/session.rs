//! Sessions: who has signed in with a token is known by a cookie. In: cookies of requests. Out: the token that each stands for.
//!
//! Invariants:
//!
//! 1. A session is worth no more than its token: only the token's digest is kept, and it is looked up with each request.
//! 2. Of a session's id only the digest is kept, in memory: a restart signs everybody out.
//! 3. Another site can use no session: its requests do not carry the cookie (`SameSite=Strict`), and what changes something also
//!    takes a header that a form cannot send, from the hub's own origin.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::super::call::Call;
use super::super::problem::Problem;
use crate::domain::token::{TokenDigest, digest};
use crate::domain::value::Timestamp;
use crate::flow::clock::random_bytes;

/// The cookie's name.
const COOKIE: &str = "fanfare_session";
/// What a request that changes something carries beside the cookie.
const HEADER: HeaderName = HeaderName::from_static("x-fanfare-page");
/// A session ends when it has not been used for this long.
pub const IDLE: Duration = Duration::from_secs(2 * 60 * 60);
/// A session ends after this long, used or not.
pub const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// The most sessions; the one that was not used for longest makes room for a new one.
const MOST: usize = 1_000;

/// The sessions, by the digests of their ids.
#[derive(Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// One who is signed in.
struct Session {
    token: TokenDigest,
    begun: Timestamp,
    used: Timestamp,
}

impl Sessions {
    /// Begins one for the holder of a token; its id comes back, for the cookie.
    pub fn begin(&self, token: TokenDigest, now: Timestamp) -> String {
        let id = hex::encode(random_bytes::<32>());
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.is_live(now));
        if sessions.len() >= MOST {
            let idlest = sessions.iter().min_by_key(|(_, session)| session.used);
            if let Some(idlest) = idlest.map(|(key, _)| *key) {
                sessions.remove(&idlest);
            }
        }
        let (begun, used) = (now, now);
        sessions.insert(digest(&id), Session { token, begun, used });
        id
    }

    /// The token that a request's cookie stands for, and until when at most. It has been used now.
    pub fn token(&self, headers: &HeaderMap, now: Timestamp) -> Option<(TokenDigest, Timestamp)> {
        let id = digest(cookie(headers)?);
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id).filter(|it| it.is_live(now))?;
        session.used = now;
        Some((session.token, session.begun.plus(LIFETIME)))
    }

    /// Ends the session of a request's cookie.
    pub fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers) {
            self.lock().remove(&digest(id));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_live(&self, now: Timestamp) -> bool {
        now < self.begun.plus(LIFETIME) && now < self.used.plus(IDLE)
    }
}

/// Lets a request pass unless it is a session's and changes something without coming from the hub's own page.
///
/// # Errors
/// 403 says which header is missing, or what it says.
pub fn check(call: &Call, hub: &str) -> Result<(), Problem> {
    let changes = !matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let by_cookie = !call.headers.contains_key(header::AUTHORIZATION);
    if !changes || !by_cookie || cookie(&call.headers).is_none() {
        return Ok(());
    }
    if !call.headers.contains_key(HEADER) {
        return Err(Problem::Forbidden(format!(
            "a session may change nothing without the header {HEADER}; the page sends it, and programs do better with a token"
        )));
    }
    check_origin(&call.headers, hub)
}

/// Lets a request pass that comes from the hub's own pages, or from no page at all.
///
/// # Errors
/// 403 names the origin.
pub fn check_origin(headers: &HeaderMap, hub: &str) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = |origin: &str| {
        Problem::Forbidden(format!(
            "this comes from {origin}, and a session is for the hub's own page only"
        ))
    };
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return match site {
            "same-origin" | "none" => Ok(()),
            _ => Err(foreign("another site's page")),
        };
    }
    let Some(origin) = text(header::ORIGIN) else {
        return Ok(());
    };
    let given = Url::parse(origin).ok();
    let is_public = Url::parse(hub).is_ok_and(|hub| {
        let given = given.as_ref().map(Url::origin);
        given.is_some_and(|given| given == hub.origin())
    });
    let authority = given
        .as_ref()
        .map(|url| &url[url::Position::BeforeHost..url::Position::AfterPort]);
    match is_public || authority.is_some() && authority == text(header::HOST) {
        true => Ok(()),
        false => Err(foreign(origin)),
    }
}

/// The `Set-Cookie` that makes a browser keep a session's id; an empty id makes it forget. Only scripts of nobody see it, and it goes
/// to the hub alone: over https only where the hub is reached so.
pub fn set_cookie(id: &str, hub: &str) -> String {
    let hub = Url::parse(hub).ok();
    let path = hub.as_ref().map_or("/", Url::path);
    let secure = match hub.as_ref().map(Url::scheme) {
        Some("https") => "; Secure",
        _ => "",
    };
    let age = if id.is_empty() { 0 } else { LIFETIME.as_secs() };
    format!("{COOKIE}={id}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

/// Takes a session out of the headers of a request that others will see: whoever has its id is signed in.
pub fn hide(headers: &mut HeaderMap) {
    let is_own = |pair: &&[u8]| {
        let value = pair.strip_prefix(COOKIE.as_bytes());
        value.is_some_and(|value| value.trim_ascii_start().starts_with(b"="))
    };
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    let (own, others): (Vec<_>, Vec<_>) = pairs.map(<[u8]>::trim_ascii).partition(is_own);
    if own.is_empty() {
        return;
    }
    let others = HeaderValue::from_bytes(&others.join(&b"; "[..]));
    headers.remove(header::COOKIE);
    if let Ok(others) = others
        && !others.is_empty()
    {
        headers.insert(header::COOKIE, others);
    }
}

/// The session's id in a request.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, id) = pairs.find(|(name, id)| *name == COOKIE && !id.is_empty())?;
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://hub.example/";
    const TOKEN: TokenDigest = [7; 32];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let value = HeaderValue::from_str(value).expect("a value");
            (HeaderName::from_static(name), value)
        };
        pairs.iter().map(pair).collect()
    }

    fn with(id: &str) -> HeaderMap {
        headers(&[("cookie", &format!("theme=dark; {COOKIE}={id}"))])
    }

    fn at(span: Duration) -> Timestamp {
        Timestamp(1_000_000).plus(span)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_in_any_case_at_its_end() {
        let sessions = Sessions::default();
        let cookie = with(&sessions.begin(TOKEN, at(Duration::ZERO)));
        let second = Duration::from_secs(1);
        let found = |span| sessions.token(&cookie, at(span)).is_some();
        let mut used = Duration::ZERO;
        while used + IDLE < LIFETIME {
            used += IDLE - second;
            assert!(found(used));
        }
        assert!(found(LIFETIME - second) && !found(LIFETIME));

        let idle = with(&sessions.begin(TOKEN, at(Duration::ZERO)));
        assert!(sessions.token(&idle, at(IDLE)).is_none());
    }

    #[test]
    fn only_the_id_that_was_given_opens_it_and_until_it_is_ended() {
        let sessions = Sessions::default();
        let now = at(Duration::ZERO);
        let cookie = with(&sessions.begin(TOKEN, now));
        let token = |headers: &HeaderMap| sessions.token(headers, now).map(|(token, _)| token);
        assert_eq!(token(&cookie), Some(TOKEN));
        for other in [with(""), with(&"0".repeat(64)), HeaderMap::new()] {
            assert_eq!(token(&other), None);
        }
        sessions.end(&cookie);
        assert_eq!(token(&cookie), None);
    }

    #[test]
    fn there_is_room_for_so_many_and_the_idlest_makes_room() {
        let sessions = Sessions::default();
        let now = at(Duration::ZERO);
        let first = with(&sessions.begin(TOKEN, now));
        let second = with(&sessions.begin(TOKEN, now));
        let later = at(Duration::from_secs(1));
        assert!(sessions.token(&first, later).is_some());
        for _ in 2..=MOST {
            sessions.begin(TOKEN, later);
        }
        assert!(sessions.token(&second, later).is_none());
        assert!(sessions.token(&first, later).is_some());
    }

    #[test]
    fn only_the_hubs_own_page_and_programs_pass() {
        for (given, passes) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("origin", "https://hub.example")], true),
            (&[("origin", "https://hub.example:8443")], false),
            (&[("origin", "http://hub.example")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (
                &[
                    ("origin", "http://10.0.0.1:8080"),
                    ("host", "10.0.0.1:8080"),
                ],
                true,
            ),
            (
                &[("origin", "http://evil.example"), ("host", "10.0.0.1:8080")],
                false,
            ),
        ] {
            assert_eq!(
                check_origin(&headers(given), HUB).is_ok(),
                passes,
                "{given:?}"
            );
        }
    }

    #[test]
    fn what_others_see_has_no_session_in_it() {
        let id = "0".repeat(64);
        for (given, left) in [
            ("theme=dark", Some("theme=dark")),
            (&format!("{COOKIE}={id}"), None),
            (
                &format!("theme=dark; {COOKIE} ={id};a=\u{e9}"),
                Some("theme=dark; a=\u{e9}"),
            ),
            ("x_fanfare_session=1", Some("x_fanfare_session=1")),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(given.as_bytes()).expect("a value");
            headers.insert(header::COOKIE, value);
            hide(&mut headers);
            let found = headers.get(header::COOKIE).map(HeaderValue::as_bytes);
            assert_eq!(found, left.map(str::as_bytes), "{given}");
        }
    }

    #[test]
    fn the_cookie_is_for_the_hub_alone() {
        let cookie = set_cookie("abc", "https://example.org/hub/");
        for part in [
            "=abc;",
            "Path=/hub/",
            "HttpOnly",
            "SameSite=Strict",
            "Secure",
        ] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!set_cookie("abc", "http://127.0.0.1:8080/").contains("Secure"));
        assert!(set_cookie("", HUB).contains("Max-Age=0"));
    }
}
