//! What the command line says of itself: its help, `fanfare completions`, `fanfare man`. In: the verbs as `clap` has them. Out: help with
//! headings and examples, a script for a shell, pages for `man`.

use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::Style;
use anyhow::{Context as _, bail};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::exit::{CODES, Failure};
use super::{Cli, say};

pub const COMPLETIONS_EXAMPLE: &str = "\
Examples:
  fanfare completions bash > ~/.local/share/bash-completion/completions/fanfare
  fanfare completions zsh > ~/.zfunc/_fanfare
  fanfare completions fish > ~/.config/fish/completions/fanfare.fish";

pub const MAN_EXAMPLE: &str = "\
Examples:
  fanfare man | man -l -
  fanfare man hooks add | man -l -
  fanfare man --dir ~/.local/share/man/man1";

/// The verbs under the headings of the help.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "A hub of your own",
        &["serve", "check", "backup", "restore", "export", "import"],
    ),
    (
        "Any hub",
        &["discover", "subscribe", "unsubscribe", "publish", "listen"],
    ),
    (
        "A Fanfare hub that runs, at --url or FANFARE_URL",
        &[
            "topics",
            "subscriptions",
            "sources",
            "events",
            "hooks",
            "deliveries",
            "replay",
            "replays",
            "inspect",
            "tokens",
            "log",
            "erase",
            "bench",
        ],
    ),
    ("The shell", &["completions", "man"]),
];
/// The most columns of the help.
pub const WIDTH: usize = 100;
/// As `clap` writes its own headings, and what can be typed.
const HEADING: Style = Style::new().bold().underline();
const LITERAL: Style = Style::new().bold();

#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Args, Debug)]
pub struct ManArgs {
    /// The page of this verb (otherwise that of fanfare)
    #[arg(value_name = "VERB")]
    verb: Vec<String>,
    /// Write all pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    dir: Option<PathBuf>,
}

/// The command line with all its help.
pub fn command() -> Command {
    let command = Cli::command().mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        let examples = verb.get_after_help().map(ToString::to_string);
        let examples = examples.unwrap_or_default();
        verb.mut_subcommands(|leaf| {
            let own = examples_of(&examples, &format!("fanfare {name} {}", leaf.get_name()));
            leaf.after_help(own)
        })
        .subcommand_value_name("VERB")
        .subcommand_help_heading("Verbs")
    });
    let mut groups = String::new();
    for (heading, verbs) in GROUPS {
        groups += &format!("{HEADING}{heading}:{HEADING:#}\n");
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            groups += &format!("  {LITERAL}{verb:<15}{LITERAL:#}{about}\n");
        }
        groups.push('\n');
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}\
         {HEADING}Options:{HEADING:#}\n{{options}}{{after-help}}"
    );
    let command = command.help_template(template);
    command.subcommand_value_name("VERB").after_help(format!(
        "{HEADING}Exit codes:{HEADING:#}\n{CODES}\n\n\
         Start a hub with `fanfare serve`; it prints what to try next. `fanfare help VERB` shows examples.\n\
         Tables are for people; --json is for programs. Colours, and bars for long work, are for\n\
         terminals; NO_COLOR is honoured."
    ))
}

/// The examples of one verb, with the lines that belong to them.
fn examples_of(all: &str, verb: &str) -> String {
    let mut own = "Examples:".to_owned();
    let mut is_own = false;
    for line in all.lines() {
        if !line.starts_with("      ") {
            let rest = line.split_once(verb).map(|(_, rest)| rest);
            is_own = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        }
        if is_own {
            own += &format!("\n{line}");
        }
    }
    own
}

/// Prints the script with which a shell completes verbs and flags.
///
/// # Errors
/// If nobody reads standard output.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "fanfare", &mut script);
    say(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a page for `man`, or writes all of them.
///
/// # Errors
/// If there is no such verb, or the folder cannot be written.
pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut root = command();
    root.build();
    if let Some(dir) = &args.dir {
        let cannot = || format!("cannot write into {}", dir.display());
        std::fs::create_dir_all(dir).with_context(cannot)?;
        clap_mangen::generate_to(root, dir).with_context(cannot)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = &root;
    for verb in &args.verb {
        let Some(below) = page.find_subcommand(verb) else {
            let words = format!("there is no verb {:?}", args.verb.join(" "));
            bail!(Failure::usage(format!("{words}; fanfare --help shows all")));
        };
        page = below;
    }
    let mut text = Vec::new();
    Man::new(page.clone()).render(&mut text)?;
    say(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn leaves() -> Vec<(String, Command)> {
        let mut leaves = Vec::new();
        for verb in command().get_subcommands() {
            let name = format!("fanfare {}", verb.get_name());
            match verb.has_subcommands() {
                false => leaves.push((name, verb.clone())),
                true => leaves.extend(
                    verb.get_subcommands()
                        .map(|leaf| (format!("{name} {}", leaf.get_name()), leaf.clone())),
                ),
            }
        }
        leaves
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_stands_under_one_heading() {
        let command = command();
        let known: BTreeSet<_> = command.get_subcommands().map(Command::get_name).collect();
        let grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, verbs)| *verbs)
            .copied()
            .collect();
        assert_eq!(grouped.len(), known.len());
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn every_verb_has_an_example_and_stands_in_the_documentation() {
        let page = include_str!("../../docs/cli.md");
        for (name, verb) in leaves() {
            let help = verb.get_after_help().map(ToString::to_string);
            assert!(help.is_some_and(|help| help.contains(&name)), "{name}");
            assert!(
                page.contains(&format!("`{name}")),
                "docs/cli.md lacks {name}"
            );
        }
    }

    #[test]
    fn no_example_is_wider_than_the_help() {
        let command = command();
        let verbs = leaves().into_iter().map(|(_, verb)| verb);
        for verb in verbs.chain(command.get_subcommands().cloned()) {
            let help = verb.get_after_help().map(ToString::to_string);
            for line in help.unwrap_or_default().lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn the_documentation_has_the_exit_codes() {
        let page = include_str!("../../docs/cli.md");
        for line in CODES.lines() {
            let (code, meaning) = line.trim().split_once("  ").expect("a code");
            assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
        }
    }
}
