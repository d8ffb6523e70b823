//! Every verb, as people and as programs read it. The verbs are those that the binary's own help names; a verb without a case fails, and so
//! does a case whose verb has gone. In a case stands all that a person reads; what a program gets is what docs/cli.md promises.

mod hooks;
mod own;
mod plain;
mod promise;
mod scene;
mod topics;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use self::promise::{Promise, promises};
use self::scene::Scene;
use crate::support::{Done, Running, fanfare};

/// One verb, and what it prints.
pub struct Case {
    /// The verb as it is typed, without `fanfare`.
    verb: &'static str,
    /// What stands behind it; the scene knows the names in braces.
    args: &'static str,
    /// Its standard input.
    input: &'static str,
    /// What happens while it runs.
    meanwhile: fn(&Scene, &mut Running),
    /// Standard output.
    out: &'static str,
    /// Standard error.
    err: &'static str,
    /// What of the output is different each time, beside what `plain` knows.
    volatile: fn(&str) -> String,
    /// Why it has no `--json`.
    no_json: Option<&'static str>,
}

/// All of them, in the order in which they are played.
fn cases() -> impl Iterator<Item = &'static Case> {
    let all = [hooks::CASES, topics::CASES, own::CASES];
    all.into_iter().flatten()
}

impl Case {
    const PLAIN: Case = Case {
        verb: "",
        args: "",
        input: "",
        meanwhile: |_, _| {},
        out: "",
        err: "",
        volatile: str::to_owned,
        no_json: None,
    };

    fn run(&self, scene: &mut Scene, more: &str) -> Done {
        let args: Vec<String> = format!("{} {} {more}", self.verb, self.args)
            .split_whitespace()
            .map(|word| scene.expand(word))
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        // If it hangs, this is the last one.
        println!("fanfare {}", args.join(" "));
        let mut running = Running::start_with(&args, &scene.environment());
        running.input(self.input.as_bytes());
        (self.meanwhile)(scene, &mut running);
        running.end_with_all()
    }

    /// What a person reads, against what is expected.
    fn for_people(&self, scene: &mut Scene) -> Result<(), String> {
        let done = self.run(scene, "");
        let [out, err] = [&done.out, &done.err].map(|text| (self.volatile)(&scene.plain(text)));
        scene.forget();
        if (done.code, out.as_str(), err.as_str()) == (Some(0), self.out, self.err) {
            return Ok(());
        }
        Err(format!(
            "fanfare {} {}: ends with {:?}\n--- prints\n{out}--- says\n{err}--- and not\n{}--- nor\n{}",
            self.verb, self.args, done.code, self.out, self.err
        ))
    }

    /// What a program reads, against what is promised.
    fn for_programs(&self, scene: &mut Scene, promise: Option<&Promise>) -> Result<(), String> {
        let promise = match (self.no_json, promise) {
            (None, Some(promise)) => promise,
            (Some(_), None) => return Ok(()),
            (None, None) => return Err(format!("docs/cli.md has no row for {}", self.verb)),
            (Some(why), Some(_)) => {
                return Err(format!("docs/cli.md promises JSON of {}: {why}", self.verb));
            }
        };
        let done = self.run(scene, "--json");
        scene.forget();
        let kept = match done.code {
            Some(0) => promise.is_kept(&done.out),
            code => Err(format!("it ends with {code:?}")),
        };
        kept.map_err(|why| {
            let Done { out, err, .. } = done;
            format!(
                "fanfare {} --json: {why}\n--- prints\n{out}--- says\n{err}",
                self.verb
            )
        })
    }
}

/// The verbs below one that have no further ones, as the help of each names them.
fn leaves(above: &str) -> Vec<String> {
    let words: Vec<&str> = above.split_whitespace().chain(["--help"]).collect();
    let help = fanfare(&words);
    assert_eq!(help.code, Some(0), "{above}: {}", help.err);
    let mut leaves = Vec::new();
    let mut is_verb = above.is_empty();
    for line in help.out.lines() {
        if !line.is_empty() && !line.starts_with(' ') {
            is_verb =
                line.ends_with(':') && line != "Options:" && (above.is_empty() || line == "Verbs:");
            is_verb &= line != "Exit codes:";
            continue;
        }
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '));
        let name = name.and_then(|rest| rest.split_whitespace().next());
        if let Some(name) = name.filter(|name| is_verb && *name != "help") {
            leaves.extend(leaves_of(format!("{above} {name}")));
        }
    }
    leaves
}

fn leaves_of(verb: String) -> Vec<String> {
    let verb = verb.trim().to_owned();
    let below = leaves(&verb);
    if below.is_empty() { vec![verb] } else { below }
}

#[test]
fn every_verb_has_a_case_and_every_case_a_verb() {
    let verbs: BTreeSet<String> = leaves("").into_iter().collect();
    assert!(verbs.len() > 40, "the help names {verbs:?}");
    let cases: Vec<&str> = cases().map(|case| case.verb).collect();
    let known: BTreeSet<String> = cases.iter().map(|verb| (*verb).to_owned()).collect();
    assert_eq!(known.len(), cases.len(), "a verb has two cases");
    let without: Vec<_> = verbs.difference(&known).collect();
    assert!(without.is_empty(), "no case for {without:?}");
    let gone: Vec<_> = known.difference(&verbs).collect();
    assert!(gone.is_empty(), "no such verb: {gone:?}");
    let promised: BTreeSet<String> = promises().into_iter().map(|(verb, _)| verb).collect();
    let unknown: Vec<_> = promised.difference(&verbs).collect();
    assert!(
        unknown.is_empty(),
        "docs/cli.md promises JSON of {unknown:?}"
    );
}

#[test]
fn a_verb_takes_json_unless_its_case_says_why_not() {
    for case in cases() {
        let words: Vec<&str> = case.verb.split(' ').chain(["--help"]).collect();
        let help = fanfare(&words).out;
        assert_eq!(
            help.contains("--json"),
            case.no_json.is_none(),
            "{}: {:?}",
            case.verb,
            case.no_json
        );
    }
}

#[test]
fn every_verb_prints_what_people_and_programs_read() {
    let mut scene = Scene::set();
    let promises = promises();
    let mut wrong = String::new();
    for case in cases() {
        let promise = promises.iter().find(|(verb, _)| verb == case.verb);
        let promise = promise.map(|(_, promise)| promise);
        let tries = [
            case.for_people(&mut scene),
            case.for_programs(&mut scene, promise),
        ];
        for why in tries.into_iter().filter_map(Result::err) {
            let _ = writeln!(wrong, "{why}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Whether it is an object with all these members.
fn has(value: &Value, members: &[String]) -> Result<(), String> {
    let object = value
        .as_object()
        .ok_or_else(|| format!("{value} is no object"))?;
    match members.iter().find(|member| !object.contains_key(*member)) {
        None => Ok(()),
        Some(missing) => Err(format!("{missing} is missing in {value}")),
    }
}

#[test]
fn no_line_of_any_help_is_wider_than_a_hundred_columns() {
    for verb in cases().map(|case| case.verb).chain([""]) {
        let words: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
        for line in fanfare(&words).out.lines() {
            assert!(line.chars().count() <= 100, "fanfare {verb} --help: {line}");
        }
    }
}
