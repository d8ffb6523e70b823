//! Keeps `docs/conformance.md` honest: every line of the checklist is there, every test that it names exists, and every
//! test that carries a line's id is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn every_id_of_the_checklist_has_one_row() {
    let mut expected = Vec::new();
    expected.extend(
        (1..=89)
            .filter(|n| !(54..=59).contains(n) && !(64..=69).contains(n))
            .map(|n| format!("HUB-{n:02}")),
    );
    expected.extend((1..=49).map(|n| format!("Q-{n:02}")));
    let ids: Vec<_> = rows().into_iter().map(|row| row.id).collect();
    assert_eq!(ids, expected);
}

#[test]
fn every_row_says_whether_it_is_kept_and_shows_it_or_says_why_not() {
    for Row {
        id, kept, tests, ..
    } in rows()
    {
        match kept.split_once(':').map_or(kept.as_str(), |(word, _)| word) {
            "kept" => assert!(!tests.is_empty(), "{id} is kept, but no test shows it"),
            "not kept" => {
                assert!(
                    kept.len() > "not kept: ".len(),
                    "{id} does not say why it is not kept"
                );
                assert!(tests.is_empty(), "{id} is not kept, yet tests are named");
            }
            other => panic!("{id} is neither \"kept\" nor \"not kept: why\", but {other:?}"),
        }
    }
}

#[test]
fn tests_and_rows_name_each_other() {
    let tests = tests();
    let mut carriers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for test in &tests {
        for id in carried(test) {
            carriers.entry(id).or_default().insert(test.clone());
        }
    }
    for row in rows() {
        let named: BTreeSet<_> = row.tests.iter().cloned().collect();
        let missing: Vec<_> = named.difference(&tests).collect();
        assert!(
            missing.is_empty(),
            "{} names tests that do not exist: {missing:?}",
            row.id
        );
        let carrying = carriers.remove(&row.id).unwrap_or_default();
        let unnamed: Vec<_> = carrying.difference(&named).collect();
        assert!(unnamed.is_empty(), "{} does not name {unnamed:?}", row.id);
    }
    assert!(
        carriers.is_empty(),
        "tests carry ids without a row: {carriers:?}"
    );
}

struct Row {
    id: String,
    kept: String,
    tests: Vec<String>,
}

/// The rows of all tables: `| id | what | kept | tests |`.
fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/conformance.md")).expect("docs/conformance.md");
    let mut rows = Vec::new();
    for line in page
        .lines()
        .filter(|line| line.starts_with("| HUB-") || line.starts_with("| Q-"))
    {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, _, kept, tests] = cells[..] else {
            panic!("not four cells: {line}");
        };
        rows.push(Row {
            id: id.to_owned(),
            kept: kept.to_owned(),
            tests: tests
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect(),
        });
    }
    rows
}

/// The tests of this folder, as `module::name`.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/hub")).expect("tests/hub") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "rs") {
            continue;
        }
        let module = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let source = fs::read_to_string(&path).expect("a source file");
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if matches!(line.trim(), "#[tokio::test]" | "#[test]") {
                let signature = lines.next().expect("a function after #[test]");
                let name = signature
                    .split_once("fn ")
                    .and_then(|(_, rest)| rest.split('(').next());
                tests.insert(format!("{module}::{}", name.expect("a name")));
            }
        }
    }
    tests
}

/// The ids in a test's name: `HUB-50` and `Q-08` in `signature::hub_50_q_08_...`.
fn carried(test: &str) -> Vec<String> {
    let name = test.rsplit("::").next().unwrap_or(test);
    let words: Vec<_> = name.split('_').collect();
    let numbered = |word: &str| word.len() == 2 && word.bytes().all(|digit| digit.is_ascii_digit());
    words
        .windows(2)
        .filter(|pair| matches!(pair[0], "hub" | "q") && numbered(pair[1]))
        .map(|pair| format!("{}-{}", pair[0].to_uppercase(), pair[1]))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
