//! `fanfare listen`: a subscriber of its own. A topic in; every delivery out as it arrives, with its signature checked.
//!
//! News about the subscription goes to standard error, deliveries to standard output. The end, by Ctrl-C or `--count`,
//! is polite: the hub is asked to stop, with a short deadline.

mod delivery;
mod receiver;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

pub use self::delivery::{shown, verdict_in_words};
use self::receiver::{Event, Expected, Receiver};
use super::client::{self, Client};
use super::discover::{Place, place};
use super::say;
use super::signals::Signals;
use super::subscribe::{self, Wish};
use crate::domain::notation;
use crate::domain::subscription::Mode;
use crate::domain::value::{CallbackUrl, Secret, TopicUrl};
use crate::flow::clock;

pub const EXAMPLE: &str = "\
Examples:
  fanfare listen --hub http://127.0.0.1:8080/ http://127.0.0.1:8080/topics/hello
      with a hub on this machine
  fanfare listen --port 9000 --callback https://me.example/hook https://blog.example/feed.xml
      with a hub elsewhere: it reaches this machine through the callback's URL

Ctrl-C ends the subscription.";

/// How long the hub may take to end the subscription before we leave without that.
const FAREWELL: Duration = Duration::from_secs(5);
/// When no verification has come by then, the hub probably cannot reach us.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two reminders, and between two tries of a renewal.
const PAUSE: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
pub struct ListenArgs {
    /// The hub; without one, the topic is asked which hub it uses
    #[arg(long, value_name = "URL", env = "FANFARE_URL", hide_env_values = true, value_parser = client::hub)]
    hub: Option<Url>,
    /// The feed or page
    #[arg(value_name = "TOPIC", value_parser = client::topic)]
    topic: TopicUrl,
    /// The port to listen on at 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// The address to listen on, such as 0.0.0.0:9000
    #[arg(long, value_name = "ADDR", conflicts_with = "port", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The URL under which the hub reaches this machine [default: http://ADDR/ and a random path]
    #[arg(long, value_name = "URL", value_parser = client::callback)]
    callback: Option<CallbackUrl>,
    /// The secret of the signatures [default: a random one]
    #[arg(long, value_name = "SECRET", value_parser = subscribe::secret)]
    secret: Option<Secret>,
    /// How long the subscription should last at a time, such as 1h; it is renewed for as long as this runs
    #[arg(long, value_name = "DURATION", value_parser = client::lease)]
    lease: Option<Duration>,
    /// End after so many deliveries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print each delivery as one line of JSON, headers and all
    #[arg(long)]
    json: bool,
}

/// Listens until Ctrl-C, `--count`, or the hub's denial.
///
/// # Errors
/// If the address cannot be listened on, if the hub refuses or denies the subscription, or if standard output ends.
pub async fn run(args: &ListenArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let mut listening = tokio::select! {
        started = Listening::start(args) => started?,
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    };
    let ended = tokio::select! {
        ended = listening.listen() => ended,
        _ = signals.next() => Ok(()),
    };
    tokio::select! {
        () = listening.leave() => {}
        _ = signals.next() => {}
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// A subscription that is being listened to.
struct Listening<'a> {
    args: &'a ListenArgs,
    client: Client,
    place: Place,
    address: SocketAddr,
    callback: CallbackUrl,
    secret: Secret,
    receiver: Receiver,
    events: mpsc::Receiver<Event>,
    /// Whether the hub may think that we want updates.
    is_asked: bool,
}

impl<'a> Listening<'a> {
    /// Finds the hub and opens the port; nothing is subscribed yet.
    async fn start(args: &'a ListenArgs) -> anyhow::Result<Self> {
        let client = Client::new()?;
        let place = place(&client, args.hub.as_ref(), &args.topic).await?;
        let address = (Ipv4Addr::LOCALHOST, args.port).into();
        let address: SocketAddr = args.listen.unwrap_or(address);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; choose another with --port or --listen")
        })?;
        let address = listener.local_addr()?;
        let (callback, path) = match &args.callback {
            // A proxy in front may change the path, so any is taken.
            Some(callback) => (callback.clone(), None),
            None => {
                let path = format!("/{}", clock::challenge());
                let callback = CallbackUrl::parse(&format!("http://{address}{path}"))?;
                (callback, Some(path))
            }
        };
        let secret = match &args.secret {
            Some(secret) => secret.clone(),
            None => subscribe::secret(&clock::challenge()).map_err(anyhow::Error::msg)?,
        };
        let expected = Expected {
            topic: place.topic.clone(),
            path,
            secret: secret.clone(),
        };
        let (receiver, events) = Receiver::start(listener, expected);
        Ok(Self {
            args,
            client,
            place,
            address,
            callback,
            secret,
            receiver,
            events,
            is_asked: false,
        })
    }

    /// Subscribes and prints what arrives.
    async fn listen(&mut self) -> anyhow::Result<()> {
        // Ctrl-C may cut the request off, and it may have been heard even so.
        self.is_asked = true;
        if let Err(refusal) = self.ask(Mode::Subscribe).await {
            self.is_asked = false;
            return Err(refusal);
        }
        let Place { hub, topic } = &self.place;
        let (address, callback) = (self.address, &self.callback);
        eprintln!("asked {hub} for {topic}\nlistening at {address}, callback {callback}");
        let mut left = self.args.count;
        let mut is_confirmed = false;
        let mut due = Instant::now() + PATIENCE;
        while left != Some(0) {
            let event = tokio::select! {
                event = self.events.recv() => event.context("the receiver has ended")?,
                () = sleep_until(due) => {
                    self.remind(is_confirmed).await;
                    due = Instant::now() + PAUSE;
                    continue;
                }
            };
            match event {
                Event::Confirmed { lease } => {
                    let lasting = lease.map(notation::format_duration);
                    let lasting = lasting.map_or_else(String::new, |lease| format!(" for {lease}"));
                    eprintln!(
                        "{}{lasting}",
                        if is_confirmed {
                            "renewed"
                        } else {
                            "subscribed"
                        }
                    );
                    is_confirmed = true;
                    due = Instant::now() + lease.unwrap_or(notation::LONGEST) * 4 / 5;
                }
                Event::Denied { reason } => {
                    self.is_asked = false;
                    bail!(
                        "{} denied the subscription: {}",
                        self.place.hub,
                        client::printable(&reason)
                    );
                }
                Event::Delivered(delivery) => {
                    let text = match self.args.json {
                        true => delivery.as_json()?,
                        false => delivery.in_words(),
                    };
                    say(&text)?;
                    left = left.map(|left| left - 1);
                }
                Event::Ended => {}
            }
        }
        Ok(())
    }

    /// What is due: the renewal of a lease of which a fifth is left, or a word about a hub that does not come back.
    async fn remind(&self, is_confirmed: bool) {
        if !is_confirmed {
            eprintln!(
                "{} has not asked {} yet whether it agrees; can it reach that URL?",
                self.place.hub, self.callback
            );
        } else if let Err(error) = self.ask(Mode::Subscribe).await {
            eprintln!("the subscription cannot be renewed: {error:#}");
        }
    }

    async fn ask(&self, mode: Mode) -> anyhow::Result<()> {
        let wish = Wish {
            mode,
            callback: &self.callback,
            secret: Some(&self.secret).filter(|_| mode == Mode::Subscribe),
            lease: self.args.lease,
            signature: None,
            sync: false,
        };
        let answer = wish.send(&self.client, &self.place).await;
        answer.map(|_| ())
    }

    /// Ends the subscription, without waiting long for the hub, and then the receiver.
    async fn leave(mut self) {
        if self.is_asked {
            self.receiver.leave();
            let farewell = async {
                self.ask(Mode::Unsubscribe).await?;
                while !matches!(self.events.recv().await, None | Some(Event::Ended)) {}
                anyhow::Ok(())
            };
            match timeout(FAREWELL, farewell).await {
                Ok(Ok(())) => eprintln!("unsubscribed"),
                Ok(Err(error)) => eprintln!("not unsubscribed: {error:#}"),
                Err(_) => eprintln!(
                    "not unsubscribed: the hub did not come back in time; it will find nobody here"
                ),
            }
        }
        self.receiver.stop().await;
    }
}

/// Reads an argument that is an address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an IP address and a port, such as 0.0.0.0:9000".to_owned())
}
