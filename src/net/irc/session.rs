//! One visit to an IRC server over an open connection: registering, joining, saying, asking whether it was taken (RFC 2812
//! section 3). In: a stream, a room, lines. Out: consent, or why there is none.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::sleep;

use super::line::{Line, pieces};
use crate::dialect::service::irc::IrcRoom;

/// The longest line that is sent or passed on by a server, with its end, in bytes (RFC 2812 section 2.3).
const LINE_BYTES: usize = 512;

/// The longest line that is read, in bytes: with all the tags that IRCv3 allows.
const LINE_READ_MAX_BYTES: u64 = 8 * 1024;

/// The most that is read in a visit, in bytes: enough for a long message of the day.
const VISIT_MAX_BYTES: u64 = 256 * 1024;

/// Lines that are sent at once; servers punish who sends more (RFC 2813 section 5.8).
const BURST: usize = 5;

/// The time between two lines after that.
const PACE: Duration = Duration::from_secs(1);

/// The names that are tried when somebody has the first one.
const NAMES_TRIED: usize = 6;

/// The longest name that every server takes whole, in bytes (RFC 2812 section 1.2.1).
const NAME_BYTES: usize = 9;

/// Errors that end a registration. There are others that do not concern it.
const NOT_WELCOME: [&str; 7] = ["432", "461", "463", "464", "465", "466", "468"];

/// Somebody has the name, or the server keeps it from use for a while.
const NAME_TAKEN: [&str; 3] = ["433", "436", "437"];

/// Why a visit did not end well.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The server does not want it; these are its words.
    #[error("{0}")]
    Refused(String),
    /// The connection broke.
    #[error("the connection to the server broke: {0}")]
    Broken(#[from] io::Error),
    /// The server closed the connection without a word.
    #[error("the server closed the connection")]
    Closed,
    /// The server says more than is read.
    #[error("the server sent more than {VISIT_MAX_BYTES} bytes, or a line without an end")]
    TooMuch,
}

/// A visit.
pub(super) struct Session<'a, S> {
    stream: BufReader<S>,
    room: &'a IrcRoom,
    nick: String,
    /// The longest message that the server passes on whole.
    message_bytes: usize,
    /// What may still be read.
    left: u64,
    waiting_for: &'static str,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    pub(super) fn new(stream: S, room: &'a IrcRoom) -> Self {
        Self {
            stream: BufReader::new(stream),
            room,
            nick: room.nick.clone(),
            message_bytes: 0,
            left: VISIT_MAX_BYTES,
            waiting_for: "connected",
        }
    }

    /// Registers and joins.
    pub(super) async fn enter(&mut self) -> Result<(), SessionError> {
        self.register().await?;
        self.join().await
    }

    /// The lines as this server passes them on, and how long it takes to say them at a pace that it bears.
    pub(super) fn paced<'t>(&self, lines: &'t [String]) -> (Vec<&'t str>, Duration) {
        let max = self.message_bytes;
        let lines: Vec<&str> = lines.iter().flat_map(|line| pieces(line, max)).collect();
        let pauses = u32::try_from(lines.len().saturating_sub(BURST)).unwrap_or(u32::MAX);
        (lines, PACE * pauses)
    }

    /// Says the lines; comes back when the server has taken them.
    pub(super) async fn say(&mut self, lines: &[&str]) -> Result<(), SessionError> {
        self.waiting_for = "let into the channel, but not heard out";
        let verb = if self.room.notice {
            "NOTICE"
        } else {
            "PRIVMSG"
        };
        for (number, line) in lines.iter().enumerate() {
            if number >= BURST {
                sleep(PACE).await;
            }
            let channel = &self.room.channel;
            self.send(&format!("{verb} {channel} :{line}")).await?;
        }
        self.consent().await
    }

    /// Leaves, and waits until the server has seen it.
    pub(super) async fn leave(&mut self) -> Result<(), SessionError> {
        self.send("QUIT").await?;
        let mut text = String::new();
        while self.read(&mut text).await.is_ok() {}
        Ok(())
    }

    /// What was done, in words.
    pub(super) fn account(&self, lines: usize) -> String {
        let plural = if lines == 1 { "" } else { "s" };
        format!(
            "{} said {lines} line{plural} in {}",
            self.nick, self.room.channel
        )
    }

    /// What the server has not answered so far.
    pub(super) fn waiting_for(&self) -> &'static str {
        self.waiting_for
    }

    async fn register(&mut self) -> Result<(), SessionError> {
        self.waiting_for = "connected, but no welcome";
        if let Some(password) = &self.room.password {
            self.send(&format!("PASS :{}", password.expose())).await?;
        }
        self.send(&format!("NICK {}", self.nick)).await?;
        self.send(&format!("USER {} 0 * :Fanfare", self.room.nick))
            .await?;
        let (mut text, mut tried) = (String::new(), 1);
        loop {
            let line = self.read(&mut text).await?;
            match line.command {
                "001" => {
                    // The server may have shortened the name.
                    if let Some(nick) = line.params.first() {
                        self.nick = (*nick).to_owned();
                    }
                    return Ok(());
                }
                command if NAME_TAKEN.contains(&command) && tried < NAMES_TRIED => {
                    self.nick = another_name(&self.room.nick, tried);
                    tried += 1;
                    self.send(&format!("NICK {}", self.nick)).await?;
                }
                command if NOT_WELCOME.contains(&command) || NAME_TAKEN.contains(&command) => {
                    return Err(SessionError::Refused(line.words()));
                }
                _ => {}
            }
        }
    }

    async fn join(&mut self) -> Result<(), SessionError> {
        self.waiting_for = "registered, but not let into the channel";
        let channel = &self.room.channel;
        let key = self.room.key.as_ref();
        let key = key.map_or_else(String::new, |key| format!(" {}", key.expose()));
        self.send(&format!("JOIN {channel}{key}")).await?;
        let mut text = String::new();
        loop {
            let line = self.read(&mut text).await?;
            if line.command == "JOIN" && line.is_from(&self.nick) && line.names(channel) {
                // What the server puts before each message that it passes on.
                let head = format!(":{} PRIVMSG {channel} :\r\n", line.prefix).len();
                self.message_bytes = LINE_BYTES.saturating_sub(head);
                return Ok(());
            }
            // The message of the day comes meanwhile, and may be missing; errors about the channel name it.
            if line.is_error() && line.names(channel) {
                return Err(SessionError::Refused(line.words()));
            }
        }
    }

    /// The server answers in order: an answer to this means that no refusal of a line can follow.
    async fn consent(&mut self) -> Result<(), SessionError> {
        self.waiting_for = "said, but not confirmed";
        self.send("PING :fanfare").await?;
        let mut text = String::new();
        loop {
            let line = self.read(&mut text).await?;
            if line.command == "PONG" {
                return Ok(());
            }
            // 422: no message of the day.
            if line.is_error() && line.command != "422" {
                return Err(SessionError::Refused(line.words()));
            }
        }
    }

    /// The next line that asks for a decision: PINGs are answered here, and an ERROR is a refusal everywhere.
    async fn read<'t>(&mut self, text: &'t mut String) -> Result<Line<'t>, SessionError> {
        loop {
            *text = self.read_text().await?;
            let Some(line) = Line::parse(text) else {
                continue;
            };
            match line.command {
                "PING" => {
                    let token = line.params.last().copied().unwrap_or_default();
                    self.send(&format!("PONG :{token}")).await?;
                }
                "ERROR" => return Err(SessionError::Refused(line.words())),
                _ => break,
            }
        }
        // Read again, as a line that is handed out of a loop would be borrowed in all its rounds.
        Line::parse(text).ok_or(SessionError::Closed)
    }

    async fn read_text(&mut self) -> Result<String, SessionError> {
        let most = self.left.min(LINE_READ_MAX_BYTES);
        if most == 0 {
            return Err(SessionError::TooMuch);
        }
        let mut bytes = Vec::new();
        let read = (&mut self.stream)
            .take(most)
            .read_until(b'\n', &mut bytes)
            .await?;
        self.left -= read as u64;
        match bytes.last() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
            Some(_) if read as u64 == most => Err(SessionError::TooMuch),
            Some(_) | None => Err(SessionError::Closed),
        }
    }

    /// Sends one line. Whatever it holds, it stays one line.
    async fn send(&mut self, line: &str) -> Result<(), SessionError> {
        let breaks = |c: char| matches!(c, '\r' | '\n' | '\0');
        let line = line.replace(breaks, " ");
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await?;
        Ok(self.stream.flush().await?)
    }
}

/// The name with a digit at its end, short enough that no server cuts the digit off.
fn another_name(nick: &str, number: usize) -> String {
    let kept: String = nick.chars().take(NAME_BYTES - 1).collect();
    format!("{kept}{number}")
}
