//! Search in lists that are too long to read at once: rows are read in steps, and after so many rows, or so long, the search says how
//! far it has come.

use std::time::Duration;

use tokio::time::Instant;

use super::query::Page;
use crate::store::StoreError;

/// Rows that are read at a time.
const STEP: usize = 1_000;
/// Rows that one request may look at.
const ROWS_MAX: usize = 50_000;
/// How long one request may look; it looks at a step of rows in any case.
const TIME_MAX: Duration = Duration::from_millis(100);

/// A page of the rows that fit. `rows` gives rows in key order, behind a key; `key` tells a row's key. The page's `next`
/// is the key behind which the search goes on: a page may be short, or even empty, and still have a next.
pub async fn scan<R, K, F>(
    after: Option<K>,
    limit: usize,
    mut rows: impl FnMut(Option<K>, usize) -> F,
    key: impl Fn(&R) -> K,
    fits: impl Fn(&R) -> bool,
) -> Result<Page<R>, StoreError>
where
    K: Copy + ToString,
    F: Future<Output = Result<Vec<R>, StoreError>>,
{
    let mut position = after;
    let mut items = Vec::new();
    let mut seen = 0;
    let until = Instant::now() + TIME_MAX;
    while seen < ROWS_MAX && (seen == 0 || Instant::now() < until) {
        let step = rows(position, STEP).await?;
        let last = step.len() < STEP;
        for row in step {
            if items.len() == limit {
                return Ok(Page {
                    items,
                    next: position.map(|key| key.to_string()),
                });
            }
            position = Some(key(&row));
            seen += 1;
            if fits(&row) {
                items.push(row);
            }
        }
        if last {
            return Ok(Page { items, next: None });
        }
    }
    Ok(Page {
        items,
        next: position.map(|key| key.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn multiples_of(divisor: u32, of: u32, after: Option<u32>, limit: usize) -> Page<u32> {
        let rows = async |after: Option<u32>, limit: usize| {
            let from = after.map_or(0, |after| after + 1);
            Ok((from..of).take(limit).collect::<Vec<_>>())
        };
        scan(
            after,
            limit,
            rows,
            |row| *row,
            |row| row.is_multiple_of(divisor),
        )
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn pages_together_are_the_whole_and_each_is_bounded() {
        for (divisor, of, limit) in [
            (1, 0, 5),
            (1, 5, 5),
            (1, 6, 5),
            (1, 2_500, 1_000),
            (7, 3_000, 10),
            (60_000, 130_000, 3),
        ] {
            let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = multiples_of(divisor, of, after, limit).await;
                assert!(page.items.len() <= limit);
                found.extend(page.items);
                pages += 1;
                match page.next {
                    Some(next) => after = Some(next.parse().unwrap()),
                    None => break,
                }
            }
            let expected: Vec<u32> = (0..of).filter(|row| row.is_multiple_of(divisor)).collect();
            assert_eq!(found, expected);
            assert!(pages >= of as usize / ROWS_MAX);
        }
    }

    #[tokio::test]
    async fn a_page_that_holds_everything_has_no_next() {
        assert_eq!(multiples_of(1, 5, None, 5).await.next, None);
        assert_eq!(multiples_of(1, 6, None, 5).await.next.as_deref(), Some("4"));
    }
}
