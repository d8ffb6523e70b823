//! An address of the inspector, `/inspect/<id>`: whatever comes there is kept, and answered as the address was told to. In: any request.
//! Out: that answer.
//!
//! What strangers send is never shown as a page: the only text of theirs that is answered is a challenge, as plain text.

use bytes::Bytes;
use warp::http::{HeaderValue, StatusCode, header};

use super::call::Call;
use super::desk::session;
use super::problem::{Problem, typed};
use super::{Answer, Site};
use crate::domain::notation::format_duration;
use crate::flow::inspector::Arrival;

/// Even as a page it would do nothing.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Any request to an address.
pub async fn receive(site: &Site, mut call: Call, id: &str) -> Result<Answer, Problem> {
    // Who is not expected is not read.
    site.inspector.owner(id).ok_or_else(|| gone(site))?;
    let (kept, cap) = (site.inspector.body_max(), site.limits.publication_body);
    let (body, size) = call.read_beginning(kept, cap, &site.limits).await?;
    // An administrator who opens the address in the browser shows its owner no way in.
    session::hide(&mut call.headers);
    let arrival = Arrival {
        from: site.admission.client(&call),
        method: call.method,
        query: call.query,
        headers: call.headers,
        body,
        size,
    };
    let caught = site.inspector.catch(id, arrival);
    let reply = caught.ok_or_else(|| gone(site))?;
    site.inspector.pause(reply.delay).await;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let text = Bytes::from(reply.challenge.unwrap_or_default());
    let mut answer = typed(status, "text/plain; charset=utf-8", text);
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// 410, so that subscriptions and hooks that still lead here end.
fn gone(site: &Site) -> Problem {
    let keep = format_duration(site.inspector.keep());
    Problem::Gone(format!(
        "there is nothing at this address, or no longer: an address of the inspector ends {keep} after somebody last looked at it, and \
         with the hub"
    ))
}
