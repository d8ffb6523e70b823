//! A host and a port come in, a connected stream goes out, to an address that the guard admits.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use super::resolve::{ResolveError, Resolver};
use super::tls::Tls;

/// How long one address may take before the next is tried beside it (RFC 8305 section 5), so that a host with a dead
/// IPv6 address costs this and not the whole deadline.
const STAGGER: Duration = Duration::from_millis(250);

/// Opens connections to hosts that the guard admits.
#[derive(Clone)]
pub struct Dialer {
    resolver: Arc<Resolver>,
    connect_timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The host has no address, or none that the guard admits.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// No address of it accepted the connection.
    #[error("cannot connect to {host}:{port}: {source}")]
    Connect {
        host: String,
        port: u16,
        source: io::Error,
    },
    /// The connection stands, but its encryption does not: mostly a certificate that is not trusted.
    #[error("no TLS with {host}:{port}: {source}")]
    Tls {
        host: String,
        port: u16,
        source: io::Error,
    },
    /// Finding the address, connecting and encrypting together took too long.
    #[error("{host}:{port} did not accept a connection within {} s", .after.as_secs_f32())]
    Timeout {
        host: String,
        port: u16,
        after: Duration,
    },
}

impl DialError {
    /// Whether the guard refused the host: trying again is of no use until its addresses or the settings change.
    pub fn is_refused(&self) -> bool {
        matches!(self, DialError::Resolve(ResolveError::Refused { .. }))
    }
}

impl Dialer {
    /// `connect_timeout` covers all of one call: lookup, connection, TLS handshake.
    pub fn new(resolver: Arc<Resolver>, connect_timeout: Duration) -> Dialer {
        Dialer {
            resolver,
            connect_timeout,
        }
    }

    /// Connects in the clear. `host` is a name or a literal address, as it stands in a URL.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        self.within_timeout(host, port, self.reach(host, port))
            .await
    }

    /// Connects and encrypts; `tls::chose_http2` tells which protocol the far end wants.
    pub async fn connect_tls(
        &self,
        host: &str,
        port: u16,
        tls: &Tls,
    ) -> Result<TlsStream<TcpStream>, DialError> {
        let encrypted = async {
            let stream = self.reach(host, port).await?;
            let handshake = tls.handshake(host, stream).await;
            handshake.map_err(|source| DialError::Tls {
                host: host.to_owned(),
                port,
                source,
            })
        };
        self.within_timeout(host, port, encrypted).await
    }

    async fn within_timeout<T>(
        &self,
        host: &str,
        port: u16,
        work: impl Future<Output = Result<T, DialError>>,
    ) -> Result<T, DialError> {
        let after = self.connect_timeout;
        let late = |_| DialError::Timeout {
            host: host.to_owned(),
            port,
            after,
        };
        timeout(after, work).await.map_err(late)?
    }

    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let addresses = self.resolver.resolve(host).await?;
        let failed = |source| DialError::Connect {
            host: host.to_owned(),
            port,
            source,
        };
        let stream = first_to_accept(&addresses, |address| TcpStream::connect((address, port)))
            .await
            .map_err(failed)?;
        // Requests are written whole; waiting to fill a packet would only delay them.
        stream.set_nodelay(true).map_err(failed)?;
        Ok(stream)
    }
}

/// Tries `addresses` in turn: the next one as soon as one has failed, or has not answered within the stagger.
async fn first_to_accept<S, F>(addresses: &[IpAddr], connect: impl Fn(IpAddr) -> F) -> io::Result<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut untried = alternating(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match untried.next() {
            Some(address) => attempts.push(connect(address)),
            None if attempts.is_empty() => return Err(last_error),
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            },
            () = sleep(STAGGER), if untried.len() > 0 => {}
        }
    }
}

/// The addresses with the families taking turns, starting with the family that the system put first, so that a host
/// with many addresses of a family that is unreachable from here is still reached soon.
fn alternating(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let v6_first = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<IpAddr>, Vec<IpAddr>) = addresses
        .iter()
        .partition(|address| address.is_ipv6() == v6_first);
    let mut order = Vec::with_capacity(addresses.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    while order.len() < addresses.len() {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use tokio::net::TcpListener;

    use super::super::guard::Guard;
    use super::super::testing::{Server, TestCa, closed_resolver, open_resolver, reply};
    use super::super::tls::chose_http2;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A dialer for which every name has the addresses `found`.
    fn finding(found: &'static [&'static str], limit: Duration) -> Dialer {
        let guard = Arc::new(Guard::callbacks(vec![
            "127.0.0.0/8".parse().unwrap(),
            "::1/128".parse().unwrap(),
        ]));
        let resolver = Resolver::with_lookup(guard, move |_| {
            Ok(found
                .iter()
                .map(|address| address.parse().unwrap())
                .collect())
        });
        Dialer::new(Arc::new(resolver), limit)
    }

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn connects_to_localhost_only_when_it_is_allowed() {
        let (_listener, port) = listener().await;
        let open = Dialer::new(open_resolver(), LIMIT);
        let stream = open.connect("localhost", port).await.unwrap();
        assert!(stream.nodelay().unwrap());

        let closed = Dialer::new(closed_resolver(), LIMIT);
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let error = closed.connect(host, port).await.unwrap_err();
            assert!(error.is_refused(), "{host}: {error}");
        }
    }

    #[tokio::test]
    async fn goes_on_to_the_next_address_when_one_fails() {
        let (_listener, port) = listener().await;
        let dialer = finding(&["::1", "127.0.0.9", "127.0.0.1"], LIMIT);
        let stream = dialer.connect("some.example", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    }

    #[tokio::test]
    async fn reports_what_the_last_address_said() {
        let (listener, port) = listener().await;
        drop(listener);
        let dialer = finding(&["127.0.0.1"], LIMIT);
        let error = dialer.connect("some.example", port).await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot connect to some.example:{port}: "))
        );
        assert!(!error.is_refused());
    }

    #[tokio::test]
    async fn a_far_end_that_does_not_answer_the_handshake_costs_the_timeout() {
        let (_listener, port) = listener().await;
        let dialer = finding(&["127.0.0.1"], Duration::from_millis(50));
        let tls = Tls::new(None).unwrap();
        let error = dialer
            .connect_tls("some.example", port, &tls)
            .await
            .unwrap_err();
        assert!(matches!(error, DialError::Timeout { .. }), "{error}");
    }

    #[tokio::test]
    async fn tells_which_protocol_the_far_end_chose() {
        for (offered, http2) in [
            (&[b"h2".as_slice(), b"http/1.1"][..], true),
            (&[b"http/1.1"], false),
            (&[], false),
        ] {
            let ca = TestCa::new(offered);
            let server =
                Server::start_with(Some(ca.acceptor.clone()), |_| reply(&["200 OK"], "")).await;
            let dialer = Dialer::new(open_resolver(), LIMIT);
            let stream = dialer
                .connect_tls("localhost", server.port, &ca.trusted())
                .await
                .unwrap();
            assert_eq!(chose_http2(&stream), http2);

            let wrong_name = dialer
                .connect_tls("127.0.0.1", server.port, &ca.trusted())
                .await;
            assert!(
                matches!(wrong_name, Err(DialError::Tls { .. })),
                "{wrong_name:?}"
            );
            let unknown_authority = dialer
                .connect_tls("localhost", server.port, &Tls::new(None).unwrap())
                .await;
            assert!(
                matches!(unknown_authority, Err(DialError::Tls { .. })),
                "{unknown_authority:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dead_addresses_cost_a_stagger_each_and_failing_ones_nothing() {
        let start = tokio::time::Instant::now();
        let addresses =
            ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(|text| text.parse().unwrap());
        let connect = async |address: IpAddr| match address.to_string().as_str() {
            "10.0.0.2" => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
            "10.0.0.4" => Ok(address),
            _ => std::future::pending().await,
        };
        assert_eq!(
            first_to_accept(&addresses, connect).await.unwrap(),
            addresses[3]
        );
        // Number 1 hangs, number 2 is refused at once, number 3 hangs.
        assert_eq!(start.elapsed().as_millis(), 2 * STAGGER.as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_address_may_still_win_after_the_next_was_tried() {
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let connect = async |address: IpAddr| {
            if address == addresses[0] {
                sleep(STAGGER * 3 / 2).await;
                return Ok(address);
            }
            std::future::pending().await
        };
        assert_eq!(
            first_to_accept(&addresses, connect).await.unwrap(),
            addresses[0]
        );
    }

    #[test]
    fn families_take_turns() {
        let four = |last| IpAddr::from(Ipv4Addr::new(8, 8, 8, last));
        let six = |last| IpAddr::from(Ipv6Addr::new(0x2606, 0, 0, 0, 0, 0, 0, last));
        assert_eq!(
            alternating(&[six(1), six(2), six(3), four(1)]),
            [six(1), four(1), six(2), six(3)]
        );
        assert_eq!(alternating(&[four(1), four(2)]), [four(1), four(2)]);
        assert!(alternating(&[]).is_empty());
    }
}
