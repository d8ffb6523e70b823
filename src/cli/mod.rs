//! The verbs of the `fanfare` binary. In: the parsed command line. Out: what the verb prints, and its exit code (`exit`).

mod backup;
mod bench;
pub mod check;
mod client;
mod deliveries;
mod discover;
mod erase;
mod events;
mod exit;
mod hooks;
mod inspect;
mod listen;
mod live;
mod log;
mod manual;
mod progress;
mod publish;
mod remote;
mod replay;
mod replays;
mod serve;
mod signals;
mod sources;
mod subscribe;
mod subscriptions;
mod table;
mod tokens;
mod topics;
mod transfer;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{FromArgMatches as _, Parser, Subcommand};

pub use self::exit::code;

const SERVE_EXAMPLE: &str = "\
Example:
  fanfare serve --listen 127.0.0.1:9000 --data-dir ./hub-data

Flags win over FANFARE_SECTION__KEY variables, these over config.toml, that over the defaults.";

/// How long a hub may take for what is much work.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "fanfare",
    version,
    about = "A WebSub / PubSubHubbub hub in one binary, and the tools to talk to any hub.",
    max_term_width = manual::WIDTH
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done; `manual` puts it under headings.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the hub
    #[command(after_help = SERVE_EXAMPLE)]
    Serve(serve::SettingsFlags),
    /// Check the settings, and print each with where it came from
    #[command(after_help = check::EXAMPLE)]
    Check(check::CheckArgs),
    /// Show which hubs a topic names, and its canonical URL
    #[command(after_help = discover::EXAMPLE)]
    Discover(discover::DiscoverArgs),
    /// Ask a hub to send a topic's updates to a callback
    #[command(after_help = subscribe::SUBSCRIBE_EXAMPLE)]
    Subscribe(subscribe::SubscribeArgs),
    /// Ask a hub to stop sending a topic's updates to a callback
    #[command(after_help = subscribe::UNSUBSCRIBE_EXAMPLE)]
    Unsubscribe(subscribe::UnsubscribeArgs),
    /// Tell a hub that topics have changed, or push new content to it
    #[command(after_help = publish::EXAMPLE)]
    Publish(publish::PublishArgs),
    /// Subscribe, and print every update that arrives with its signature checked
    #[command(after_help = listen::EXAMPLE)]
    Listen(listen::ListenArgs),
    /// Measure how fast a hub is, with subscribers of its own
    #[command(after_help = bench::EXAMPLE)]
    Bench(bench::BenchArgs),
    /// Show the topics of a hub, and have it fetch some now
    #[command(after_help = topics::EXAMPLE)]
    Topics(topics::TopicsArgs),
    /// Show who subscribes to a hub, and end subscriptions
    #[command(after_help = subscriptions::EXAMPLE)]
    Subscriptions(subscriptions::SubscriptionsArgs),
    /// Show, declare and drop the sources of a hub
    #[command(after_help = sources::EXAMPLE)]
    Sources(sources::SourcesArgs),
    /// Raise events of a source
    #[command(after_help = events::EXAMPLE)]
    Events(events::EventsArgs),
    /// Make a callback address at a hub, and print every request that arrives there
    #[command(after_help = inspect::EXAMPLE)]
    Inspect(inspect::InspectArgs),
    /// Give out tokens of a hub, and take them back
    #[command(after_help = tokens::EXAMPLE)]
    Tokens(tokens::TokensArgs),
    /// Show, make, change and end the hooks of a hub
    #[command(after_help = hooks::EXAMPLE)]
    Hooks(Box<hooks::HooksArgs>),
    /// Show what a hook was sent, and send one of it again
    #[command(after_help = deliveries::EXAMPLE)]
    Deliveries(deliveries::DeliveriesArgs),
    /// Send a hook once more what its source has raised
    #[command(after_help = replay::EXAMPLE)]
    Replay(replay::ReplayArgs),
    /// Show the replays of a hook, and end one
    #[command(after_help = replays::EXAMPLE)]
    Replays(replays::ReplaysArgs),
    /// Show what a hub logs, and change it while it runs
    #[command(after_help = log::EXAMPLE)]
    Log(log::LogArgs),
    /// Erase all that a hub keeps of a source or a callback
    #[command(after_help = erase::EXAMPLE)]
    Erase(erase::EraseArgs),
    /// Write all that a hub keeps into one file, while it runs
    #[command(after_help = backup::BACKUP_EXAMPLE)]
    Backup(backup::BackupArgs),
    /// Make a data folder of a backup, and prove that it is whole
    #[command(after_help = backup::RESTORE_EXAMPLE)]
    Restore(backup::RestoreArgs),
    /// Write all subscriptions of a stopped hub as JSON lines
    #[command(after_help = transfer::EXPORT_EXAMPLE)]
    Export(transfer::ExportArgs),
    /// Read subscriptions from JSON lines into a stopped hub
    #[command(after_help = transfer::IMPORT_EXAMPLE)]
    Import(transfer::ImportArgs),
    /// Print the script with which a shell completes verbs and flags
    #[command(after_help = manual::COMPLETIONS_EXAMPLE)]
    Completions(manual::CompletionsArgs),
    /// Print the manual as pages for man
    #[command(after_help = manual::MAN_EXAMPLE)]
    Man(manual::ManArgs),
}

/// Reads the command line; what is wrong with it, and help that is asked for, ends the process.
pub fn parse() -> Cli {
    let matches = manual::command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Runs one verb to its end.
///
/// # Errors
/// Says why the verb could not do what it was asked, in words for the person at the keyboard.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match cli.verb {
            Verb::Serve(flags) => serve::run(&flags).await,
            Verb::Check(args) => check::run(&args),
            Verb::Discover(args) => discover::run(&args).await,
            Verb::Subscribe(args) => subscribe::subscribe(&args).await,
            Verb::Unsubscribe(args) => subscribe::unsubscribe(&args).await,
            Verb::Publish(args) => publish::run(&args).await,
            Verb::Listen(args) => listen::run(&args).await,
            Verb::Bench(args) => bench::run(&args).await,
            Verb::Topics(args) => topics::run(&args).await,
            Verb::Subscriptions(args) => subscriptions::run(&args).await,
            Verb::Sources(args) => sources::run(&args).await,
            Verb::Events(args) => events::run(&args).await,
            Verb::Inspect(args) => inspect::run(&args).await,
            Verb::Tokens(args) => tokens::run(&args).await,
            Verb::Hooks(args) => hooks::run(&args).await,
            Verb::Deliveries(args) => deliveries::run(&args).await,
            Verb::Replay(args) => replay::run(&args).await,
            Verb::Replays(args) => replays::run(&args).await,
            Verb::Log(args) => log::run(&args).await,
            Verb::Erase(args) => erase::run(&args).await,
            Verb::Backup(args) => backup::backup(&args).await,
            Verb::Restore(args) => backup::restored(&args),
            Verb::Export(args) => transfer::export(&args).await,
            Verb::Import(args) => transfer::import(&args).await,
            Verb::Completions(args) => manual::completions(&args),
            Verb::Man(args) => manual::man(&args),
        }
    })
}

/// Writes to standard output at once. Unlike `println!` it does not panic when nobody reads any longer.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
