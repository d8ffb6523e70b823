//! Tokens that the hub does not know: somebody may be guessing. In: who has shown one. Out: a counter, and for each client a line of the log, once
//! a minute at most.
//!
//! Invariant: at most `MOST` clients are told apart, and so many lines are written in a minute, whoever knocks; the counter counts all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, counter, describe_counter};
use tokio::time::Instant;

/// A client has one line in this time.
const EVERY: Duration = Duration::from_secs(60);
/// Clients that are told apart.
const MOST: usize = 1_000;

/// See the module.
pub struct Guesses {
    refused: Counter,
    clients: Mutex<HashMap<IpAddr, Guesser>>,
}

/// A client, since its last line.
struct Guesser {
    told_at: Instant,
    tokens: u64,
}

impl Default for Guesses {
    fn default() -> Self {
        let name = "fanfare_refused_tokens_total";
        describe_counter!(
            name,
            "Requests with a token that the hub does not know, or that has expired"
        );
        Self {
            refused: counter!(name),
            clients: Mutex::default(),
        }
    }
}

impl Guesses {
    /// A client has shown a token that the hub does not know.
    pub fn note(&self, client: IpAddr) {
        self.refused.increment(1);
        if let Some(tokens) = self.count(client) {
            tracing::warn!(%client, tokens, "refused: the hub does not know the token, or it has expired");
        }
    }

    /// How many the client has shown since its last line, if there is to be another one.
    fn count(&self, client: IpAddr) -> Option<u64> {
        let now = Instant::now();
        let is_silent = |guesser: &Guesser| now < guesser.told_at + EVERY;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(guesser) = clients.get_mut(&client) {
            guesser.tokens += 1;
            if is_silent(guesser) {
                return None;
            }
        } else if clients.len() >= MOST {
            clients.retain(|_, guesser| is_silent(guesser));
            if clients.len() >= MOST {
                return None;
            }
        }
        let fresh = Guesser {
            told_at: now,
            tokens: 0,
        };
        let before = clients.insert(client, fresh);
        Some(before.map_or(1, |guesser| guesser.tokens))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(number: usize) -> IpAddr {
        Ipv4Addr::from(u32::try_from(number).expect("small")).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_told_of_once_a_minute_with_what_it_has_shown() {
        let guesses = Guesses::default();
        assert_eq!(guesses.count(client(1)), Some(1));
        for _ in 0..40 {
            assert_eq!(guesses.count(client(1)), None);
        }
        assert_eq!(guesses.count(client(2)), Some(1), "another one");
        tokio::time::advance(EVERY).await;
        assert_eq!(guesses.count(client(1)), Some(41));
        assert_eq!(guesses.count(client(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_clients_are_remembered_than_may_be() {
        let guesses = Guesses::default();
        let told = |guesses: &Guesses| {
            let told = (0..2 * MOST).filter(|number| guesses.count(client(*number)).is_some());
            told.count()
        };
        assert_eq!(told(&guesses), MOST);
        tokio::time::advance(EVERY).await;
        assert_eq!(told(&guesses), MOST);
        assert_eq!(guesses.clients.lock().expect("no panic").len(), MOST);
    }
}
