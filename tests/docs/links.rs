//! Links lead somewhere. In: README and the pages of `docs`. Out: each relative link that does not.

use std::path::Path;

use crate::markdown::{anchors, links};
use crate::pages::{pages, read};

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading_that_is_there() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            let is_there = target.exists()
                && (anchor.is_empty() || anchors(&read(&target)).iter().any(|own| own == anchor));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(count > 100, "only {count} links: are they still read?");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_index_has_a_line_for_every_page_and_readme_leads_to_it() {
    let index = links(&read(Path::new("docs/README.md")));
    for page in pages() {
        let Ok(own) = page.strip_prefix("docs") else {
            continue;
        };
        let own = own.display().to_string();
        assert!(
            own == "README.md" || index.contains(&own),
            "docs/README.md does not name {own}"
        );
    }
    let readme = links(&read(Path::new("README.md")));
    assert!(readme.contains(&"docs/README.md".to_owned()));
}
