//! Pages as SocialGateway numbers them: `page` and `per_page` come in, the `Link` header goes out.

use warp::http::{HeaderValue, header};

use super::{Refusal, Result};
use crate::web::Answer;

/// Items of a page, unless it is said how many.
const PER_PAGE: usize = 30;
/// The most items of a page; who asks for more gets as many.
const PER_PAGE_MAX: usize = 100;

/// A page that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    page: usize,
    per_page: usize,
}

impl Pages {
    /// Reads a query; parameters that are not its own are none of its business.
    pub fn read(query: Option<&str>) -> Result<Self> {
        Ok(Self {
            page: number(query, "page")?.unwrap_or(1),
            per_page: per_page(query)?,
        })
    }

    /// The items of the page.
    pub fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let start = (self.page - 1).saturating_mul(self.per_page).min(all.len());
        let end = start.saturating_add(self.per_page).min(all.len());
        &all[start..end]
    }

    /// Says where the other pages are, if there are any.
    pub fn link(&self, url: &str, items: usize, answer: &mut Answer) {
        let last = items.div_ceil(self.per_page).max(1);
        let before = self.page.min(last + 1) - 1;
        let links = [
            ("prev", before, self.page > 1),
            ("next", self.page.saturating_add(1), self.page < last),
            ("last", last, self.page < last),
            ("first", 1, self.page > 1),
        ];
        let links: Vec<_> = links
            .into_iter()
            .filter(|(_, _, there)| *there)
            .map(|(rel, page, _)| {
                let per_page = self.per_page;
                format!("<{url}?page={page}&per_page={per_page}>; rel=\"{rel}\"")
            })
            .collect();
        set_link(&links, answer);
    }
}

/// How many items a page has.
pub fn per_page(query: Option<&str>) -> Result<usize> {
    Ok(number(query, "per_page")?
        .unwrap_or(PER_PAGE)
        .min(PER_PAGE_MAX))
}

/// A parameter, decoded.
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let query = query.unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(own, _)| own == name)
        .map(|(_, value)| value.into_owned())
}

/// Writes the header, unless there is nothing to say.
pub fn set_link(links: &[String], answer: &mut Answer) {
    if links.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(links.join(", ")) {
        answer.headers_mut().insert(header::LINK, value);
    }
}

fn number(query: Option<&str>, name: &str) -> Result<Option<usize>> {
    let Some(text) = parameter(query, name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(Refusal::custom(format!(
            "{name}: {text:?} is not a number from 1 on"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn link(query: &str, items: usize) -> Option<String> {
        let mut answer = Answer::new(Bytes::new());
        let pages = Pages::read(Some(query)).expect("a page");
        pages.link("http://h/x", items, &mut answer);
        let link = answer.headers().get(header::LINK)?;
        Some(link.to_str().expect("ASCII").to_owned())
    }

    #[test]
    fn links_lead_to_the_pages_that_there_are() {
        assert_eq!(link("", 30), None);
        assert_eq!(
            link("per_page=2", 9).as_deref(),
            Some(
                "<http://h/x?page=2&per_page=2>; rel=\"next\", <http://h/x?page=5&per_page=2>; rel=\"last\""
            )
        );
        assert_eq!(
            link("page=2&per_page=2", 3).as_deref(),
            Some(
                "<http://h/x?page=1&per_page=2>; rel=\"prev\", <http://h/x?page=1&per_page=2>; rel=\"first\""
            )
        );
        assert!(Pages::read(Some("page=0")).is_err());
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole(items in 0_usize..300, per_page in 1_usize..150) {
            let all: Vec<usize> = (0..items).collect();
            let mut found: Vec<usize> = Vec::new();
            for page in 1..=300 {
                let query = format!("page={page}&per_page={per_page}");
                found.extend(Pages::read(Some(&query)).expect("a page").of(&all));
            }
            prop_assert_eq!(found, all);
        }
    }
}
