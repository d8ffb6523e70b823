//! How deliveries go out: as requests of HTTP, or as visits to IRC channels.

use super::dial::Dialer;
use super::irc::Irc;
use super::sender::{Sender, SenderLimits};
use super::tls::Tls;

/// The clients that share one opinion of certificates.
pub struct Ways {
    /// Requests of HTTP.
    pub http: Sender,
    /// Visits to IRC channels.
    pub irc: Irc,
}

impl Ways {
    /// `dialer` decides what may be connected to, `tls` whose certificates are trusted, `limits` how many connections are kept.
    pub fn new(dialer: Dialer, tls: Tls, limits: SenderLimits) -> Self {
        let irc = Irc::new(dialer.clone(), &tls);
        let http = Sender::new(dialer, tls, limits);
        Self { http, irc }
    }

    /// Closes the connections that have been idle for too long.
    pub fn prune(&self) {
        self.http.prune();
    }
}
