//! How many requests a client may make: a request comes in, and passes or has to wait. Clients are told apart by their
//! address, which a reverse proxy that is trusted may report.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use warp::http::HeaderMap;

use super::call::Call;
use super::problem::Problem;
use super::settings::LimitSettings;

/// How often clients that have not been heard of are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// The door.
pub struct Admission {
    /// None lets everyone pass.
    rate: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
    trusted_proxies: Vec<IpNet>,
}

impl Admission {
    /// Lets each client make so many requests a minute, all at once if it likes.
    pub fn new(limits: &LimitSettings) -> Self {
        Self {
            rate: NonZeroU32::new(limits.requests_per_client)
                .map(|most| RateLimiter::dashmap(Quota::per_minute(most))),
            clock: DefaultClock::default(),
            trusted_proxies: limits.trusted_proxies.clone(),
        }
    }

    /// Lets a request pass.
    ///
    /// # Errors
    /// [`Problem::TooMany`] says how long the client has to wait.
    pub fn admit(&self, call: &Call) -> Result<(), Problem> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check_key(&self.customer(call))
            .map_err(|not_until| Problem::TooMany(not_until.wait_time_from(self.clock.now())))
    }

    /// Who a request comes from.
    pub fn client(&self, call: &Call) -> IpAddr {
        client(call.peer, &call.headers, &self.trusted_proxies)
    }

    /// What a request counts for: see `network_of`.
    pub fn customer(&self, call: &Call) -> IpAddr {
        network_of(self.client(call))
    }

    /// Forgets clients that have all their requests left again, from time to time.
    pub async fn prune_until(&self, stop: CancellationToken) {
        let Some(rate) = &self.rate else {
            return;
        };
        let pause = || tokio::time::sleep(PRUNE_EVERY);
        while stop.run_until_cancelled(pause()).await.is_some() {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }
}

/// Who a request comes from: the peer, or if that is a trusted proxy, the last address in `X-Forwarded-For` that is not.
/// What stands further left could be made up, and so could everything left of what is no address.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let reported = headers.get_all("x-forwarded-for").iter();
    let mut hops = reported
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    while is_trusted(&client) {
        let Some(hop) = hops.next().and_then(address) else {
            break;
        };
        client = hop;
    }
    client
}

/// An address as proxies write it: with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse();
    let address = bare.or_else(|_| {
        text.parse()
            .map(|with_port: std::net::SocketAddr| with_port.ip())
    });
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// What counts as one client: an IPv4 address, or the IPv6 network that a provider gives to one customer.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use warp::http::HeaderValue;

    use super::*;

    fn client_of(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("::ffff:192.0.2.1", &[], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            (
                "10.0.0.1",
                &["6.6.6.6, 198.51.100.7, 10.0.0.2"],
                "198.51.100.7",
            ),
            (
                "10.0.0.1",
                &["6.6.6.6", "198.51.100.7:4711 , fd00::1"],
                "198.51.100.7",
            ),
            ("::ffff:10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("fd00::1", &["6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["10.0.0.3"], "10.0.0.3"),
        ] {
            assert_eq!(client_of(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_client() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "[ -~]{0,60}|[0-9a-f.:\\[\\], ]{0,60}") {
            client_of("10.0.0.1", &[&value]);
        }
    }
}
