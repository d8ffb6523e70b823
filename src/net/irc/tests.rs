//! Visits to servers that a test plays line by line, in memory and on paused time; and over sockets what only they show.

mod time;

use std::net::Ipv4Addr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::net::TcpListener;

use super::super::resolve::Resolver;
use super::super::testing::{TestCa, closed_resolver, open_resolver};
use super::*;
use crate::domain::value::Secret;

const WITHIN: Duration = Duration::from_secs(10);

/// The far end of a visit.
struct Server<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Server<S> {
    fn new(stream: S) -> Self {
        Server {
            stream: BufReader::new(stream),
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.expect("a line");
        let line = line.strip_suffix("\r\n").expect("CR LF at the end");
        line.to_owned()
    }

    async fn hears(&mut self, expected: &str) {
        assert_eq!(self.line().await, expected);
    }

    async fn says(&mut self, text: &str) {
        let text = format!("{text}\r\n");
        self.stream
            .write_all(text.as_bytes())
            .await
            .expect("written");
    }

    async fn welcomes(&mut self) {
        self.hears("NICK fanfare").await;
        self.hears("USER fanfare 0 * :Fanfare").await;
        self.says(":irc.example 001 fanfare :Welcome").await;
    }

    async fn lets_in(&mut self) {
        self.welcomes().await;
        self.hears("JOIN #news").await;
        self.says(":fanfare!~f@host.example JOIN :#news").await;
    }

    async fn consents(&mut self) {
        self.hears("PING :fanfare").await;
        self.says(":irc.example PONG irc.example :fanfare").await;
    }
}

fn room() -> IrcRoom {
    IrcRoom {
        server: "localhost".into(),
        port: 6667,
        tls: false,
        nick: "fanfare".into(),
        password: None,
        channel: "#news".into(),
        key: None,
        notice: false,
    }
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::parse(text).expect("a secret"))
}

/// A visit to a server that `play` plays.
async fn outcome(
    room: &IrcRoom,
    lines: &[&str],
    play: impl AsyncFnOnce(Server<DuplexStream>),
) -> Outcome {
    let (near, far) = duplex(64 * 1024);
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let visit = visit(near, room, &lines, Instant::now() + WITHIN, WITHIN);
    tokio::join!(visit, play(Server::new(far))).0
}

#[tokio::test(start_paused = true)]
async fn a_visit_from_the_password_to_the_goodbye() {
    let room = IrcRoom {
        password: secret("pass word"),
        key: secret("k"),
        ..room()
    };
    let outcome = outcome(&room, &["one", ":two"], async |mut server| {
        server.hears("PASS :pass word").await;
        server
            .says(":irc.example NOTICE * :*** Looking up your hostname")
            .await;
        server.hears("NICK fanfare").await;
        server.hears("USER fanfare 0 * :Fanfare").await;
        server.says("PING :cookie 1").await;
        server.hears("PONG :cookie 1").await;
        server.says(":irc.example 001 fanfare :Welcome").await;
        server
            .says(":irc.example 422 fanfare :No message of the day")
            .await;
        server.hears("JOIN #news k").await;
        server.says(":other!o@h JOIN :#news").await;
        server.says(":fanfare!~f@host.example JOIN :#news").await;
        server
            .says(":irc.example 366 fanfare #news :End of NAMES")
            .await;
        server.hears("PRIVMSG #news :one").await;
        server.hears("PRIVMSG #news ::two").await;
        server.consents().await;
        server.hears("QUIT").await;
        server.says("ERROR :Closing connection").await;
    })
    .await;
    assert_eq!(outcome, answered(200, "fanfare said 2 lines in #news"));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_gets_a_digit() {
    let outcome = outcome(&room(), &["x"], async |mut server| {
        server.hears("NICK fanfare").await;
        server.hears("USER fanfare 0 * :Fanfare").await;
        server
            .says(":irc.example 433 * fanfare :Nickname is already in use")
            .await;
        server.hears("NICK fanfare1").await;
        server
            .says(":irc.example 433 * fanfare1 :Nickname is already in use")
            .await;
        server.hears("NICK fanfare2").await;
        server.says(":irc.example 001 fanfare2 :Welcome").await;
        server.hears("JOIN #news").await;
        server.says(":fanfare2!~f@host.example JOIN #news").await;
        server.hears("PRIVMSG #news :x").await;
        server.consents().await;
    })
    .await;
    assert_eq!(outcome, answered(200, "fanfare2 said 1 line in #news"));
}

#[tokio::test(start_paused = true)]
async fn names_are_not_tried_for_ever() {
    let outcome = outcome(&room(), &["x"], async |mut server| {
        server.hears("NICK fanfare").await;
        server.hears("USER fanfare 0 * :Fanfare").await;
        for number in 1..6 {
            server.says(":irc.example 433 * fanfare :In use").await;
            server.hears(&format!("NICK fanfare{number}")).await;
        }
        server.says(":irc.example 433 * fanfare5 :In use").await;
    })
    .await;
    assert_eq!(outcome, answered(403, "433 * fanfare5 In use"));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_does_not_want_it_says_why() {
    for number in [403, 405, 470, 471, 473, 474, 475, 477] {
        let outcome = outcome(&room(), &["x"], async |mut server| {
            server.welcomes().await;
            server.hears("JOIN #news").await;
            let refusal =
                format!(":irc.example {number} fanfare #News :Cannot \u{2}join\u{2} (+x)");
            server.says(&refusal).await;
        })
        .await;
        let words = format!("{number} fanfare #News Cannot join (+x)");
        assert_eq!(outcome, answered(403, &words));
        assert!(!outcome.blames_origin());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_want_it_says_why() {
    for (said, words) in [
        (
            ":irc.example 464 * :Password incorrect",
            "464 * Password incorrect",
        ),
        (
            "ERROR :Closing Link: too many connections",
            "ERROR Closing Link: too many connections",
        ),
    ] {
        let outcome = outcome(&room(), &["x"], async |mut server| server.says(said).await).await;
        assert_eq!(outcome, answered(403, words));
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_refused_is_not_delivered() {
    let outcome = outcome(&room(), &["x"], async |mut server| {
        server.lets_in().await;
        server.hears("PRIVMSG #news :x").await;
        server
            .says(":irc.example 404 fanfare #news :Cannot send to channel")
            .await;
        server.consents().await;
    })
    .await;
    assert_eq!(
        outcome,
        answered(403, "404 fanfare #news Cannot send to channel")
    );
}

#[tokio::test(start_paused = true)]
async fn no_text_becomes_a_command() {
    let room = IrcRoom {
        notice: true,
        ..room()
    };
    let outcome = outcome(&room, &["a\r\nQUIT :b\nc\0d"], async |mut server| {
        server.lets_in().await;
        server.hears("NOTICE #news :a  QUIT :b c d").await;
        server.consents().await;
    })
    .await;
    assert_eq!(
        outcome.verdict(),
        crate::domain::attempt::Verdict::Delivered
    );
}

#[tokio::test(start_paused = true)]
async fn long_lines_are_cut_so_that_the_server_passes_them_on_whole() {
    let text = "ä".repeat(600);
    let outcome = outcome(&room(), &[&text], async |mut server| {
        server.lets_in().await;
        let mut heard = String::new();
        while heard.len() < text.len() {
            let line = server.line().await;
            assert!(format!(":fanfare!~f@host.example {line}\r\n").len() <= 512);
            heard.push_str(line.strip_prefix("PRIVMSG #news :").expect("a message"));
        }
        assert_eq!(heard, text);
        server.consents().await;
    })
    .await;
    assert_eq!(outcome, answered(200, "fanfare said 1 line in #news"));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_is_read_up_to_a_bound() {
    for (said, times) in [("x".repeat(1000), 1000), ("x\r\n".repeat(300), 1000)] {
        let outcome = outcome(&room(), &["x"], async |mut server| {
            for _ in 0..times {
                if server.stream.write_all(said.as_bytes()).await.is_err() {
                    break;
                }
            }
        })
        .await;
        let Outcome::Unanswered {
            failure: Failure::Protocol,
            detail,
        } = outcome
        else {
            panic!("{outcome:?}");
        };
        assert!(
            detail.starts_with("the server sent more than 262144 bytes"),
            "{detail}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_a_failure() {
    let outcome = outcome(&room(), &["x"], async |mut server| server.lets_in().await).await;
    let Outcome::Unanswered {
        failure: Failure::Protocol,
        ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
}

fn irc(resolver: std::sync::Arc<Resolver>, tls: &Tls) -> Irc {
    Irc::new(Dialer::new(resolver, WITHIN), tls)
}

#[tokio::test]
async fn the_guard_judges_servers_too() {
    let tls = Tls::new(None).unwrap();
    let outcome = irc(closed_resolver(), &tls).say(&room(), &[], WITHIN).await;
    let Outcome::Unanswered {
        failure: Failure::Refused,
        ..
    } = outcome
    else {
        panic!("{outcome:?}");
    };
}

/// The server speaks no protocol but `irc`: a client that offers those of HTTP would be refused.
#[tokio::test]
async fn an_encrypted_server_is_spoken_to_when_its_certificate_is_trusted() {
    let ca = TestCa::new(&[b"irc"]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let room = IrcRoom {
        port: listener.local_addr().unwrap().port(),
        tls: true,
        ..room()
    };
    let trusting = irc(open_resolver(), &ca.trusted());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = Server::new(ca.acceptor.accept(stream).await.unwrap());
        server.lets_in().await;
        server.hears("PRIVMSG #news :x").await;
        server.consents().await;
        server.hears("QUIT").await;
        let (stream, _) = listener.accept().await.unwrap();
        assert!(ca.acceptor.accept(stream).await.is_err());
    };
    let visits = async {
        let lines = ["x".to_owned()];
        let outcome = trusting.say(&room, &lines, WITHIN).await;
        assert_eq!(outcome, answered(200, "fanfare said 1 line in #news"));
        let stranger = irc(open_resolver(), &Tls::new(None).unwrap());
        let outcome = stranger.say(&room, &lines, WITHIN).await;
        assert!(
            matches!(
                outcome,
                Outcome::Unanswered {
                    failure: Failure::Tls,
                    ..
                }
            ),
            "{outcome:?}"
        );
    };
    tokio::join!(serving, visits);
}
