//! The layers that change settings: the file, the environment, the flags. Each becomes a list of assignments; a key that
//! does not exist becomes a problem that names the nearest one that does.

use std::{collections::BTreeMap, io::ErrorKind, ops::Range, path::Path, path::PathBuf};

use serde::{Serialize, de::DeserializeOwned};
use toml_edit::{Document, Item, Key, TableLike, Value};

use super::sources::{self, Section};
use super::{Config, ConfigError, Flags, Loaded, Origin, Origins, Problem, SourceSettings, schema};
use crate::domain::notation;

/// What every environment variable of Fanfare starts with.
pub const ENV_PREFIX: &str = "FANFARE_";
/// The variables that the client verbs read; they set nothing here.
const CLIENT_VARIABLES: [&str; 2] = ["FANFARE_URL", "FANFARE_TOKEN"];
/// The file that is read when none is named.
const DEFAULT_FILE: &str = "config.toml";
/// The one list of tables that the file may hold.
const SOURCE: &str = "source";

/// The assignments of some layers, in the order in which they apply, and what was wrong with others.
#[derive(Debug, Default)]
pub struct Assigned {
    assignments: Vec<Assignment>,
    sources: Vec<Declaration>,
    problems: Vec<Problem>,
}

/// One value for one key that exists.
#[derive(Debug)]
struct Assignment {
    key: String,
    value: Value,
    origin: Origin,
}

/// One `[[source]]`: where it stands, and what it sets.
#[derive(Debug)]
struct Declaration {
    origin: Origin,
    assignments: Vec<Assignment>,
}

impl Assigned {
    /// These, and then `later` ones.
    pub fn and(mut self, later: Self) -> Self {
        self.assignments.extend(later.assignments);
        self.sources.extend(later.sources);
        self.problems.extend(later.problems);
        self
    }

    /// The defaults with every assignment applied.
    ///
    /// # Errors
    /// [`ConfigError::Refused`] with every problem.
    pub fn apply(self) -> Result<Loaded, ConfigError> {
        let mut problems = self.problems;
        let (mut config, origins) = settle(&Config::default(), self.assignments, &mut problems);
        let mut source_origins = Vec::new();
        for declaration in self.sources {
            let example = Section::of(SourceSettings::example());
            problems.extend(declaration.nameless());
            let (section, origins) = settle(&example, declaration.assignments, &mut problems);
            config.sources.push(section.source);
            source_origins.push(origins);
        }
        problems.extend(sources::duplicates(&config.sources, &source_origins));
        if !problems.is_empty() {
            return Err(ConfigError::Refused(problems));
        }
        Ok(Loaded {
            config,
            origins,
            source_origins,
        })
    }

    fn problem(&mut self, origin: Origin, sentence: String) {
        self.problems.push(Problem { origin, sentence });
    }
}

impl Declaration {
    fn nameless(&self) -> Option<Problem> {
        let named = self.assignments.iter().any(|one| one.key == sources::NAME);
        (!named).then(|| Problem {
            origin: self.origin.clone(),
            sentence: "this [[source]] has no name; write for example name = \"social\" below it"
                .into(),
        })
    }
}

/// The `defaults` with every assignment applied that is not refused. Each is tried alone, so that every problem is found
/// and named.
fn settle<T: Serialize + DeserializeOwned>(
    defaults: &T,
    assignments: Vec<Assignment>,
    problems: &mut Vec<Problem>,
) -> (T, Origins) {
    let defaults: BTreeMap<_, _> = schema::entries(defaults).into_iter().collect();
    let mut values = defaults.clone();
    let mut origins: Origins = defaults
        .keys()
        .map(|key| (key.clone(), Origin::Default))
        .collect();
    for Assignment { key, value, origin } in assignments {
        let tried = schema::same_type(&key, &value, &defaults[&key])
            .and_then(|()| schema::assemble::<T>(defaults.iter().chain([(&key, &value)])));
        if let Err(sentence) = tried {
            problems.push(Problem::of_value(origin, &key, sentence));
            continue;
        }
        origins.insert(key.clone(), origin);
        values.insert(key, value);
    }
    let settings = schema::assemble(&values).expect("each value was accepted by itself");
    (settings, origins)
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
        ..Assigned::default()
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
        } else if name[ENV_PREFIX.len()..].starts_with("SOURCE") {
            assigned.problem(
                origin,
                "no variable declares a source; write [[source]] and its settings below it in config.toml".into(),
            );
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
        known: defaults().into_iter().chain(sources::entries()).collect(),
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
            if key == SOURCE {
                self.sources(item, origin);
                continue;
            }
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
                    let near = near.map(header);
                    format!("[{key}] is not a section{}", did_you_mean(near.as_deref()))
                }
            };
            self.assigned.problem(origin, sentence);
        }
    }

    fn sources(&mut self, item: &Item, origin: Origin) {
        let Some(tables) = item.as_array_of_tables() else {
            let sentence = "a file may declare many sources; write [[source]] once for each and its settings below it";
            return self.assigned.problem(origin, sentence.into());
        };
        for table in tables {
            let origin = self.origin(table.span());
            let before = self.assigned.assignments.len();
            self.table(SOURCE, table);
            let assignments = self.assigned.assignments.split_off(before);
            self.assigned.sources.push(Declaration {
                origin,
                assignments,
            });
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

/// How a section begins in the file.
fn header(section: &str) -> String {
    if section == SOURCE {
        "[[source]]".into()
    } else {
        format!("[{section}]")
    }
}
