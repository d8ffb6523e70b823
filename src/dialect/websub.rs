//! WebSub: the content goes out as it is, and the headers say whose it is (REC section 7).
//! In: a publication and the subscription that gets it, or an event and a hook. Out: the headers; the body is the content itself.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, USER_AGENT};

use super::signature::{HUB_BOTH, Scheme};
use super::{DELIVERY, EVENT, Grammar, Occasion, value};
use crate::domain::hook::Hook;
use crate::domain::json::Json;
use crate::domain::link;
use crate::domain::publication::Publication;
use crate::domain::signature::{Method, sign};
use crate::domain::value::{Secret, TargetId};

/// The signature under the subscription's method (HUB-50).
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature");
/// The SHA-256 signature beside it (websub.md rule 3).
const SIGNATURE_256: HeaderName = HeaderName::from_static("x-hub-signature-256");
/// How many headers a delivery has at the most, with the `Host` that the sender adds.
const HEADERS: usize = 7;

/// A publication made ready for all its deliveries: what they have in common is made once.
#[derive(Debug)]
pub struct Edition {
    publication: Publication,
    body: Bytes,
    common: [(HeaderName, HeaderValue); 3],
}

impl Edition {
    /// Prepares a publication. `user_agent` names the hub.
    pub fn new(publication: Publication, body: Bytes, user_agent: &HeaderValue) -> Self {
        let links = link::format(&publication.self_url, &publication.hubs);
        let common = [
            (CONTENT_TYPE, value(publication.content_type.clone())),
            (LINK, value(links)),
            (USER_AGENT, user_agent.clone()),
        ];
        Self {
            publication,
            body,
            common,
        }
    }

    /// The publication.
    pub fn publication(&self) -> &Publication {
        &self.publication
    }

    /// The content.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The headers of the delivery to one target. Without a secret there is no signature (HUB-52).
    pub fn headers(&self, target: TargetId, secret: Option<&Secret>, method: Method) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        for (name, value) in &self.common {
            headers.insert(name, value.clone());
        }
        let delivery = self.publication.id.delivery(target);
        headers.insert(DELIVERY, value(delivery.to_string()));
        if let Some(secret) = secret {
            let beside = value(sign(Method::Sha256, secret, &self.body));
            let signature = match method {
                Method::Sha256 => beside.clone(),
                other => value(sign(other, secret, &self.body)),
            };
            headers.insert(SIGNATURE, signature);
            headers.insert(SIGNATURE_256, beside);
        }
        headers
    }
}

/// The dialect of hooks that a subscriber's own code can read: the event's topic in the links, its name in a header.
pub(super) struct Websub;

impl Grammar for Websub {
    fn catalogue(&self) -> &'static [&'static str] {
        &[]
    }

    fn schemes(&self) -> &'static [Scheme] {
        &HUB_BOTH
    }

    fn headers(&self, occasion: &Occasion<'_>, _: &Hook, _: &Bytes, headers: &mut HeaderMap) {
        let topic = occasion
            .source
            .topic(occasion.public_url, &occasion.event.name);
        let links = link::format(topic.as_str(), &[occasion.public_url]);
        headers.insert(LINK, value(links));
        headers.insert(EVENT, value(occasion.event.name.to_string()));
    }

    fn incoming_name(&self, headers: &HeaderMap, _: &Json) -> Option<String> {
        let name = headers.get(EVENT)?.to_str().ok()?;
        Some(name.to_owned())
    }

    fn names_it_in(&self) -> &'static str {
        "the header X-Fanfare-Event"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::{CallbackUrl, PublicationId, Timestamp, TopicUrl};

    fn edition() -> Edition {
        let publication = Publication {
            id: PublicationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").expect("an id"),
            topic: TopicUrl::parse("http://t.example/feed").expect("a topic"),
            content_type: "text/plain; charset=UTF-8".into(),
            self_url: "http://t.example/feed".into(),
            hubs: vec!["http://hub.example/".into()],
            size: 2,
            accepted_at: Timestamp(0),
            event: None,
        };
        Edition::new(
            publication,
            Bytes::from_static(b"hi"),
            &HeaderValue::from_static("Fanfare/0"),
        )
    }

    fn target() -> TargetId {
        TargetId {
            topic: TopicUrl::parse("http://t.example/feed")
                .expect("a topic")
                .id(),
            callback: CallbackUrl::parse("http://c.example/")
                .expect("a callback")
                .id(),
        }
    }

    #[test]
    fn without_a_secret_nothing_is_signed() {
        let headers = edition().headers(target(), None, Method::Sha1);
        assert_eq!(headers["content-type"], "text/plain; charset=UTF-8");
        assert_eq!(
            headers["link"],
            "<http://t.example/feed>; rel=\"self\", <http://hub.example/>; rel=\"hub\""
        );
        assert!(
            headers
                .keys()
                .all(|name| !name.as_str().contains("signature"))
        );
    }

    #[test]
    fn the_standard_header_carries_the_method_and_sha256_stands_beside_it() {
        let secret = Secret::parse("hush").expect("a secret");
        for method in Method::ALL {
            let headers = edition().headers(target(), Some(&secret), method);
            assert_eq!(
                headers["x-hub-signature"],
                sign(method, &secret, b"hi").as_str()
            );
            assert_eq!(
                headers["x-hub-signature-256"],
                sign(Method::Sha256, &secret, b"hi").as_str()
            );
        }
    }

    #[test]
    fn the_delivery_id_is_the_same_on_every_repeat_and_another_for_another_target() {
        let id =
            |target| edition().headers(target, None, Method::Sha1)["x-fanfare-delivery"].clone();
        let mut other = target();
        other.callback.0[0] ^= 1;
        assert_eq!(id(target()), id(target()));
        assert_ne!(id(target()), id(other));
    }
}
