//! The parameters of the API: a query string comes in, values go out, or which parameter is wrong. Unlike the hub's own
//! fields, unknown ones are refused: a misspelled filter must not show everything.

use bytes::Bytes;
use serde::Serialize;

use super::form::{self, Fields};
use super::problem::{Problem, shown};
use crate::domain::notation::nearest;

/// Items of a page, unless it is said how many.
const LIMIT: usize = 100;
/// The most items of a page.
const LIMIT_MAX: usize = 1_000;

/// A query string whose parameters are all known.
pub struct Query(Fields);

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The `after` of the next page, if there may be one.
    pub next: Option<String>,
}

impl Query {
    /// Reads a query string that may have these parameters, each at most once.
    ///
    /// # Errors
    /// [`Problem::Invalid`] names the parameter that is not one of them.
    pub async fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let fields = form::read(query, None, Bytes::new()).await?;
        for name in fields.names() {
            if !known.contains(&name) {
                return Err(unknown(name, known));
            }
            if fields.all(name).count() > 1 {
                return Err(Problem::Invalid(format!(
                    "{name} is there twice; send it once"
                )));
            }
        }
        Ok(Self(fields))
    }

    /// A text that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.first(name).filter(|text| !text.is_empty())
    }

    /// A value that `parse` makes of a text; `wanted` says what would be right.
    pub fn parsed<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = parse(text);
        let wrong = || Problem::Invalid(format!("{name}: {:?} is not {wanted}", shown(text)));
        value.ok_or_else(wrong).map(Some)
    }

    /// How many items the page has at most.
    pub fn limit(&self) -> Result<usize, Problem> {
        let parse = |text: &str| {
            let limit = text.parse().ok();
            limit.filter(|limit| (1..=LIMIT_MAX).contains(limit))
        };
        let Some(text) = self.0.first("limit") else {
            return Ok(LIMIT);
        };
        parse(text).ok_or_else(|| {
            Problem::Invalid(format!(
                "limit: {:?} is not a number from 1 to {LIMIT_MAX}",
                shown(text)
            ))
        })
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` items, out of rows of which one more was asked for: that one tells whether there is a
    /// next page.
    pub fn of(mut items: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }

    /// The same page with its items written in another way.
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(view).collect(),
            next: self.next,
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> Problem {
    let choices = match known {
        [] => "there are none here".to_owned(),
        _ => format!("the parameters are {}", known.join(", ")),
    };
    let hint = nearest(name, known.iter().copied())
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    Problem::Invalid(format!(
        "{:?} is not a parameter; {choices}{hint}",
        shown(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["search", "after", "limit"];

    #[tokio::test]
    async fn a_parameter_that_is_not_known_is_refused_by_name() {
        let refused = async |query| {
            Query::read(Some(query), KNOWN)
                .await
                .err()
                .map(|problem| problem.to_string())
        };
        assert_eq!(refused("search=a&limit=7").await, None);
        assert!(
            refused("serach=a")
                .await
                .unwrap()
                .contains("did you mean search?")
        );
        assert!(
            refused("limit=1&limit=2")
                .await
                .unwrap()
                .contains("limit is there twice")
        );
    }

    #[tokio::test]
    async fn a_limit_is_within_bounds() {
        let limit = async |query| Query::read(Some(query), KNOWN).await.unwrap().limit().ok();
        for (query, expected) in [
            ("", Some(100)),
            ("limit=1", Some(1)),
            ("limit=1000", Some(1_000)),
            ("limit=", None),
            ("limit=0", None),
            ("limit=1001", None),
            ("limit=-1", None),
            ("limit=ten", None),
        ] {
            assert_eq!(limit(query).await, expected, "{query}");
        }
    }

    #[test]
    fn only_a_page_with_more_behind_it_has_a_next() {
        let page = |rows: Vec<u8>| Page::of(rows, 2, u8::to_string);
        assert_eq!(page(vec![1, 2, 3]).next.as_deref(), Some("2"));
        assert_eq!(page(vec![1, 2]).next, None);
        assert_eq!(page(vec![]).next, None);
    }
}
