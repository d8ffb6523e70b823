//! The verbs of the `fanfare` binary. In: the parsed command line. Out: what the verb prints, and its exit code: 0 done,
//! 1 it failed, 2 the command line itself is wrong.

pub mod check;
mod client;
mod deliveries;
mod discover;
mod events;
mod hooks;
mod listen;
mod publish;
mod remote;
mod replay;
mod replays;
mod serve;
mod signals;
mod sources;
mod subscribe;
mod tokens;
mod transfer;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const SERVE_EXAMPLE: &str = "\
Example:
  fanfare serve --listen 127.0.0.1:9000 --data-dir ./hub-data

Flags win over FANFARE_SECTION__KEY variables, these over config.toml, that over the defaults.";

const CHECK_EXAMPLE: &str = "\
Example:
  FANFARE_DELIVERY__TIMEOUT=5s fanfare check --config /etc/fanfare/config.toml

What it prints is itself a config.toml; secrets are masked.";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "fanfare",
    version,
    about = "A WebSub / PubSubHubbub hub in one binary, and the tools to talk to any hub.",
    after_help = "Start a hub with `fanfare serve`; it prints what to try next.\n\
                  `fanfare help VERB` shows an example for each verb.",
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// What can be done. The first two are about a hub of one's own, the next five speak to any hub, the seven after them
/// keep one that runs, the last two move the data of a hub that is stopped.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the hub
    #[command(after_help = SERVE_EXAMPLE)]
    Serve(serve::SettingsFlags),
    /// Check the settings and print each with where it came from
    #[command(after_help = CHECK_EXAMPLE)]
    Check(serve::SettingsFlags),
    /// Show which hubs a topic names, and its canonical URL
    #[command(after_help = discover::EXAMPLE)]
    Discover(discover::DiscoverArgs),
    /// Ask a hub to send a topic's updates to a callback
    #[command(after_help = subscribe::SUBSCRIBE_EXAMPLE)]
    Subscribe(subscribe::SubscribeArgs),
    /// Ask a hub to stop sending them
    #[command(after_help = subscribe::UNSUBSCRIBE_EXAMPLE)]
    Unsubscribe(subscribe::UnsubscribeArgs),
    /// Tell a hub that topics have changed, or push new content to it
    #[command(after_help = publish::EXAMPLE)]
    Publish(publish::PublishArgs),
    /// Subscribe, and print every update that arrives with its signature checked
    #[command(after_help = listen::EXAMPLE)]
    Listen(listen::ListenArgs),
    /// Show, declare and drop the sources of a hub
    #[command(after_help = sources::EXAMPLE)]
    Sources(sources::SourcesArgs),
    /// Raise events of a source
    #[command(after_help = events::EXAMPLE)]
    Events(events::EventsArgs),
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
    /// Write all subscriptions of a stopped hub as JSON lines
    #[command(after_help = transfer::EXPORT_EXAMPLE)]
    Export(transfer::ExportArgs),
    /// Read subscriptions from JSON lines into a stopped hub
    #[command(after_help = transfer::IMPORT_EXAMPLE)]
    Import(transfer::ImportArgs),
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
            Verb::Check(flags) => {
                say(&check::render(&flags.load()?))?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Discover(args) => discover::run(&args).await,
            Verb::Subscribe(args) => subscribe::subscribe(&args).await,
            Verb::Unsubscribe(args) => subscribe::unsubscribe(&args).await,
            Verb::Publish(args) => publish::run(&args).await,
            Verb::Listen(args) => listen::run(&args).await,
            Verb::Sources(args) => sources::run(&args).await,
            Verb::Events(args) => events::run(&args).await,
            Verb::Tokens(args) => tokens::run(&args).await,
            Verb::Hooks(args) => hooks::run(&args).await,
            Verb::Deliveries(args) => deliveries::run(&args).await,
            Verb::Replay(args) => replay::run(&args).await,
            Verb::Replays(args) => replays::run(&args).await,
            Verb::Export(args) => transfer::export(&args).await,
            Verb::Import(args) => transfer::import(&args).await,
        }
    })
}

/// Writes to standard output at once. Unlike `println!` it does not panic when nobody reads any longer.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
