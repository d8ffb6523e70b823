//! What the hub has done so far, as numbers that only grow. In: each attempt as it ends. Out: readings; the difference of two says what was
//! done between them, so that many may watch and none holds up the deliveries.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Latencies are told apart by their highest bit in microseconds and by so many bits below it: to an eighth.
const FINE_BITS: u32 = 3;
/// The places of latencies of up to half an hour.
const PLACES: usize = 31 << FINE_BITS;

/// The numbers.
pub struct Odometer {
    delivered: AtomicU64,
    failed: AtomicU64,
    given_up: AtomicU64,
    published: AtomicU64,
    latencies: [AtomicU64; PLACES],
}

/// The numbers at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    delivered: u64,
    failed: u64,
    given_up: u64,
    published: u64,
    latencies: [u64; PLACES],
}

/// What was done between two readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Deliveries that were answered with success.
    pub delivered: u64,
    /// Attempts that were not.
    pub failed: u64,
    /// Publications that were given up for a target.
    pub given_up: u64,
    /// Publications that were accepted.
    pub published: u64,
    /// Half of all attempts took no longer; none, no attempt.
    pub p50: Option<Duration>,
    /// 99 of 100 took no longer.
    pub p99: Option<Duration>,
}

impl Default for Odometer {
    fn default() -> Self {
        Self {
            delivered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
            published: AtomicU64::new(0),
            latencies: array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Odometer {
    /// An attempt has ended.
    pub(super) fn attempt(&self, delivered: bool, took: Duration) {
        let count = if delivered {
            &self.delivered
        } else {
            &self.failed
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.latencies[place(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn given_up(&self, count: usize) {
        self.given_up.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn published(&self) {
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers now.
    pub fn read(&self) -> Reading {
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Reading {
            delivered: load(&self.delivered),
            failed: load(&self.failed),
            given_up: load(&self.given_up),
            published: load(&self.published),
            latencies: array::from_fn(|place| load(&self.latencies[place])),
        }
    }
}

impl Reading {
    /// What was done since an earlier one.
    pub fn since(&self, earlier: &Self) -> Stretch {
        let took = |place| self.latencies[place] - earlier.latencies[place];
        let latencies: [u64; PLACES] = array::from_fn(took);
        Stretch {
            delivered: self.delivered - earlier.delivered,
            failed: self.failed - earlier.failed,
            given_up: self.given_up - earlier.given_up,
            published: self.published - earlier.published,
            p50: quantile(&latencies, 50),
            p99: quantile(&latencies, 99),
        }
    }
}

/// Where a latency is counted: as it is up to 2^FINE_BITS, and then by its first bits.
fn place(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(FINE_BITS + 1);
    let place = ((shift as usize) << FINE_BITS) + (micros >> shift) as usize;
    place.min(PLACES - 1)
}

/// The longest latency that is counted at a place.
fn longest(place: usize) -> Duration {
    let fine = 1 << FINE_BITS;
    let shift = (place / fine).saturating_sub(1);
    let first = (place - shift * fine) as u64;
    Duration::from_micros(((first + 1) << shift) - 1)
}

/// What so many of a hundred do not exceed.
fn quantile(latencies: &[u64; PLACES], percent: u64) -> Option<Duration> {
    let all: u64 = latencies.iter().sum();
    let wanted = (all * percent).div_ceil(100).max(1);
    let mut passed = 0;
    let place = latencies.iter().position(|count| {
        passed += count;
        passed >= wanted
    })?;
    Some(longest(place))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn what_was_done_between_two_readings_is_their_difference() {
        let odometer = Odometer::default();
        odometer.attempt(true, MILLI);
        let before = odometer.read();
        for milli in 1..=100 {
            odometer.attempt(milli % 10 != 0, milli * MILLI);
        }
        odometer.given_up(3);
        odometer.published();
        let stretch = odometer.read().since(&before);
        let counted = (
            stretch.delivered,
            stretch.failed,
            stretch.given_up,
            stretch.published,
        );
        assert_eq!(counted, (90, 10, 3, 1));
        let near = |found: Option<Duration>, exact: Duration| {
            found.is_some_and(|found| exact <= found && found <= exact * 9 / 8)
        };
        assert!(near(stretch.p50, 50 * MILLI), "{stretch:?}");
        assert!(near(stretch.p99, 99 * MILLI), "{stretch:?}");
        assert_eq!(before.since(&before), Stretch::default());
    }

    proptest! {
        #[test]
        fn a_latency_is_told_to_an_eighth(micros in 0_u64..1_800_000_000) {
            let took = Duration::from_micros(micros);
            let told = longest(place(took));
            prop_assert!(took <= told && told.as_micros() <= u128::from(micros + micros / 8));
            prop_assert!(place(told) == place(took));
        }
    }

    #[test]
    fn there_is_a_place_for_every_latency() {
        assert_eq!(place(Duration::ZERO), 0);
        assert_eq!(place(Duration::MAX), PLACES - 1);
        let places: Vec<_> = (0..20_000)
            .map(|micros| place(Duration::from_micros(micros)))
            .collect();
        assert!(places.is_sorted());
    }
}
