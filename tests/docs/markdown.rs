//! As much of Markdown as these pages use. In: a page. Out: its headings and links, which fenced blocks hide; a section, and the
//! blocks in it.

use std::collections::HashMap;

/// The lines of a page, each with whether it stands in a fenced block (the fences do).
fn lines(page: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut is_fenced = false;
    page.split_inclusive('\n').map(move |line| {
        let is_fence = line.starts_with("```");
        let before = is_fenced;
        is_fenced ^= is_fence;
        (line, before || is_fence)
    })
}

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text.strip_prefix(' ').filter(|_| level > 0)?;
    Some((level, text.trim()))
}

/// The anchors of a page, as GitHub makes them of headings.
pub fn anchors(page: &str) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let headings = lines(page).filter(|(_, is_fenced)| !is_fenced);
    let headings = headings.filter_map(|(line, _)| heading(line));
    headings
        .map(|(_, text)| {
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let slug = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            match *count {
                1 => slug,
                more => format!("{slug}-{}", more - 1),
            }
        })
        .collect()
}

/// Where the links and images of a page lead.
#[track_caller]
pub fn links(page: &str) -> Vec<String> {
    let paragraphs = paragraphs(page).into_iter();
    // What stands in backquotes is no link.
    let prose = paragraphs.map(|parts| parts.into_iter().step_by(2).collect::<String>());
    let targets = prose.flat_map(|prose| {
        let rests = prose.split("](").skip(1);
        let targets = rests.filter_map(|rest| rest.split_once(')'));
        targets
            .map(|(target, _)| target.to_owned())
            .collect::<Vec<_>>()
    });
    targets.collect()
}

/// The code of a page: what stands in backquotes, and the fenced blocks.
#[track_caller]
pub fn code(page: &str) -> Vec<String> {
    let paragraphs = paragraphs(page).into_iter();
    let mut code: Vec<_> = paragraphs
        .flat_map(|parts| parts.into_iter().skip(1).step_by(2))
        .collect();
    code.extend(page.split("```").skip(1).step_by(2).map(str::to_owned));
    code
}

/// The paragraphs outside of fenced blocks, each cut at its backquotes: prose and code take turns.
#[track_caller]
fn paragraphs(page: &str) -> Vec<Vec<String>> {
    let text: String = lines(page)
        .filter(|(_, is_fenced)| !is_fenced)
        .map(|(line, _)| line)
        .collect();
    let cut = |paragraph: &str| -> Vec<String> {
        let parts: Vec<_> = paragraph.split('`').map(str::to_owned).collect();
        assert!(parts.len() % 2 == 1, "a backquote too few: {paragraph}");
        parts
    };
    text.split("\n\n").map(cut).collect()
}

/// What stands below a heading, up to the next of its level or above.
#[track_caller]
pub fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let (mut at, mut begin, mut own) = (0, None, 0);
    for (line, is_fenced) in lines(page) {
        if let Some((level, text)) = heading(line).filter(|_| !is_fenced) {
            match begin {
                Some(begin) if level <= own => return &page[begin..at],
                None if text == title => (begin, own) = (Some(at + line.len()), level),
                _ => {}
            }
        }
        at += line.len();
    }
    &page[begin.unwrap_or_else(|| panic!("no heading {title:?}"))..]
}

/// The fenced blocks of a section that are of a language, in their order.
pub fn blocks(section: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = section.split("```");
    // Text and blocks take turns.
    while let (Some(_), Some(block)) = (rest.next(), rest.next()) {
        if let Some((own, content)) = block.split_once('\n')
            && own == language
        {
            blocks.push(content.to_owned());
        }
    }
    blocks
}

/// The only block of a language in a section.
#[track_caller]
pub fn block(section: &str, language: &str) -> String {
    let mut all = blocks(section, language);
    assert_eq!(all.len(), 1, "blocks of {language} in {section:.80}");
    all.remove(0)
}

#[test]
fn headings_links_and_blocks_are_found_and_fences_hide_them() {
    let page = "# A `b`: c-d!\n[x](y.md#z) `[n](no.md)`\n```sh\n# A b\n[n](no.md)\n```\n## E\n![e](f.png)\n## E\n";
    assert_eq!(anchors(page), ["a-b-c-d", "e", "e-1"]);
    assert_eq!(links(page), ["y.md#z", "f.png"]);
    assert_eq!(code(page), ["b", "[n](no.md)", "sh\n# A b\n[n](no.md)\n"]);
    assert_eq!(section(page, "E"), "![e](f.png)\n");
    assert_eq!(
        block(section(page, "A `b`: c-d!"), "sh"),
        "# A b\n[n](no.md)\n"
    );
}
