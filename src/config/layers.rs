//! The layers that change settings: the file, the environment, the flags. Each becomes a list of assignments; a key that
//! does not exist becomes a problem that names the nearest one that does.

use std::{collections::BTreeMap, io::ErrorKind, ops::Range, path::Path, path::PathBuf};

use toml_edit::{Document, Key, TableLike, Value};

use super::{Config, ConfigError, Flags, Loaded, Origin, Problem, schema};
use crate::domain::notation;

/// What every environment variable of Fanfare starts with.
pub const ENV_PREFIX: &str = "FANFARE_";
/// The variables that the client verbs read; they set nothing here.
const CLIENT_VARIABLES: [&str; 2] = ["FANFARE_URL", "FANFARE_TOKEN"];
/// The file that is read when none is named.
const DEFAULT_FILE: &str = "config.toml";

/// The assignments of some layers, in the order in which they apply, and what was wrong with others.
#[derive(Debug, Default)]
pub struct Assigned {
    assignments: Vec<Assignment>,
    problems: Vec<Problem>,
}

/// One value for one key that exists.
#[derive(Debug)]
struct Assignment {
    key: String,
    value: Value,
    origin: Origin,
}

impl Assigned {
    /// These, and then `later` ones.
    pub fn and(mut self, later: Self) -> Self {
        self.assignments.extend(later.assignments);
        self.problems.extend(later.problems);
        self
    }

    /// The defaults with every assignment applied. Each is tried alone first, so that every problem is found and named.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with every problem.
    pub fn apply(mut self) -> Result<Loaded, ConfigError> {
        let mut values: BTreeMap<String, Value> = defaults().into_iter().collect();
        let defaults = values.clone();
        let mut origins: BTreeMap<_, _> = defaults
            .keys()
            .map(|key| (key.clone(), Origin::Default))
            .collect();
        for Assignment { key, value, origin } in self.assignments {
            let tried = schema::same_type(&key, &value, &defaults[&key])
                .and_then(|()| schema::assemble([(key.as_str(), &value)]));
            if let Err(sentence) = tried {
                self.problems.push(problem(origin, &key, sentence));
                continue;
            }
            origins.insert(key.clone(), origin);
            values.insert(key, value);
        }
        if !self.problems.is_empty() {
            return Err(ConfigError::Refused(self.problems));
        }
        let config = schema::assemble(values.iter().map(|(key, value)| (key.as_str(), value)))
            .expect("each value was accepted by itself");
        Ok(Loaded { config, origins })
    }

    fn problem(&mut self, origin: Origin, sentence: String) {
        self.problems.push(Problem { origin, sentence });
    }
}

/// A problem with the value of `key`. The variables and flags are named for their key; a line of the file is not.
fn problem(origin: Origin, key: &str, sentence: String) -> Problem {
    let sentence = match origin {
        Origin::File { .. } => format!("{key}: {sentence}"),
        _ => sentence,
    };
    Problem { origin, sentence }
}

fn defaults() -> Vec<(String, Value)> {
    schema::entries(&Config::default())
}

/// What the flags say.
pub fn flags(flags: Flags) -> Assigned {
    let given = [
        ("listen", "--listen", flags.listen),
        ("data_dir", "--data-dir", flags.data_dir),
    ];
    let assignments = given.into_iter().filter_map(|(key, flag, text)| {
        Some(Assignment {
            key: key.into(),
            value: Value::from(text?),
            origin: Origin::Flag(flag),
        })
    });
    Assigned {
        assignments: assignments.collect(),
        problems: Vec::new(),
    }
}

/// What the environment says: `FANFARE_SECTION__KEY`, or `FANFARE_KEY` for the top level.
pub fn environment(env: impl Iterator<Item = (String, String)>) -> Assigned {
    let variables: Vec<_> = defaults()
        .into_iter()
        .map(|(key, default)| (variable(&key), key, default))
        .collect();
    let mut assigned = Assigned::default();
    for (name, text) in env {
        if !name.starts_with(ENV_PREFIX) || CLIENT_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let origin = Origin::Env(name.clone());
        if let Some((_, key, default)) = variables.iter().find(|(known, ..)| *known == name) {
            let value = schema::from_text(&text, default);
            assigned.assignments.push(Assignment {
                key: key.clone(),
                value,
                origin,
            });
        } else {
            let meant = name[ENV_PREFIX.len()..].to_lowercase().replace("__", ".");
            let near =
                schema::nearest_key(&meant, variables.iter().map(|(_, key, _)| key.as_str()))
                    .map(variable);
            assigned.problem(
                origin,
                format!(
                    "this variable is not a setting{}",
                    did_you_mean(near.as_deref())
                ),
            );
        }
    }
    assigned
}

fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(
        || "; `fanfare check` prints all settings".into(),
        |near| format!("; did you mean {near}?"),
    )
}

/// What the file says. Without `named`, the default file is read if there is one.
///
/// # Errors
/// [`ConfigError::Unreadable`] for a file that was named and does not exist, or that cannot be read.
pub fn file(named: Option<&Path>) -> Result<Assigned, ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(toml(path, &text)),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
            Ok(Assigned::default())
        }
        Err(cause) => Err(ConfigError::Unreadable {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// What a TOML text says; `path` is where it stands.
fn toml(path: &Path, text: &str) -> Assigned {
    let mut reader = FileReader {
        path: path.to_owned(),
        text,
        known: defaults(),
        assigned: Assigned::default(),
    };
    match Document::parse(text) {
        Ok(document) => reader.table("", document.as_table()),
        Err(error) => {
            let origin = reader.origin(error.span());
            let reason = error.message().lines().collect::<Vec<_>>().join(", ");
            reader
                .assigned
                .problem(origin, format!("this is not TOML: {reason}"));
        }
    }
    reader.assigned
}

/// Walks a file, section by section.
struct FileReader<'a> {
    path: PathBuf,
    text: &'a str,
    known: Vec<(String, Value)>,
    assigned: Assigned,
}

impl FileReader<'_> {
    fn table(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            // A name that needs quotes keeps them, so that `"delivery.timeout"` is not taken for two names.
            let key = schema::join(section, &Key::new(name).display_repr());
            let origin = self.origin(table.key(name).and_then(Key::span).or_else(|| item.span()));
            let is_key = self.keys().any(|known| known == key);
            let is_section = self.sections().any(|known| known == key);
            let sentence = match (item.as_table_like(), item.as_value()) {
                (Some(table), _) if is_section => {
                    self.table(&key, table);
                    continue;
                }
                (None, Some(value)) if is_key => {
                    let value = value.clone();
                    self.assigned
                        .assignments
                        .push(Assignment { key, value, origin });
                    continue;
                }
                (None, _) if is_section => {
                    format!("{key} is a section; write [{key}] once and its settings below it")
                }
                (None, Some(_)) => {
                    let near = schema::nearest_key(&key, self.keys());
                    format!("{key} is not a setting{}", did_you_mean(near))
                }
                _ if is_key => format!("{key} is a setting, not a section; write {key} = ..."),
                _ => {
                    let near = notation::nearest(&key, self.sections());
                    let near = near.map(|near| format!("[{near}]"));
                    format!("[{key}] is not a section{}", did_you_mean(near.as_deref()))
                }
            };
            self.assigned.problem(origin, sentence);
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.known.iter().map(|(key, _)| key.as_str())
    }

    fn sections(&self) -> impl Iterator<Item = &str> {
        self.keys().filter_map(|key| Some(key.split_once('.')?.0))
    }

    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        let start = span.map_or(0, |span| span.start);
        let before = self.text.as_bytes().get(..start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Origin::File {
            path: self.path.clone(),
            line,
        }
    }
}
