//! What the pages tell people to type is there: the verbs and flags of `fanfare`, and the settings. In: the code in README and `docs`. Out:
//! each name that the binary, or the table of settings, does not know; and each measured figure that README does not have.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::{code, section};
use crate::pages::{pages, read};
use crate::support::hub::command;

#[test]
fn every_command_in_the_pages_is_one_that_the_binary_knows() {
    let mut helps = Helps::default();
    let mut unknown = Vec::new();
    let mut count = 0;
    for page in pages() {
        for code in code(&read(&page)) {
            for words in commands(&code) {
                count += 1;
                if let Err(what) = helps.check(&words) {
                    unknown.push(format!("{}: {what} in {words:?}", page.display()));
                }
            }
        }
    }
    assert!(count > 100, "only {count} commands: are they still read?");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_setting_that_the_pages_name_is_one() {
    let table = read("docs/settings.md".as_ref());
    let keys = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let keys: BTreeSet<_> = keys.filter_map(|row| row.split('`').next()).collect();
    let sections: BTreeSet<_> = keys.iter().filter_map(|key| key.split_once('.')).collect();
    let sections: BTreeSet<_> = sections.into_iter().map(|(section, _)| section).collect();
    let mut unknown = Vec::new();
    let mut count = 0;
    for page in pages() {
        for code in code(&read(&page)) {
            let key = code.split(" = ").next().unwrap_or_default();
            let parts = key.split_once('.');
            let is_key = parts.is_some_and(|(section, name)| {
                sections.contains(section)
                    && !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            });
            count += usize::from(is_key);
            if is_key && !keys.contains(key) {
                unknown.push(format!("{}: {key}", page.display()));
            }
        }
    }
    assert!(count > 100, "only {count} settings: are they still read?");
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn the_figures_of_operating_are_those_of_readme() {
    let (readme, operating) = (
        read("README.md".as_ref()),
        read("docs/operating.md".as_ref()),
    );
    let measured = section(&readme, "Speed");
    let rows = section(&operating, "How much machine").lines();
    let rows = rows.filter(|row| row.contains("`cargo bench"));
    let mut count = 0;
    for row in rows {
        let words: Vec<_> = row.split([' ', ';']).collect();
        for pair in words.windows(2) {
            let is_number = pair[0].starts_with(|c: char| c.is_ascii_digit());
            if is_number && ["µs", "MB", "a"].contains(&pair[1]) {
                count += 1;
                let figure = pair.join(" ");
                assert!(measured.contains(&figure), "README does not have {figure}");
            }
        }
    }
    assert_eq!(count, 4, "CPU, memory twice, events");
}

/// The commands in a piece of code: what follows `fanfare`, up to what ends a command in a shell.
fn commands(code: &str) -> Vec<Vec<String>> {
    let joined = code.replace("\\\n", " ");
    let lines = joined.lines();
    let ends = ["|", "||", "&&", "&", ";", "<", ">", "#"];
    let of_line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let begins: Vec<_> = (0..words.len())
            .filter(|at| words[*at].trim_start_matches(['(', '$']) == "fanfare")
            .collect();
        let command = |begin: usize| -> Vec<String> {
            let rest = words[begin + 1..].iter();
            rest.take_while(|word| !ends.contains(&word.as_str()))
                .map(|word| word.trim_end_matches([';', ')', ',']).to_owned())
                .collect()
        };
        let all = begins.into_iter().map(command);
        // `-u fanfare`, and `fanfare VERB`.
        all.filter(|words| words.first().is_some_and(|verb| is_verb(verb)))
            .collect::<Vec<_>>()
    };
    lines.flat_map(of_line).collect()
}

fn is_verb(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_lowercase())
}

/// What `--help` says, by verb, asked once for each.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, Option<String>>);

impl Helps {
    fn check(&mut self, words: &[String]) -> Result<(), String> {
        let mut verb = vec![words[0].clone()];
        let mut help = self.of(&verb)?;
        if help.contains("<VERB>")
            && let Some(second) = words.get(1).filter(|word| is_verb(word))
        {
            verb.push(second.clone());
            help = self.of(&verb)?;
        }
        let flags = words.iter().filter(|word| word.starts_with("--"));
        for flag in flags.map(|word| word.split(['=', '[']).next().unwrap_or_default()) {
            let is_known = flag == "--" || help.split([' ', '[', '\n']).any(|own| own == flag);
            if !is_known {
                return Err(format!("{} has no {flag}", verb.join(" ")));
            }
        }
        Ok(())
    }

    fn of(&mut self, verb: &[String]) -> Result<String, String> {
        let ask = || {
            let output = command().args(verb).arg("--help").output();
            let output = output.expect("the binary runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success().then_some(text)
        };
        let help = self.0.entry(verb.to_vec()).or_insert_with(ask);
        let help = help.clone();
        help.ok_or_else(|| format!("there is no `{}`", verb.join(" ")))
    }
}
