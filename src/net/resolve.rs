//! A host comes in, the addresses of it that the guard admits go out.
//!
//! Invariants: no address leaves here that the guard has not seen, and whoever connects uses these very addresses, so a
//! name cannot point elsewhere between the check and the connection. One lookup of a host runs at a time, whoever waits
//! for it; all lookups together hold at most `LOOKUPS_AT_ONCE` threads, so slow name servers cannot take those of the
//! store.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use url::Url;

use super::guard::{Guard, Refused};

/// How long a found answer is used. Short, because a receiver that moves should be found again soon.
const FOUND_FOR: Duration = Duration::from_secs(30);
/// How long a failed lookup is believed, so that many targets of one dead name do not each ask for it.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// Hosts kept at once. When the cache is full it starts over: cheap, and the next lookups fill it with those in use.
const HOSTS_KEPT: usize = 10_000;
/// Addresses kept for one host.
const ADDRESSES_KEPT: usize = 16;
const LOOKUPS_AT_ONCE: usize = 64;

/// Asks for the addresses of a host name; blocks.
type Lookup = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Resolves hosts through a guard, with a small cache.
pub struct Resolver {
    guard: Arc<Guard>,
    lookup: Arc<Lookup>,
    lookups: Arc<Semaphore>,
    cache: Mutex<HashMap<String, Arc<OnceCell<Answer>>>>,
}

/// Why a host has no address to connect to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name is unknown, or no name server answered.
    #[error("cannot find the address of {host}: {reason}")]
    Lookup { host: String, reason: String },
    /// It has addresses, and the guard refuses each of them; this is the first one's reason.
    #[error("{host} is not a public host: {refused}")]
    Refused { host: String, refused: Refused },
}

struct Answer {
    addresses: Result<Arc<[IpAddr]>, ResolveError>,
    expires: Instant,
}

impl Resolver {
    /// A resolver that asks the operating system (its hosts file, then its name servers).
    pub fn new(guard: Arc<Guard>) -> Resolver {
        Resolver::with_lookup(guard, |host| {
            Ok((host, 0)
                .to_socket_addrs()?
                .map(|found| found.ip())
                .collect())
        })
    }

    /// A resolver that asks `lookup`, which may block.
    pub fn with_lookup(
        guard: Arc<Guard>,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Resolver {
        Resolver {
            guard,
            lookup: Arc::new(lookup),
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
            cache: Mutex::default(),
        }
    }

    /// Checks a URL whose host is a literal address; one with a host name passes and is checked by `resolve`.
    pub fn check_literal(&self, url: &Url) -> Result<(), ResolveError> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let refuse = |refused| ResolveError::Refused {
            host: host(),
            refused,
        };
        self.guard.check_url(url).map_err(refuse)
    }

    /// The admitted addresses of `host`, at least one, in the order to try them. `host` is a name or a literal address,
    /// an IPv6 one with or without its brackets.
    pub async fn resolve(&self, host: &str) -> Result<Arc<[IpAddr]>, ResolveError> {
        if let Some(address) = literal(host) {
            return self.admit(host, &[address]);
        }
        let cell = self.cached(host);
        let answer = cell
            .get_or_init(async || {
                let addresses = self.look_up(host).await;
                let kept_for = if addresses.is_ok() {
                    FOUND_FOR
                } else {
                    FAILED_FOR
                };
                Answer {
                    addresses,
                    expires: Instant::now() + kept_for,
                }
            })
            .await;
        answer.addresses.clone()
    }

    /// The cell that holds the answer for `host`, or will hold it: whoever comes first fills it, the others wait for it.
    fn cached(&self, host: &str) -> Arc<OnceCell<Answer>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(cell) = cache.get(host)
            && cell.get().is_none_or(|answer| now < answer.expires)
        {
            return Arc::clone(cell);
        }
        if cache.len() >= HOSTS_KEPT {
            cache.clear();
        }
        let cell = Arc::new(OnceCell::new());
        cache.insert(host.to_owned(), Arc::clone(&cell));
        cell
    }

    async fn look_up(&self, host: &str) -> Result<Arc<[IpAddr]>, ResolveError> {
        let failed = |reason: String| ResolveError::Lookup {
            host: host.to_owned(),
            reason,
        };
        let permit = Arc::clone(&self.lookups)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (lookup, name) = (Arc::clone(&self.lookup), host.to_owned());
        // The permit goes with the thread: a lookup that nobody waits for any more still occupies one.
        let lookup = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            lookup(&name)
        });
        let found = match lookup.await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(error) => return Err(failed(error.to_string())),
        };
        if found.is_empty() {
            return Err(failed("the name has no address".to_owned()));
        }
        self.admit(host, &found)
    }

    /// Those of `found` that the guard admits, or its first refusal.
    fn admit(&self, host: &str, found: &[IpAddr]) -> Result<Arc<[IpAddr]>, ResolveError> {
        let mut admitted = Vec::with_capacity(found.len().min(ADDRESSES_KEPT));
        let mut first_refusal = None;
        for &address in found {
            match self.guard.check(address) {
                Ok(()) if admitted.len() == ADDRESSES_KEPT => break,
                Ok(()) => admitted.push(address),
                Err(refused) => first_refusal = first_refusal.or(Some(refused)),
            }
        }
        match first_refusal {
            Some(refused) if admitted.is_empty() => Err(ResolveError::Refused {
                host: host.to_owned(),
                refused,
            }),
            _ => Ok(admitted.into()),
        }
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A resolver that finds `found` for every name, and the number of lookups that it made.
    fn finding(found: &'static [&'static str]) -> (Resolver, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let resolver = Resolver::with_lookup(Arc::new(Guard::callbacks(vec![])), move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(found
                .iter()
                .map(|address| address.parse().unwrap())
                .collect())
        });
        (resolver, count)
    }

    #[tokio::test]
    async fn keeps_the_admitted_addresses_and_drops_the_rest() {
        let (resolver, _) = finding(&["127.0.0.1", "8.8.8.8", "::1", "2606:4700::1"]);
        let expected: [IpAddr; 2] = ["8.8.8.8".parse().unwrap(), "2606:4700::1".parse().unwrap()];
        assert_eq!(*resolver.resolve("mixed.example").await.unwrap(), expected);
    }

    #[tokio::test]
    async fn refuses_a_name_whose_addresses_are_all_refused() {
        let (resolver, _) = finding(&["169.254.169.254", "10.0.0.1"]);
        assert_eq!(
            resolver
                .resolve("rebound.example")
                .await
                .unwrap_err()
                .to_string(),
            "rebound.example is not a public host: 169.254.169.254 is a cloud metadata address; \
             the setting network.callbacks_allow would allow it"
        );
    }

    #[tokio::test]
    async fn a_literal_is_checked_and_never_looked_up() {
        let (resolver, lookups) = finding(&["8.8.8.8"]);
        for refused in ["127.0.0.1", "[::1]", "::1", "[::ffff:10.0.0.1]"] {
            let error = resolver.resolve(refused).await.unwrap_err();
            assert!(
                matches!(error, ResolveError::Refused { .. }),
                "{refused}: {error}"
            );
        }
        assert_eq!(resolver.resolve("1.1.1.1").await.unwrap().len(), 1);
        assert_eq!(lookups.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time() {
        let (resolver, lookups) = finding(&["8.8.8.8"]);
        for (wait, expected) in [(Duration::ZERO, 1), (FOUND_FOR / 2, 1), (FOUND_FOR, 2)] {
            tokio::time::advance(wait).await;
            resolver.resolve("example.com").await.unwrap();
            assert_eq!(lookups.load(Ordering::Relaxed), expected, "after {wait:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_kept_for_a_shorter_time() {
        let (resolver, lookups) = finding(&[]);
        for (wait, expected) in [(Duration::ZERO, 1), (FAILED_FOR / 2, 1), (FAILED_FOR, 2)] {
            tokio::time::advance(wait).await;
            let error = resolver.resolve("example.com").await.unwrap_err();
            assert!(matches!(error, ResolveError::Lookup { .. }), "{error}");
            assert_eq!(lookups.load(Ordering::Relaxed), expected, "after {wait:?}");
        }
    }

    #[tokio::test]
    async fn many_who_ask_at_once_share_one_lookup() {
        let (resolver, lookups) = finding(&["8.8.8.8"]);
        let asked = (0..1000).map(|_| resolver.resolve("example.com"));
        assert!(
            futures_util::future::join_all(asked)
                .await
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_cache_is_bounded() {
        let (resolver, _) = finding(&["8.8.8.8"]);
        for number in 0..HOSTS_KEPT + 10 {
            drop(resolver.cached(&format!("host{number}.example")));
        }
        assert!(resolver.cache.lock().unwrap().len() <= HOSTS_KEPT);
    }
}
