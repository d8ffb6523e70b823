//! Who may do what with hooks. In: a request's headers, a role, a source, patterns of events. Out: whether the door opens.

use warp::http::HeaderMap;

use super::Site;
use super::problem::Problem;
use crate::domain::event::EventPattern;
use crate::domain::source::SourceName;
use crate::domain::token::Role;

/// Lets a request pass whose token gives it the role in a source, or in all of them if none is named, for all of these events.
///
/// # Errors
/// 401 without a token, 403 with one that does not do.
pub fn may(
    site: &Site,
    headers: &HeaderMap,
    role: Role,
    source: Option<&SourceName>,
    events: &[EventPattern],
) -> Result<(), Problem> {
    let Some(source) = source else {
        return site.tokens.require(role, headers).map(drop);
    };
    site.tokens.require_in(role, source, None, headers)?;
    for event in events {
        site.tokens.require_in(role, source, Some(event), headers)?;
    }
    Ok(())
}
