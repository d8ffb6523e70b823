//! Every route is in the document. In: the sources of `web`, whose tables of routes are read, and the document. Out: what stands in one
//! of them only.
//!
//! A path's parameters are all written `{}`. HEAD goes with GET, and is not in the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A method and a path.
type Route = (String, String);

/// The methods of OpenAPI, but for those that go with another one.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// What takes any method.
const ANY: [&str; 1] = ["Inspect"];

/// The routes that `web/mod.rs` leaves to another table: its file, its function, and where it begins.
const TABLES: [(&str, &str, &str, &[&str]); 5] = [
    ("Hooks", "hooks/mod.rs", "handle", &["/api/v1/hooks"]),
    (
        "Inspector",
        "inspector/mod.rs",
        "handle",
        &["/api/v1/inspector"],
    ),
    (
        "Pleroma",
        "pleroma.rs",
        "handle",
        &[
            "/api/v1/pleroma/admin/webhooks",
            "/api/pleroma/admin/webhooks",
        ],
    ),
    ("Repositories", "repos/mod.rs", "handle", &[""]),
    (
        "Repositories",
        "repos/mod.rs",
        "repository_hooks",
        &["/repos/{}/{}/hooks"],
    ),
];

#[test]
fn every_route_is_in_the_document_and_no_other() {
    let (served, told) = (served(), told());
    let missing: Vec<_> = served.difference(&told).collect();
    let invented: Vec<_> = told.difference(&served).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "static/openapi.json does not have {missing:?}, and has {invented:?}, which are not served"
    );
}

/// What the document tells of.
fn told() -> BTreeSet<Route> {
    let text = read("static/openapi.json");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let item = match item["$ref"].as_str() {
            Some(reference) => document
                .pointer(reference.trim_start_matches('#'))
                .expect("what is referred to is there"),
            None => item,
        };
        for method in METHODS {
            if item.get(method.to_lowercase()).is_some() {
                routes.insert((method.to_owned(), shape(path)));
            }
        }
    }
    routes
}

/// What the hub answers, as its source has it.
fn served() -> BTreeSet<Route> {
    let source = read("src/web/mod.rs");
    let paths = paths(&read("src/web/route.rs"));
    let mut routes = BTreeSet::new();
    let mut left = BTreeSet::new();
    let streams = arms(function(&source, "reply"));
    for (pattern, _) in arms(function(&source, "handle")).into_iter().chain(streams) {
        let Some(name) = pattern.strip_prefix("Route::") else {
            continue;
        };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
        let methods = match ANY.contains(&name.as_str()) {
            true => METHODS.map(str::to_owned).to_vec(),
            false => methods(&pattern),
        };
        let is_left = pattern.trim_end().ends_with("_") && !names_methods(&source, &name);
        if is_left && methods.is_empty() && name != "Nowhere" {
            left.insert(name.clone());
        }
        for path in paths.get(&name).into_iter().flatten() {
            let path = path.replace("/..", "/{}");
            routes.extend(methods.iter().map(|method| (method.clone(), path.clone())));
        }
    }
    let known: BTreeSet<_> = TABLES.iter().map(|table| table.0.to_owned()).collect();
    assert_eq!(left, known, "the tables that web/mod.rs leaves routes to");
    for (_, file, name, bases) in TABLES {
        let source = read(&format!("src/web/{file}"));
        for (pattern, segments) in arms(function(&source, name)) {
            for path in segments.iter().flat_map(|segments| below(segments)) {
                let each = bases.iter().map(|base| format!("{base}{path}"));
                let each = each.flat_map(|path| {
                    let with = move |method: String| (method, path.clone());
                    methods(&pattern).into_iter().map(with)
                });
                routes.extend(each);
            }
        }
    }
    routes
}

/// The paths of each variant of `Route`, in the functions that find them.
fn paths(source: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (name, base) in [("route", ""), ("api", "/api/v1"), ("of_a_source", "")] {
        let mut waiting = Vec::new();
        let mut rest = function(source, name);
        loop {
            let marks = ["warp::path!(", "warp::path::end()", "Route::"];
            let places = marks.map(|mark| rest.find(mark));
            let Some(at) = places.iter().flatten().min().copied() else {
                break;
            };
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("warp::path!(") {
                let (inside, after) = after.split_once(')').expect("it is closed");
                waiting.push(format!("{base}{}", segments(inside, '/')));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("warp::path::end()") {
                waiting.push("/".to_owned());
                rest = after;
            } else {
                rest = &rest["Route::".len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
                found.entry(name).or_default().append(&mut waiting);
            }
        }
    }
    found
}

/// The arms of a `match` on a method and something else: each pattern, and the segments in it, if there are any.
fn arms(body: &str) -> Vec<(String, Option<String>)> {
    let flat = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut arms = Vec::new();
    for (at, _) in flat
        .match_indices(" => ")
        .chain(flat.match_indices(" => {"))
    {
        let before = &flat[..at];
        let Some(open) = opening(before) else {
            continue;
        };
        let pattern = before[open + 1..before.len() - 1].trim().to_owned();
        let segments = pattern.find('[').map(|at| pattern[at..].to_owned());
        arms.push((pattern, segments));
    }
    arms
}

/// Where the parenthesis opens that closes at the end of a text.
fn opening(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            ')' => depth += 1,
            '(' if depth == 1 => return Some(at),
            '(' => depth -= 1,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The methods that a pattern names, but for HEAD.
fn methods(pattern: &str) -> Vec<String> {
    let is_method = |text: &&str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_uppercase());
    let quoted = pattern.split('"').skip(1).step_by(2).filter(is_method);
    quoted
        .filter(|method| *method != "HEAD")
        .map(str::to_owned)
        .collect()
}

fn names_methods(source: &str, name: &str) -> bool {
    let start = format!("Route::{name}");
    let tables = ["handle", "reply"].map(|name| arms(function(source, name)));
    tables.iter().flatten().any(|(pattern, _)| {
        let after = pattern.strip_prefix(&start);
        after.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
            && !methods(pattern).is_empty()
    })
}

/// The paths that `[id, "tests" | "test"]` stands for.
fn below(pattern: &str) -> Vec<String> {
    let inside = pattern
        .trim_start_matches('[')
        .split(']')
        .next()
        .unwrap_or_default();
    let mut paths = vec![String::new()];
    for part in inside
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let quoted: Vec<&str> = part.split('"').skip(1).step_by(2).collect();
        let choices = if quoted.is_empty() {
            vec!["{}"]
        } else {
            quoted
        };
        let longer = |path: &String| {
            choices
                .iter()
                .map(|one| format!("{path}/{one}"))
                .collect::<Vec<_>>()
        };
        paths = paths.iter().flat_map(longer).collect();
    }
    paths
}

fn segments(inside: &str, separator: char) -> String {
    let one = |part: &str| match part.trim() {
        ".." => "/..".to_owned(),
        quoted if quoted.starts_with('"') => format!("/{}", quoted.trim_matches('"')),
        _ => "/{}".to_owned(),
    };
    inside.split(separator).map(one).collect()
}

/// `/hooks/{id}` as `/hooks/{}`.
fn shape(path: &str) -> String {
    let one = |part: &str| if part.starts_with('{') { "{}" } else { part }.to_owned();
    path.split('/').map(one).collect::<Vec<_>>().join("/")
}

/// From a function's name to the end of it.
fn function<'a>(source: &'a str, name: &str) -> &'a str {
    let start = source
        .find(&format!("fn {name}("))
        .unwrap_or_else(|| panic!("there is no fn {name}"));
    let rest = &source[start..];
    &rest[..rest.find("\n}\n").expect("it ends")]
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}
