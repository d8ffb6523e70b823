//! ngircd for one test, on ports of its own, and people in its channels. It ends with the test.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare::net::dial::Dialer;
use fanfare::net::guard::Guard;
use fanfare::net::irc::Irc;
use fanfare::net::resolve::Resolver;
use fanfare::net::tls::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything takes that goes well.
const PLENTY: Duration = Duration::from_secs(20);

pub struct Server {
    pub port: u16,
    pub tls_port: u16,
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts one. `settings` come at the end of its configuration.
    pub async fn start(settings: &str) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        make_certificates(folder.path());
        let (port, tls_port) = (free_port(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "[Global]\nName = irc.test.example\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nMotdPhrase = Welcome\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxNickLength = 9\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\nRequireAuthPing = yes\n\
             [SSL]\nPorts = {tls_port}\nCertFile = {}\nKeyFile = {}\n{settings}",
            path("server.pem"),
            path("server.key"),
        );
        fs::write(path("ngircd.conf"), configuration).expect("written");
        let log = fs::File::create(path("log")).expect("a log");
        let process = Command::new(program())
            .args(["--nodaemon", "--config", &path("ngircd.conf")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log)
            .spawn()
            .expect("ngircd starts");
        let mut server = Server {
            port,
            tls_port,
            process,
            folder,
        };
        server.wait_until_it_listens().await;
        server
    }

    /// The client under test, for which loopback is allowed and the server's authority is trusted.
    pub fn client(&self) -> Irc {
        let guard = Guard::callbacks(vec!["127.0.0.0/8".parse().expect("a network")]);
        let resolver = Arc::new(Resolver::new(Arc::new(guard)));
        let tls = Tls::new(Some(&self.folder.path().join("ca.pem"))).expect("an authority");
        Irc::new(Dialer::new(resolver, PLENTY), &tls)
    }

    /// Somebody who is in a channel.
    pub async fn reader(&self, nick: &str, channel: &str) -> Reader {
        self.reader_with(nick, channel, None).await
    }

    /// `channel` may be followed by its key.
    pub async fn reader_with(&self, nick: &str, channel: &str, password: Option<&str>) -> Reader {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .expect("connected");
        let mut reader = Reader {
            stream: BufReader::new(stream),
        };
        if let Some(password) = password {
            reader.send(&format!("PASS {password}")).await;
        }
        reader.send(&format!("NICK {nick}")).await;
        reader.send(&format!("USER {nick} 0 * :{nick}")).await;
        reader.line_with(" 001 ").await;
        reader.send(&format!("JOIN {channel}")).await;
        reader.line_with(" 366 ").await;
        reader
    }

    pub fn stop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    async fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + PLENTY;
        for port in [self.port, self.tls_port] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_err()
            {
                let ended = self.process.try_wait().expect("a state");
                assert!(
                    ended.is_none() && Instant::now() < deadline,
                    "no server: {}",
                    self.log()
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Somebody in a channel.
pub struct Reader {
    stream: BufReader<TcpStream>,
}

impl Reader {
    /// The next line that holds `part`, without its end.
    pub async fn line_with(&mut self, part: &str) -> String {
        let reading = async {
            loop {
                let mut line = String::new();
                let read = self.stream.read_line(&mut line).await.expect("a line");
                assert!(read > 0, "the server closed the connection before {part:?}");
                if let Some(token) = line.strip_prefix("PING ") {
                    let answer = format!("PONG {}", token.trim_end());
                    self.send(&answer).await;
                }
                if line.contains(part) {
                    return line.trim_end().to_owned();
                }
            }
        };
        let line = timeout(PLENTY, reading).await;
        line.unwrap_or_else(|_| panic!("{part:?} never came"))
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.stream.write_all(line.as_bytes()).await.expect("sent");
    }
}

/// Debian puts it where only root looks.
fn program() -> &'static str {
    let places = [
        "/usr/sbin/ngircd",
        "/usr/local/sbin/ngircd",
        "/usr/bin/ngircd",
    ];
    let installed = places.into_iter().find(|place| Path::new(place).exists());
    installed
        .expect("ngircd is missing; tests/run installs it, and so does: apt-get install ngircd")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// An authority, and a certificate of it for `localhost`.
fn make_certificates(folder: &Path) {
    let mut ca = CertificateParams::new(vec![]).expect("parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key"))
        .expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let server = CertificateParams::new(names)
        .expect("parameters")
        .signed_by(&key, &ca)
        .expect("signed");
    for (name, text) in [
        ("ca.pem", ca.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).expect("written");
    }
}
