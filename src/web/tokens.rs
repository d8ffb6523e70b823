//! Who may do what: an `Authorization` header comes in, and whether it opens the door goes out. Tokens are known by their
//! digests alone and compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use warp::http::{HeaderMap, header};

use super::problem::Problem;

/// The SHA-256 of a token.
pub type TokenDigest = [u8; 32];

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Push content, write hosted topics, see who has not got a publication.
    Publisher,
    /// All that, and subscriptions.
    Admin,
}

/// The tokens that the hub knows.
#[derive(Clone)]
pub struct Tokens {
    admin: TokenDigest,
    publishers: Vec<TokenDigest>,
}

impl Tokens {
    /// The administrator's token and the publishers', as digests.
    pub fn new(admin: TokenDigest, publishers: Vec<TokenDigest>) -> Self {
        Self { admin, publishers }
    }

    /// Lets a request pass whose token gives it the role, or a higher one.
    ///
    /// # Errors
    /// 401 without a token, 403 with another one.
    pub fn require(&self, role: Role, headers: &HeaderMap) -> Result<(), Problem> {
        let token = presented(headers).ok_or(Problem::NoToken)?;
        match (self.role_of(&token), role) {
            (Some(held), wanted) if held >= wanted => Ok(()),
            (Some(_), _) => Err(Problem::Forbidden(
                "a publisher's token does not do here; use the administrator's".into(),
            )),
            (None, _) => Err(Problem::Forbidden(
                "the hub does not know this token".into(),
            )),
        }
    }

    /// Takes the same time whatever the token is.
    fn role_of(&self, token: &str) -> Option<Role> {
        let shown = digest(token);
        let equal = |known: &TokenDigest| known.ct_eq(&shown);
        let publisher = self
            .publishers
            .iter()
            .fold(Choice::from(0), |any, known| any | equal(known));
        if equal(&self.admin).into() {
            Some(Role::Admin)
        } else {
            bool::from(publisher).then_some(Role::Publisher)
        }
    }
}

/// The token that a request shows: `Bearer <token>`, or `Basic` with the token as the password.
fn presented(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.trim().split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}

fn digest(token: &str) -> TokenDigest {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    fn require(role: Role, authorization: &str) -> u16 {
        let publishers = vec![digest("first-publisher"), digest("second-publisher")];
        let tokens = Tokens::new(digest("the-administrator"), publishers);
        let mut headers = HeaderMap::new();
        if !authorization.is_empty() {
            headers.insert(
                header::AUTHORIZATION,
                HeaderValue::from_str(authorization).unwrap(),
            );
        }
        tokens
            .require(role, &headers)
            .map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    #[test]
    fn a_token_opens_what_its_role_may() {
        let basic = |token: &str| format!("Basic {}", STANDARD.encode(format!("any:{token}")));
        for (authorization, publisher, admin) in [
            ("", 401, 401),
            ("Bearer", 401, 401),
            ("Digest x", 401, 401),
            ("Basic !!!", 401, 401),
            ("Bearer wrong", 403, 403),
            ("Bearer first-publisher", 200, 403),
            ("bearer second-publisher", 200, 403),
            ("Bearer the-administrator", 200, 200),
            (&basic("the-administrator"), 200, 200),
            (&basic("second-publisher"), 200, 403),
            (&basic(""), 403, 403),
        ] {
            assert_eq!(
                require(Role::Publisher, authorization),
                publisher,
                "{authorization}"
            );
            assert_eq!(
                require(Role::Admin, authorization),
                admin,
                "{authorization}"
            );
        }
    }
}
