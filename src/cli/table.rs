//! Tables and lists for people. In: the hub's JSON. Out: text.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

/// Rows under a head, in columns that are as wide as what stands in them.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        // A row has one line.
        table.add_row(row.iter().map(|cell| cell.replace('\n', " ")));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// Each member on a line of its own; what has members itself has them below it, and so has a text of several lines.
pub fn members(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let below = match value {
                Value::Object(map) if !map.is_empty() => self::members(value),
                Value::String(text) if text.trim_end().contains('\n') => text.clone(),
                _ => return format!("{name}: {}\n", cell(value)),
            };
            let below: String = below.lines().map(|line| format!("  {line}\n")).collect();
            format!("{name}:\n{below}")
        })
        .collect()
}

/// So many of them, in words.
pub fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// The items of a list.
pub fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A text, or a list of them, or nothing, for a cell of a table.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Object(members) if members.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_as_wide_as_what_stands_in_it() {
        let rows = [["a", "longer"], ["äöü", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["n", "b"], &rows), "n    b\na    longer\näöü\n");
        assert_eq!(table(["n", "b"], &[]), "n  b\n");
    }

    #[test]
    fn letters_of_double_width_count_twice_and_a_row_has_one_line() {
        let rows = [["日本", "x"], ["a\nb", "y"]].map(|row| row.map(str::to_owned));
        let text = table(["n", "b"], &rows);
        assert_eq!(text, "n     b\n日本  x\na b   y\n");
    }

    #[test]
    fn what_has_members_itself_has_them_below_it() {
        let value =
            json!({"body": "a\nb\n", "config": {}, "health": {"last": {"status": 200}}, "id": 3});
        let text = "body:\n  a\n  b\nconfig: -\nhealth:\n  last:\n    status: 200\nid: 3\n";
        assert_eq!(members(&value), text);
    }

    #[test]
    fn one_is_no_plural() {
        let counts = [0, 1, 2].map(|count| counted(count, "hook"));
        assert_eq!(counts, ["0 hooks", "1 hook", "2 hooks"]);
    }

    #[test]
    fn a_cell_is_short() {
        for (value, text) in [
            (json!(null), "-"),
            (json!([]), "-"),
            (json!({}), "-"),
            (json!(["a", "b"]), "a,b"),
            (json!(true), "true"),
        ] {
            assert_eq!(cell(&value), text);
        }
    }
}
