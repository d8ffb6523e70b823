//! Holds the house to its plan: a module imports only what stands below it, and only `web` knows warp. In: the sources.
//! Out: every line that breaks the order.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first; those on one line are siblings, which do not know each other.
const LAYERS: &[&[&str]] = &[
    &["domain"],
    &["dialect"],
    &["store", "net"],
    &["flow"],
    &["web"],
    &["config"],
    &["telemetry"],
    &["app"],
    &["cli"],
    &["lib", "main"],
];

#[test]
fn modules_import_downwards_only() {
    let mut broken = Vec::new();
    for file in sources() {
        let own = module_of(&file.path);
        let height =
            height(own).unwrap_or_else(|| panic!("{own} is in no layer; add it to LAYERS"));
        for (number, module) in imports(&file.code) {
            let below = height_of_import(module) < Some(height);
            if module != own && !below {
                broken.push(format!(
                    "{}:{number}: {own} imports {module}",
                    file.path.display()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "upward imports:\n{}", broken.join("\n"));
}

#[test]
fn only_web_knows_warp() {
    let mut broken = Vec::new();
    for file in sources()
        .into_iter()
        .filter(|file| module_of(&file.path) != "web")
    {
        for (number, line) in (1..).zip(file.code.lines()) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == "warp") {
                broken.push(format!("{}:{number}: {}", file.path.display(), line.trim()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "warp outside of web:\n{}",
        broken.join("\n")
    );
}

/// In a log for machines `target` is the module that logs: whom a line is about is its `to`.
#[test]
fn no_line_of_the_log_has_a_field_that_is_called_target() {
    let mut broken = Vec::new();
    for file in sources() {
        for (number, fields) in logged(&file.code) {
            if names_target(fields) {
                broken.push(format!("{}:{number}", file.path.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "name the field `to`:\n{}",
        broken.join("\n")
    );
}

#[test]
fn the_scan_finds_a_field_that_is_called_target_however_it_is_written() {
    for (code, is_named) in [
        ("tracing::info!(%target, \"done\");", true),
        ("tracing::info!(origin, ?target)", true),
        (
            "tracing::warn!(\n    a = 1,\n    target = %it.id(),\n    \"oh\"\n);",
            true,
        ),
        ("tracing::error!(target.id = 1, \"oh\")", false),
        (
            "tracing::info!(to = %target, to.id(target), \"of a, target\")",
            false,
        ),
        (
            "tracing::info!(target: \"fanfare\", \"as another module\")",
            false,
        ),
    ] {
        let lines = logged(code);
        let [(1, fields)] = lines[..] else {
            panic!("{code}: {lines:?}");
        };
        assert_eq!(names_target(fields), is_named, "{code}");
    }
    assert_eq!(logged("tracing::Level::INFO; debug!(x)"), []);
}

#[test]
fn the_scan_finds_imports_however_they_are_written() {
    let code = "use crate::flow::Hub;\nlet x = crate::web::serve();\nuse crate::{\n    app::{App, config},\n    domain,\n};\n\
                pub(in crate::net) fn f() {}\nmycrate::cli::run();\nuse fanfare::cli::Cli;\n";
    let found: Vec<_> = imports(code)
        .into_iter()
        .map(|(_, module)| module)
        .collect();
    assert_eq!(found, ["flow", "web", "app", "domain", "net", "cli"]);
    assert_eq!(
        uncommented("a // crate::flow\n/// [`crate::flow`]\nb"),
        "a \n\nb\n"
    );
}

struct Source {
    path: PathBuf,
    code: String,
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push(Source {
                    path,
                    code: uncommented(&text),
                });
            }
        }
    }
    assert!(found.len() > 40, "only {} sources were found", found.len());
    found
}

/// The text without comments; lines stay where they are.
fn uncommented(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
        .collect()
}

/// The top module that a file belongs to.
fn module_of(path: &Path) -> &str {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inner = path.strip_prefix(source).expect("a path below src");
    let first = inner
        .iter()
        .next()
        .and_then(|part| part.to_str())
        .expect("a name in UTF-8");
    first.trim_end_matches(".rs")
}

fn height(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Items of the crate's root, such as macros, are below everything.
fn height_of_import(module: &str) -> Option<usize> {
    height(module).or(Some(0))
}

/// The modules that code names behind `crate::` or `fanfare::`, each with its line.
fn imports(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for root in ["crate::", "fanfare::"] {
        for (at, _) in code.match_indices(root) {
            let is_longer_name = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if is_longer_name {
                continue;
            }
            let line = code[..at].lines().count().max(1);
            let rest = &code[at + root.len()..];
            let modules = match rest.strip_prefix('{') {
                Some(list) => first_names(list),
                None => vec![name(rest)],
            };
            found.extend(modules.into_iter().map(|module| (line, module)));
        }
    }
    found
}

/// What stands between the brackets of each macro that logs, with its line.
fn logged(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, root) in code.match_indices("tracing::") {
        let rest = &code[at + root.len()..];
        if let Some(inner) = rest[name(rest).len()..].strip_prefix("!(") {
            let line = code[..at].lines().count().max(1);
            found.push((line, inner));
        }
    }
    found
}

/// Whether the arguments that begin here have a field that is called `target`.
fn names_target(arguments: &str) -> bool {
    let (mut depth, mut is_text, mut argument) = (1, false, String::new());
    for letter in arguments.chars() {
        match letter {
            '"' => is_text = !is_text,
            _ if is_text => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',' && !is_text) {
            let field = argument.split('=').next().unwrap_or_default();
            if field.trim().trim_start_matches(['%', '?']) == "target" {
                return true;
            }
            argument.clear();
        } else {
            argument.push(letter);
        }
        if depth == 0 {
            break;
        }
    }
    false
}

/// The name that begins each member of a list in braces.
fn first_names(list: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut is_start) = (0, true);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            letter if is_start && !letter.is_whitespace() => {
                names.push(name(&list[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}
