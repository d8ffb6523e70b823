//! One request as the routes see it: its head at once, its body when it is asked for, within a cap and a deadline.

use std::net::IpAddr;
use std::pin::Pin;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use warp::Filter;
use warp::http::{HeaderMap, Method, header};
use warp::path::FullPath;

use super::problem::Problem;
use super::serve::Line;
use super::settings::LimitSettings;

/// What a request came on; the server puts it into each.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address at the other end.
    pub address: IpAddr,
    /// The connection.
    pub line: Line,
}

/// One request.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, just as it was sent.
    pub path: String,
    /// What stands behind the `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// Who sent it, or the proxy that passed it on.
    pub peer: IpAddr,
    /// The connection that it came on.
    pub line: Line,
    body: Body,
}

/// A body that has not been read.
type Body = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send + Sync>>;

impl Call {
    /// A header that occurs once, as text; none when it is not there, or not ASCII.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type, untouched; none when it is missing or empty.
    pub fn content_type(&self) -> Option<&str> {
        self.header(header::CONTENT_TYPE)
            .filter(|value| !value.trim().is_empty())
    }

    /// Reads the body, chunked or not, up to `cap` bytes.
    ///
    /// # Errors
    /// [`Problem::TooLarge`], [`Problem::Slow`], and [`Problem::Invalid`] when the connection breaks.
    pub async fn read_body(
        &mut self,
        cap: usize,
        limits: &LimitSettings,
    ) -> Result<Bytes, Problem> {
        let deadline = limits.body_timeout;
        match tokio::time::timeout(deadline, collect(&mut self.body, cap)).await {
            Ok(read) => read,
            Err(_) => Err(Problem::Slow(deadline)),
        }
    }

    /// Reads the body up to `cap` bytes and keeps its beginning, `kept` bytes at most; and says how long it is.
    ///
    /// # Errors
    /// As `read_body`.
    pub async fn read_beginning(
        &mut self,
        kept: usize,
        cap: usize,
        limits: &LimitSettings,
    ) -> Result<(Bytes, usize), Problem> {
        let whole = self.read_body(cap, limits).await?;
        let size = whole.len();
        match size > kept {
            // A part of the whole would keep the whole in memory.
            true => Ok((Bytes::copy_from_slice(&whole[..kept]), size)),
            false => Ok((whole, size)),
        }
    }
}

/// Takes a request apart.
pub fn call() -> impl Filter<Extract = (Call,), Error = warp::Rejection> + Clone {
    let query = warp::query::raw()
        .map(Some)
        .or(warp::any().map(|| None))
        .unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<Peer>())
        .and(warp::body::stream())
        .map(
            |method, path: FullPath, query, headers, peer: Peer, body| Call {
                method,
                path: path.as_str().to_owned(),
                query,
                headers,
                peer: peer.address,
                line: peer.line,
                body: boxed(body),
            },
        )
}

fn boxed<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>> + Send + Sync + 'static) -> Body {
    Box::pin(body.map_ok(|mut part| part.copy_to_bytes(part.remaining())))
}

/// Reads up to the cap. Of a larger body it reads as much again and drops it, for a client that is cut off while it still
/// sends never sees the answer.
async fn collect(body: &mut Body, cap: usize) -> Result<Bytes, Problem> {
    let mut read = BytesMut::new();
    let mut dropped = 0;
    while let Some(part) = body.next().await {
        let part =
            part.map_err(|_| Problem::Invalid("the body broke off before its end".into()))?;
        if dropped > 0 || read.len() + part.len() > cap {
            dropped += part.len();
            read.clear();
        } else {
            read.extend_from_slice(&part);
        }
        if dropped > cap {
            break;
        }
    }
    match dropped {
        0 => Ok(read.freeze()),
        _ => Err(Problem::TooLarge(cap)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn body(parts: &[&'static str]) -> Body {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        Box::pin(stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_cap_however_it_is_cut() {
        assert_eq!(
            collect(&mut body(&["ab", "", "cd"]), 4).await.unwrap(),
            "abcd"
        );
        for parts in [&["abcde"][..], &["ab", "cd", "e"], &["abcdefghi", "j"]] {
            let refused = collect(&mut body(parts), 4).await;
            assert!(matches!(refused, Err(Problem::TooLarge(4))), "{parts:?}");
        }
        let mut endless: Body = Box::pin(stream::repeat_with(|| Ok(Bytes::from_static(b"x"))));
        assert!(collect(&mut endless, 4).await.is_err());
    }
}
