//! `fanfare bench`: how fast a hub is, seen from outside. In: a hub that runs, and how many subscribers and publications. Out: what it took
//! to subscribe them all, and to bring each publication to all of them, signatures checked.
//!
//! The subscribers are callbacks of this process, so they share this machine with it, and with the hub if that is here too. They are
//! unsubscribed at the end, also after Ctrl-C.

mod callbacks;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use url::Url;

use self::callbacks::Callbacks;
use super::client;
use super::discover::Place;
use super::exit::Failure;
use super::progress::{Progress, Whole};
use super::remote::{Remote, RemoteArgs};
use super::signals::Signals;
use super::subscribe::{self, Wish};
use super::table::table;
use crate::domain::link;
use crate::domain::notation;
use crate::domain::subscription::Mode;
use crate::domain::value::{CallbackUrl, Secret, TopicUrl};
use crate::flow::clock;

pub const EXAMPLE: &str = "\
Examples:
  fanfare bench --token \"$TOKEN\"
      the hub at http://127.0.0.1:8080/: 500 subscribers, 20 publications of 1 KiB
  fanfare bench --url https://hub.example/ --subscribers 50 --publications 5 \\
      --listen 0.0.0.0:9000 --callback https://me.example/bench
      a hub elsewhere, which reaches this machine through the callback's URL

The token is a publisher's, or the administrator's. The topic is made up, and all are
unsubscribed at the end.";

/// Requests to the hub at once.
const AT_ONCE: usize = 32;
/// So long the hub may take to verify everybody, and to bring one publication to everybody.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to end all subscriptions before we leave without that.
const FAREWELL: Duration = Duration::from_secs(20);

#[derive(Args, Debug)]
pub struct BenchArgs {
    /// How many subscribers
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscribers: u32,
    /// How many publications, one after the other
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    publications: u32,
    /// How large each is, such as 1KiB
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = size)]
    size: usize,
    /// The address that the subscribers listen on [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The URL under which the hub reaches it [default: http://ADDR/]
    #[arg(long, value_name = "URL", value_parser = client::hub)]
    callback: Option<Url>,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What was measured, in seconds.
struct Measured {
    subscribed: Duration,
    accepted: Vec<Duration>,
    first: Vec<Duration>,
    all: Vec<Duration>,
}

/// Measures a hub.
///
/// # Errors
/// If it cannot be reached, refuses, or does not bring everything to everybody in time.
pub async fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let remote = Remote::new(&args.remote)?;
    let bench = Bench::start(args, &remote).await?;
    let measured = tokio::select! {
        measured = bench.measure() => measured,
        _ = signals.next() => Err(anyhow::anyhow!("stopped before the end")),
    };
    tokio::select! {
        () = bench.leave() => {}
        _ = signals.next() => {}
    }
    let reported = measured.and_then(|measured| bench.report(&measured));
    bench.callbacks.stop().await;
    reported.map(|()| ExitCode::SUCCESS)
}

struct Bench<'a> {
    args: &'a BenchArgs,
    remote: &'a Remote<'a>,
    place: Place,
    base: Url,
    secret: Secret,
    callbacks: Callbacks,
}

impl<'a> Bench<'a> {
    /// Opens the port; nobody has subscribed yet.
    async fn start(args: &'a BenchArgs, remote: &'a Remote<'a>) -> anyhow::Result<Self> {
        let address = args.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}; choose another with --listen"))?;
        let address = listener.local_addr()?;
        let mut base = match &args.callback {
            Some(base) => base.clone(),
            None => Url::parse(&format!("http://{address}/"))?,
        };
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let topic = format!("http://fanfare-bench.invalid/{}", clock::challenge());
        let topic = TopicUrl::parse(&topic)?;
        let secret = subscribe::secret(&clock::challenge()).map_err(anyhow::Error::msg)?;
        let callbacks = Callbacks::start(listener, topic.clone(), secret.clone());
        let place = Place {
            hub: remote.hub().clone(),
            topic,
        };
        Ok(Self {
            args,
            remote,
            place,
            base,
            secret,
            callbacks,
        })
    }

    async fn measure(&self) -> anyhow::Result<Measured> {
        let began = Instant::now();
        self.ask_all(Mode::Subscribe).await?;
        let everybody = self.args.subscribers as usize;
        let verified = self.callbacks.verified(everybody);
        if timeout(PATIENCE, verified).await.is_err() {
            bail!(
                "{} of {everybody} callbacks were verified within {}; can the hub reach {}?",
                self.callbacks.verified_now(),
                notation::format_duration(PATIENCE),
                self.base
            );
        }
        let mut measured = Measured {
            subscribed: began.elapsed(),
            accepted: Vec::new(),
            first: Vec::new(),
            all: Vec::new(),
        };
        // The hub hears of the last verification a moment after we have answered it.
        self.publish_until_everybody_has_it().await?;
        let progress = self.progress("publishing", self.args.publications);
        for number in 0..self.args.publications {
            let content = format!("{number:0>width$}", width = self.args.size);
            self.callbacks.expect(everybody);
            let began = Instant::now();
            self.publish(content).await?;
            measured.accepted.push(began.elapsed());
            let Ok((first, last)) = timeout(PATIENCE, self.callbacks.complete()).await else {
                bail!(
                    "{} of {everybody} subscribers had publication {} after {}",
                    self.callbacks.had_now(),
                    number + 1,
                    notation::format_duration(PATIENCE)
                );
            };
            measured.first.push(first.saturating_duration_since(began));
            measured.all.push(last.saturating_duration_since(began));
            progress.more(1);
        }
        match self.callbacks.wrongly_signed() {
            0 => Ok(measured),
            wrong => bail!("{wrong} deliveries were not signed as they should be"),
        }
    }

    /// One that does not count: whoever subscribed a moment too late for it has another chance.
    async fn publish_until_everybody_has_it(&self) -> anyhow::Result<()> {
        let everybody = self.args.subscribers as usize;
        for round in 0..PATIENCE.as_secs() {
            self.callbacks.expect(everybody);
            self.publish(format!("warming up, {round}")).await?;
            let complete = self.callbacks.complete();
            if timeout(Duration::from_secs(1), complete).await.is_ok() {
                return Ok(());
            }
        }
        bail!(
            "{} of {everybody} subscribers get what is published; `fanfare publish --wait` tells of the others",
            self.callbacks.had_now()
        )
    }

    async fn publish(&self, content: String) -> anyhow::Result<()> {
        let endpoint = self.place.hub.join("publish")?;
        let link = link::format(self.place.topic.as_str(), &[""; 0]);
        let mut headers = HeaderMap::new();
        headers.insert(LINK, HeaderValue::from_str(&link)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let client = self.remote.client();
        let token = self.remote.token();
        let answer = client.post(&endpoint, headers, token, content.into_bytes());
        let answer = answer.await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let words = format!("{endpoint} refused: {}", answer.in_words());
        bail!(Failure::refused(answer.status, words))
    }

    /// Asks the hub for a subscription of each callback, or for its end.
    async fn ask_all(&self, mode: Mode) -> anyhow::Result<()> {
        let task = match mode {
            Mode::Subscribe => "subscribing",
            Mode::Unsubscribe => "unsubscribing",
        };
        let progress = self.progress(task, self.args.subscribers);
        let progress = &progress;
        stream::iter(0..self.args.subscribers)
            .map(async |number| {
                let callback = self.base.join(&number.to_string())?;
                let callback = CallbackUrl::parse(callback.as_str())?;
                let wish = Wish {
                    mode,
                    callback: &callback,
                    secret: Some(&self.secret).filter(|_| mode == Mode::Subscribe),
                    lease: None,
                    signature: None,
                    sync: false,
                };
                wish.send(self.remote.client(), &self.place).await?;
                progress.more(1);
                anyhow::Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    fn progress(&self, task: &'static str, whole: u32) -> Progress {
        Progress::begin(task, Whole::Items(whole.into()), self.args.remote.json)
    }

    /// Ends all subscriptions, without waiting long for the hub.
    async fn leave(&self) {
        let farewell = async {
            self.ask_all(Mode::Unsubscribe).await?;
            self.callbacks.all_left().await;
            anyhow::Ok(())
        };
        match timeout(FAREWELL, farewell).await {
            Ok(Ok(())) => {}
            // Nobody is there to be missed.
            Ok(Err(_)) if self.callbacks.verified_now() == 0 => {}
            Ok(Err(error)) => anstream::eprintln!("not everybody is unsubscribed: {error:#}"),
            Err(_) => anstream::eprintln!(
                "not everybody is unsubscribed: the hub did not come back in time; it will find nobody here"
            ),
        }
    }

    fn report(&self, measured: &Measured) -> anyhow::Result<()> {
        let Measured {
            subscribed,
            accepted,
            first,
            all,
        } = measured;
        let subscribers = f64::from(self.args.subscribers);
        let rates: Vec<f64> = all
            .iter()
            .map(|took| subscribers / took.as_secs_f64())
            .collect();
        let verified = subscribers / subscribed.as_secs_f64();
        let delivered = rates.iter().sum::<f64>() / rates.len() as f64;
        let spans = [
            ("accepted", accepted),
            ("first delivery", first),
            ("last delivery", all),
        ];
        let millis = |share| spans.map(|(_, times)| percentile(times, share).as_secs_f64() * 1e3);
        let (median, worst) = (millis(0.5), millis(0.99));
        let [accepted, first, last] =
            [0, 1, 2].map(|at| json!({"p50": median[at], "p99": worst[at]}));
        let value = json!({
            "subscribers": self.args.subscribers,
            "publications": self.args.publications,
            "bytes": self.args.size,
            "verified_per_second": verified,
            "delivered_per_second": delivered,
            "millis": {"accepted": accepted, "first_delivery": first, "last_delivery": last},
        });
        self.remote.show(&value, || {
            let rows = [0, 1, 2].map(|at| {
                let [p50, p99] = [median[at], worst[at]].map(|millis| format!("{millis:.2} ms"));
                [spans[at].0.to_owned(), p50, p99]
            });
            format!(
                "{} subscribers, {} publications of {}; all signatures are right\n\
                 subscribed and verified: {verified:.0} a second\n\
                 delivered: {delivered:.0} a second\n\n{}",
                self.args.subscribers,
                self.args.publications,
                notation::format_size(self.args.size),
                table(["SINCE PUBLISHING", "P50", "P99"], &rows),
            )
        })
    }
}

/// The time within which that share of them lies.
fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() as f64 * share).ceil() as usize;
    times
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn size(text: &str) -> Result<usize, String> {
    match notation::parse_size(text)? {
        bytes @ 1..=0x10_0000 => Ok(bytes),
        bytes => Err(format!(
            "a publication of the bench has 1 B to 1MiB; this would be {}",
            notation::format_size(bytes)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 0.5), Duration::from_millis(50));
        assert_eq!(percentile(&times, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&times[..1], 0.5), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
