//! Who may do what: an `Authorization` header or a session's cookie comes in, and whether it opens the door goes out. Tokens are known by
//! their digests alone; those of the settings are compared in constant time, those that the hub gave out are looked up.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq as _};
use uuid::Uuid;
use warp::http::{HeaderMap, header};

use super::desk::session::{LIFETIME, Sessions};
use super::problem::Problem;
use crate::domain::event::EventPattern;
use crate::domain::source::SourceName;
pub use crate::domain::token::{Role, TokenDigest};
use crate::domain::token::{SourcePattern, Token, digest};
use crate::domain::value::Timestamp;
use crate::flow::Hub;

/// What stands for the user where GitHub's clients put the token into the place of the user name.
const NO_PASSWORD: &str = "x-oauth-basic";

/// The tokens of the settings: they are good everywhere, and do not expire.
#[derive(Clone)]
pub struct Tokens(Vec<Arc<Token>>);

/// Those, those that the hub gave out, and the sessions that were begun with any of them.
pub struct Keyring {
    settings: Tokens,
    sessions: Sessions,
    hub: Arc<Hub>,
}

impl Tokens {
    /// The administrator's token and the publishers', as digests.
    pub fn new(admin: TokenDigest, publishers: Vec<TokenDigest>) -> Self {
        let admin = unbounded("auth.admin_token", Role::Admin, admin);
        let publishers = publishers
            .into_iter()
            .map(|digest| unbounded("auth.publisher_tokens", Role::Publisher, digest));
        Self([admin].into_iter().chain(publishers).collect())
    }

    /// The token with a digest. Takes the same time whatever the digest is.
    fn find(&self, shown: &TokenDigest) -> Option<&Arc<Token>> {
        let mut found = None;
        let mut any = Choice::from(0);
        for token in &self.0 {
            let equal = token.digest.ct_eq(shown);
            if bool::from(equal & !any) {
                found = Some(token);
            }
            any |= equal;
        }
        found
    }
}

impl Keyring {
    /// The tokens of the settings, and those of the hub.
    pub fn new(settings: Tokens, hub: Arc<Hub>) -> Self {
        Self {
            settings,
            sessions: Sessions::default(),
            hub,
        }
    }

    /// The token that a request shows, or that its session was begun with.
    ///
    /// # Errors
    /// 401 without a token, 403 with one that the hub does not know.
    pub fn holder(&self, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
        Ok(self.presence(headers)?.0)
    }

    /// The same, and when its session ends at the latest, if it is a session.
    ///
    /// # Errors
    /// As [`Self::holder`].
    pub fn presence(
        &self,
        headers: &HeaderMap,
    ) -> Result<(Arc<Token>, Option<Timestamp>), Problem> {
        if let Some(shown) = presented(headers) {
            return Ok((
                self.known(&digest(&shown)).ok_or(Problem::UnknownToken)?,
                None,
            ));
        }
        let session = self.sessions.token(headers, self.hub.clock.now());
        // A session whose token was revoked is over: whoever it was signs in anew.
        let (token, ends_at) = session.ok_or(Problem::NoToken)?;
        let token = self.known(&token).ok_or(Problem::NoToken)?;
        Ok((token, Some(ends_at)))
    }

    /// Begins a session for whoever shows a token. Its id comes back, and when it ends at the latest.
    ///
    /// # Errors
    /// 403 with a token that the hub does not know.
    pub fn sign_in(&self, shown: &str) -> Result<(Arc<Token>, String, Timestamp), Problem> {
        let token = self.known(&digest(shown)).ok_or(Problem::UnknownToken)?;
        let now = self.hub.clock.now();
        let id = self.sessions.begin(token.digest, now);
        tracing::info!(token.id = %token.id, token.name, token.role = token.role.name(), "signed in");
        Ok((token, id, now.plus(LIFETIME)))
    }

    /// Ends a request's session.
    pub fn sign_out(&self, headers: &HeaderMap) {
        self.sessions.end(headers);
    }

    fn known(&self, digest: &TokenDigest) -> Option<Arc<Token>> {
        let of_settings = self.settings.find(digest).cloned();
        of_settings.or_else(|| self.hub.token(digest))
    }

    /// Lets a request pass whose token gives it the role, or a higher one, for all sources and events.
    ///
    /// # Errors
    /// 401 without a token, 403 with another one.
    pub fn require(&self, role: Role, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
        let token = self.holder(headers)?;
        match token.may_everywhere(role) {
            true => Ok(token),
            false if token.role < role => Err(too_weak(&token, role)),
            false => Err(Problem::Forbidden(format!(
                "this is about no source in particular, and the token is for {} only",
                scope(&token)
            ))),
        }
    }

    /// Lets a request pass whose token gives it the role, or a higher one, in a source: for every event that the pattern
    /// matches, or whatever event it is about.
    ///
    /// # Errors
    /// 401 without a token, 403 with another one.
    pub fn require_in(
        &self,
        role: Role,
        source: &SourceName,
        events: Option<&EventPattern>,
        headers: &HeaderMap,
    ) -> Result<Arc<Token>, Problem> {
        let token = self.holder(headers)?;
        let may = match events {
            Some(events) => token.may_for(role, source, events),
            None => token.may(role, source),
        };
        if may {
            return Ok(token);
        }
        if token.role < role {
            return Err(too_weak(&token, role));
        }
        let what = match events.filter(|_| token.may(role, source)) {
            Some(events) => format!("{events} of {source}"),
            None => source.to_string(),
        };
        Err(Problem::Forbidden(format!(
            "this is about {what}, and the token is for {} only",
            scope(&token)
        )))
    }
}

fn unbounded(name: &str, role: Role, digest: TokenDigest) -> Arc<Token> {
    Arc::new(Token {
        id: Uuid::nil(),
        name: name.to_owned(),
        digest,
        role,
        sources: vec![SourcePattern::All],
        events: Vec::new(),
        created_at: Timestamp::default(),
        expires_at: None,
    })
}

fn too_weak(token: &Token, role: Role) -> Problem {
    Problem::Forbidden(format!(
        "the role {} does not do here; it takes {}",
        token.role.name(),
        role.name()
    ))
}

/// Where a token is good, in words.
fn scope(token: &Token) -> String {
    let listed = |patterns: Vec<String>| match patterns.is_empty() {
        true => "nothing".to_owned(),
        false => patterns.join(", "),
    };
    let sources = listed(token.sources.iter().map(ToString::to_string).collect());
    match token.events.is_empty() {
        true => sources,
        false => {
            let events = listed(token.events.iter().map(ToString::to_string).collect());
            format!("{events} of {sources}")
        }
    }
}

/// The token that a request shows: `Bearer <token>`, `token <token>`, or `Basic` with the token as the password, or as the
/// user name if there is no password.
fn presented(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.trim().split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(match password {
        "" | NO_PASSWORD => user.to_owned(),
        password => password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;
    use crate::flow::tests::hub;
    use crate::flow::tokens::TokenDraft;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            let value = HeaderValue::from_str(authorization).unwrap();
            headers.insert(header::AUTHORIZATION, value);
        }
        headers
    }

    fn status(answer: Result<Arc<Token>, Problem>) -> u16 {
        answer.map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    fn keyring(folder: &tempfile::TempDir) -> Keyring {
        let publishers = vec![digest("first-publisher"), digest("second-publisher")];
        Keyring::new(
            Tokens::new(digest("the-administrator"), publishers),
            hub(folder),
        )
    }

    #[tokio::test]
    async fn a_token_opens_what_its_role_may() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = keyring(&folder);
        for (authorization, publisher, admin) in [
            ("", 401, 401),
            ("Bearer", 401, 401),
            ("Digest x", 401, 401),
            ("Basic !!!", 401, 401),
            ("Bearer wrong", 403, 403),
            ("Bearer first-publisher", 200, 403),
            ("bearer second-publisher", 200, 403),
            ("token second-publisher", 200, 403),
            ("Bearer the-administrator", 200, 200),
            (&basic("any:the-administrator"), 200, 200),
            (&basic("the-administrator:"), 200, 200),
            (&basic("the-administrator:x-oauth-basic"), 200, 200),
            (&basic("any:second-publisher"), 200, 403),
            (&basic("any:"), 403, 403),
        ] {
            let headers = headers(authorization);
            let asked = |role| status(keyring.require(role, &headers));
            assert_eq!(asked(Role::Publisher), publisher, "{authorization}");
            assert_eq!(asked(Role::Admin), admin, "{authorization}");
        }
        keyring.hub.store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_token_that_was_given_out_opens_its_sources_and_events() {
        let folder = tempfile::tempdir().unwrap();
        let keyring = keyring(&folder);
        let source = |text| SourceName::parse(text).unwrap();
        let pattern = |text: &str| EventPattern::parse(text).unwrap();
        let draft = TokenDraft {
            name: "of a test".into(),
            role: Role::Publisher,
            sources: vec![SourcePattern::parse("social").unwrap()],
            events: vec![pattern("account.*")],
            expires_at: None,
        };
        let (token, text) = keyring.hub.issue_token(draft).await.unwrap();
        let headers = headers(&format!("Bearer {text}"));
        let asked = |role, name, events: Option<&str>| {
            let events = events.map(pattern);
            let answer = keyring.require_in(role, &source(name), events.as_ref(), &headers);
            answer.map_or_else(|problem| problem.to_string(), |_| "yes".into())
        };
        assert_eq!(
            asked(Role::Publisher, "social", Some("account.created")),
            "yes"
        );
        assert_eq!(asked(Role::Reader, "Social", None), "yes");
        for (role, name, events, words) in [
            (
                Role::Publisher,
                "social",
                Some("report.created"),
                "report.created of social",
            ),
            (Role::Publisher, "social", Some("*"), "* of social"),
            (
                Role::Publisher,
                "other",
                Some("account.created"),
                "for account.* of social",
            ),
            (Role::Manager, "social", None, "it takes manager"),
        ] {
            let said = asked(role, name, events);
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(status(keyring.require(Role::Publisher, &headers)), 403);
        assert!(keyring.hub.revoke_token(token.id).await.unwrap());
        assert!(
            keyring.holder(&headers).is_err(),
            "it is worth nothing at once"
        );
        assert!(!keyring.hub.revoke_token(token.id).await.unwrap());
        keyring.hub.store.close().await.unwrap();
    }
}
