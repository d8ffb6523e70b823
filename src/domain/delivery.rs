//! One attempt of a hook as it is kept for the operator: what was asked, and what came of it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::attempt::Attempt;
use super::event::EventName;
use super::hook::{ContentType, Hook, HookId};
use super::source::Dialect;
use super::value::{PublicationId, Timestamp};

/// How much is kept of the headers of a request, or of an answer, in bytes.
pub const HEADERS_MAX_BYTES: usize = 2048;

/// How many low bits of an id do not tell the time.
const LOW_BITS: u32 = 20;
/// How many of them are used: as many as its number has.
const USED_BITS: u32 = 12;
/// The most milliseconds since 1970 that an id can tell: it stays below 2^63.
const MILLIS_MAX: u64 = (1 << 43) - 1;
/// The first millisecond that a number tells: that of 2020.
const NUMBERED_FROM: u64 = 1_577_836_800_000;

/// Tells a delivery from the others of its hook, which sort as they were made: the time in milliseconds, then bits that tell those of
/// one millisecond apart.
///
/// To people and programs it is a number below 2^53 (until 2089), since scripts read any number as a double: the
/// milliseconds since 2020, then the lowest 12 bits. [`fmt::Display`], [`Self::parse`] and JSON have that one; a row of the store has the
/// id itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

impl DeliveryId {
    /// The id of a delivery at a time; of `low` the last 12 bits count.
    pub fn new(at: Timestamp, low: u32) -> Self {
        Self(Self::bound(at).0 | low_bits(low.into()))
    }

    /// A bound in time: not above any id that was made at `at` or later, and above those that were made before.
    pub fn bound(at: Timestamp) -> Self {
        Self(at.0.min(MILLIS_MAX) << LOW_BITS)
    }

    /// When it was made.
    pub fn made_at(self) -> Timestamp {
        Timestamp(self.0 >> LOW_BITS)
    }

    /// Reads a number.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::of_number)
    }

    fn number(self) -> u64 {
        let millis = self.made_at().0.saturating_sub(NUMBERED_FROM);
        millis << USED_BITS | low_bits(self.0)
    }

    fn of_number(number: u64) -> Self {
        let millis = (number >> USED_BITS) + NUMBERED_FROM;
        Self(Self::bound(Timestamp(millis)).0 | low_bits(number))
    }
}

fn low_bits(of: u64) -> u64 {
    of & ((1 << USED_BITS) - 1)
}

impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = match serializer.is_human_readable() {
            true => self.number(),
            false => self.0,
        };
        serializer.serialize_u64(number)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of = match deserializer.is_human_readable() {
            true => Self::of_number,
            false => Self,
        };
        u64::deserialize(deserializer).map(of)
    }
}

/// One attempt. The request's body is kept beside it, if it is one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// Whose.
    pub hook: HookId,
    /// What was delivered.
    pub publication: PublicationId,
    /// Which event that is.
    pub event: EventName,
    /// When it was tried, and what came of it.
    pub attempt: Attempt,
    /// Whether somebody asked for it to be delivered again.
    pub redelivery: bool,
    /// What was asked.
    pub request: Request,
    /// The headers of the answer, see [`kept_headers`].
    pub response_headers: Vec<(String, String)>,
}

/// What was asked of the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method of HTTP, or the command of another protocol.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The headers, see [`kept_headers`].
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RequestBody,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestBody {
    /// As `Default`, by a version that did not keep the dialect: the hook's present one is the best guess.
    Undated {
        /// Written how.
        content_type: ContentType,
    },
    /// One of its own, made by a template or a service.
    Own,
    /// That of the publication as a dialect writes it: it can be made again.
    Default(Writing),
}

/// How the body of a publication is written for a hook that has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writing {
    /// In this dialect.
    pub dialect: Dialect,
    /// In Pleroma's, with the key `type` for `event`.
    pub type_key: bool,
    /// As JSON, or in a form.
    pub content_type: ContentType,
}

impl Writing {
    /// What a hook gets as it is now.
    pub fn of(hook: &Hook, content_type: ContentType) -> Self {
        Self {
            dialect: hook.dialect,
            type_key: hook.type_key,
            content_type,
        }
    }
}

/// Headers as they are kept: in order, values made readable, and none behind the first one that would be too much.
pub fn kept_headers<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Vec<(String, String)> {
    let mut room = HEADERS_MAX_BYTES;
    let readable = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    readable
        .map_while(|(name, value)| {
            room = room.checked_sub(name.len() + value.len())?;
            Some((name, value))
        })
        .collect()
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The last millisecond whose numbers are below 2^53.
    const TOLD_UNTIL: u64 = NUMBERED_FROM + (1 << 41) - 1;

    proptest! {
        #[test]
        fn ids_sort_in_time_and_tell_it(
            earlier in 0..MILLIS_MAX, more in 1..1_000_u64, low: u32, other: u32,
        ) {
            let later = Timestamp((earlier + more).min(MILLIS_MAX));
            let earlier = Timestamp(earlier);
            let (one, two) = (DeliveryId::new(earlier, low), DeliveryId::new(later, other));
            prop_assert!(one < DeliveryId::bound(later) && DeliveryId::bound(later) <= two);
            prop_assert_eq!((one.made_at(), two.made_at()), (earlier, later));
        }

        #[test]
        fn scripts_read_its_number_exactly(at in NUMBERED_FROM..TOLD_UNTIL, low: u32) {
            let id = DeliveryId::new(Timestamp(at), low);
            let double: f64 = id.to_string().parse().expect("a number");
            prop_assert_eq!(format!("{double:.0}"), id.to_string());
            prop_assert_eq!(DeliveryId::parse(&id.to_string()), Some(id));
            let json = serde_json::to_string(&id).expect("JSON");
            prop_assert_eq!(&json, &id.to_string());
            prop_assert_eq!(serde_json::from_str::<DeliveryId>(&json).expect("an id"), id);
        }

        #[test]
        fn any_number_is_some_id(number: u64) {
            let id = DeliveryId::parse(&number.to_string()).expect("a number");
            prop_assert!(id.0 < 1 << 63);
        }

        #[test]
        fn headers_are_bounded(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..900), 0..8)) {
            let given = values.iter().map(|value| ("x-name", value.as_slice()));
            let kept = kept_headers(given);
            let size = |kept: &[(String, String)]| kept.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
            prop_assert!(size(&kept) <= HEADERS_MAX_BYTES);
            if let Some(next) = values.get(kept.len()) {
                let next = String::from_utf8_lossy(next).len() + "x-name".len();
                prop_assert!(size(&kept) + next > HEADERS_MAX_BYTES, "it would have fitted");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_made_readable() {
        let headers: [(&str, &[u8]); 2] = [("server", b"caf\xe9"), ("x", b"")];
        let kept = [("server", "caf\u{fffd}"), ("x", "")];
        let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(kept_headers(headers), kept);
    }
}
