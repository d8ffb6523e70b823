//! The client that carries deliveries to IRC channels. A room and lines come in, one visit to the server is made, and
//! what became of it comes back as an `Outcome`, as from the sender of HTTP requests.
//!
//! Invariants: one deadline covers the way into the channel, and another one what is said there; so whoever came in late is heard out,
//! and need not come again to say it twice. Delivered means that the server has taken every line: it has answered
//! a PING that came after them, and refused none. What the server says is read up to a bound.

mod line;
mod session;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};

use self::session::{Session, SessionError};
use super::dial::Dialer;
use super::sender::dial_failure;
use super::tls::Tls;
use crate::dialect::service::irc::IrcRoom;
use crate::domain::attempt::{Failure, Outcome};

/// What stands for the server's consent, in the place of an HTTP status.
const TAKEN: u16 = 200;

/// What stands for the server's refusal, whatever its number: the words say which.
const REFUSED: u16 = 403;

/// How long the server may take to say goodbye; by then it has the message.
const PARTING: Duration = Duration::from_secs(2);

/// Visits IRC servers.
pub struct Irc {
    dialer: Dialer,
    tls: Tls,
}

impl Irc {
    /// `dialer` decides what may be connected to, `tls` whose certificates are trusted.
    pub fn new(dialer: Dialer, tls: &Tls) -> Irc {
        Irc {
            dialer,
            tls: tls.without_http(),
        }
    }

    /// Comes to the room, says the lines and leaves. From connecting to the channel at most `within` passes; and from there to the
    /// consent as much, beside what it takes to say so many lines at a pace that servers bear.
    ///
    /// A server that takes the lines has answered with 200; one that refuses, with 403 and its own words.
    pub async fn say(&self, room: &IrcRoom, lines: &[String], within: Duration) -> Outcome {
        let deadline = Instant::now() + within;
        let (host, port) = (room.server.as_str(), room.port);
        let late = || unanswered(Failure::Timeout, format!("not connected after {within:?}"));
        if room.tls {
            let dialing = self.dialer.connect_tls(host, port, &self.tls);
            match timeout_at(deadline, dialing).await {
                Ok(Ok(stream)) => visit(stream, room, lines, deadline, within).await,
                Ok(Err(error)) => dial_failure(error),
                Err(_) => late(),
            }
        } else {
            match timeout_at(deadline, self.dialer.connect(host, port)).await {
                Ok(Ok(stream)) => visit(stream, room, lines, deadline, within).await,
                Ok(Err(error)) => dial_failure(error),
                Err(_) => late(),
            }
        }
    }
}

async fn visit(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    room: &IrcRoom,
    lines: &[String],
    deadline: Instant,
    within: Duration,
) -> Outcome {
    let mut session = Session::new(stream, room);
    let entered = timeout_at(deadline, session.enter()).await;
    let (visited, within) = match entered {
        Ok(Ok(())) => {
            let (lines, pauses) = session.paced(lines);
            let within = within.saturating_add(pauses);
            (timeout(within, session.say(&lines)).await, within)
        }
        ended => (ended, within),
    };
    match visited {
        Ok(Ok(())) => {
            let taken = answered(TAKEN, &session.account(lines.len()));
            // The name is free again when the server has seen us leave.
            let _ = timeout_at(Instant::now() + PARTING, session.leave()).await;
            taken
        }
        Ok(Err(SessionError::Refused(words))) => answered(REFUSED, &words),
        Ok(Err(error)) => unanswered(Failure::Protocol, error.to_string()),
        Err(_) => {
            let detail = format!("{} after {within:?}", session.waiting_for());
            unanswered(Failure::Timeout, detail)
        }
    }
}

fn answered(status: u16, words: &str) -> Outcome {
    Outcome::Answered {
        status,
        retry_after: None,
        excerpt: Outcome::excerpt(words.as_bytes()),
    }
}

fn unanswered(failure: Failure, detail: String) -> Outcome {
    Outcome::Unanswered { failure, detail }
}

#[cfg(test)]
mod tests;
