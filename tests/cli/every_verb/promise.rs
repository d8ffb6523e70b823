//! What docs/cli.md promises to programs. In: its table. Out: for each verb the shape of its JSON, and the members that it has.

use serde_json::Value;

use super::has;

/// What a verb prints with `--json`.
pub struct Promise {
    shape: Shape,
    members: Vec<String>,
}

enum Shape {
    /// One object.
    One,
    /// An array of objects, on one line.
    List,
    /// An object on each line.
    Lines,
    /// `null`.
    Null,
}

/// The rows of the table, which has a verb, a shape, and members in each.
pub fn promises() -> Vec<(String, Promise)> {
    let page = include_str!("../../../docs/cli.md");
    let (_, table) = page
        .split_once("| verb | JSON | members |\n|---|---|---|\n")
        .expect("docs/cli.md has the table of what --json prints");
    table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .flat_map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [verbs, shape, members] = cells[..] else {
                panic!("{row:?} has other cells");
            };
            let of = move |verb: String| (verb, Promise::new(shape, quoted(members).collect()));
            quoted(verbs).map(of).collect::<Vec<_>>()
        })
        .collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

impl Promise {
    fn new(shape: &str, members: Vec<String>) -> Promise {
        let shape = match shape {
            "one" => Shape::One,
            "list" => Shape::List,
            "lines" => Shape::Lines,
            "`null`" => Shape::Null,
            other => panic!("docs/cli.md has a shape {other:?}"),
        };
        Promise { shape, members }
    }

    /// Whether an output is as promised.
    pub fn is_kept(&self, out: &str) -> Result<(), String> {
        let values: Vec<Value> = out
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let objects = match (&self.shape, &values[..]) {
            (Shape::Null, [Value::Null]) => return Ok(()),
            (Shape::One, [_]) | (Shape::Lines, [_, ..]) => values,
            (Shape::List, [Value::Array(items)]) if !items.is_empty() => items.clone(),
            _ => return Err("it has another shape".to_owned()),
        };
        objects
            .iter()
            .try_for_each(|value| has(value, &self.members))
    }
}
