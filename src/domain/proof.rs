//! The proof that a callback is someone's: a text that was sent there, good for one subscription and for a while. In: the hub's key, a
//! subscription, a time. Out: the text, or whether one is right. Nothing is kept of it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::value::{TargetId, Timestamp};

/// Digits of the time in front.
const TIME_DIGITS: usize = 16;

/// A key that only this process has.
#[derive(Clone)]
pub struct ProofKey([u8; 32]);

impl ProofKey {
    /// Of bytes that nobody can guess.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The proof for a subscription that is good until a time: the time, and an HMAC over both, in hexadecimal digits.
    pub fn write(&self, target: TargetId, until: Timestamp) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        let mac = mac
            .chain_update(target.topic.0)
            .chain_update(target.callback.0)
            .chain_update(until.0.to_be_bytes())
            .finalize();
        format!("{:016x}{}", until.0, hex::encode(mac.into_bytes()))
    }

    /// Whether a text is a proof for a subscription, and still good.
    pub fn accepts(&self, text: &str, target: TargetId, now: Timestamp) -> bool {
        let digits = text.get(..TIME_DIGITS);
        let until = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let until = Timestamp(until.unwrap_or(0));
        let expected = self.write(target, until);
        let is_right: bool = expected.as_bytes().ct_eq(text.as_bytes()).into();
        is_right && now < until
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::{CallbackId, TopicId};
    use super::*;

    const TARGET: TargetId = TargetId {
        topic: TopicId([1; 16]),
        callback: CallbackId([2; 16]),
    };

    #[test]
    fn a_proof_is_good_for_its_subscription_its_time_and_its_key_only() {
        let key = ProofKey::new([7; 32]);
        let proof = key.write(TARGET, Timestamp(1_000));
        let other = TargetId {
            callback: CallbackId([3; 16]),
            ..TARGET
        };
        assert!(key.accepts(&proof, TARGET, Timestamp(999)));
        assert!(!key.accepts(&proof, TARGET, Timestamp(1_000)));
        assert!(!key.accepts(&proof, other, Timestamp(0)));
        assert!(!ProofKey::new([8; 32]).accepts(&proof, TARGET, Timestamp(0)));
        let longer = format!("{:016x}{}", 9_000, &proof[TIME_DIGITS..]);
        for text in ["", "x", "ä", &proof[1..], &longer, &proof.to_uppercase()] {
            assert!(!key.accepts(text, TARGET, Timestamp(0)), "{text}");
        }
    }
}
