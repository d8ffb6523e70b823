//! A Markdown text in; the fenced blocks of one of its sections out, each with the terminal that it names.

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Commands.
    Typed,
    /// What is to be seen.
    Shown,
}

/// One fenced block.
#[derive(Debug)]
pub struct Block {
    pub kind: Kind,
    /// `first`, `second` or `third`.
    pub terminal: String,
    /// Whether what runs there is interrupted first.
    pub after_interrupt: bool,
    pub lines: Vec<String>,
}

/// The text between a heading and the next one of its level.
pub fn section<'a>(markdown: &'a str, heading: &str) -> &'a str {
    let (_, rest) = markdown
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("there is no heading {heading:?}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The fenced blocks, in their order.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let kind = match line.strip_prefix("```") {
            None => continue,
            Some("sh") => Kind::Typed,
            Some("text") => Kind::Shown,
            Some(other) => panic!("a block of the tour is sh or text, not {other:?}"),
        };
        let title = lines.next().unwrap_or_default();
        let (terminal, rest) = title
            .strip_prefix("# ")
            .and_then(|title| title.split_once(" terminal"))
            .unwrap_or_else(|| panic!("a block begins with its terminal, not {title:?}"));
        blocks.push(Block {
            kind,
            terminal: terminal.to_owned(),
            after_interrupt: rest == ", after Ctrl-C",
            lines: lines
                .by_ref()
                .take_while(|line| *line != "```")
                .map(str::to_owned)
                .collect(),
        });
    }
    blocks
}

/// Whether a line is the expected one, in which `…` stands for anything.
pub fn matches(expected: &str, line: &str) -> bool {
    match expected.split_once('…') {
        None => expected == line,
        Some((begin, rest)) => line.strip_prefix(begin).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| matches(rest, &line[at..]))
        }),
    }
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (expected, line) in [
        ("a", "a"),
        ("…", ""),
        ("a…", "abc"),
        ("…b…d", "abcbd"),
        ("a…a", "aa"),
    ] {
        assert!(matches(expected, line), "{expected} {line}");
    }
    for (expected, line) in [("a", "ab"), ("a…a", "a"), ("…b", "abc"), ("", "a")] {
        assert!(!matches(expected, line), "{expected} {line}");
    }
}
