//! The fields of a hub request: query, media type and body of a POST in, names with their values out.
//!
//! Fields come url-encoded, as multipart, in the query, or in both query and body. Who calls bounds the
//! size of the body; the number of fields is bounded here.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;
use percent_encoding::percent_decode;

/// Fields in one request, query and body together.
pub const MAX_FIELDS: usize = 1000;

/// How much of what the client sent is shown back to it.
const MAX_SHOWN: usize = 80;

/// The fields of one request, in order, the query before the body.
///
/// A name that was sent as `name[]` or `name[0]`, as PHP writes lists, stands here as `name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// Why the fields cannot be read. The text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The body is no form.
    #[error("Content-Type is {0}; send application/x-www-form-urlencoded or multipart/form-data")]
    MediaType(String),
    /// A name or a value is not UTF-8 once the percent-encoding is undone (HUB-01).
    #[error("{0} is not valid UTF-8; encode it as UTF-8, then percent-encode it")]
    NotUtf8(String),
    /// More than [`MAX_FIELDS`].
    #[error("the request has more than {MAX_FIELDS} fields; send fewer at once")]
    TooManyFields,
    /// The body is not the multipart that its media type announces.
    #[error("the multipart body cannot be read ({0}); send it as RFC 7578 says")]
    Multipart(String),
}

impl FormError {
    /// The status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::MediaType(_) => 415,
            Self::NotUtf8(_) | Self::TooManyFields | Self::Multipart(_) => 400,
        }
    }
}

/// Whether a body of this media type is read as fields; one without a media type is, for it may be empty.
pub fn is_form(content_type: Option<&str>) -> bool {
    let kind = media_type(content_type.unwrap_or_default());
    kind.is_empty() || is_urlencoded(kind) || is_multipart(kind)
}

/// Reads the fields of query and body. The body wins: what it names at all, the query does not add to.
///
/// An empty body needs no media type.
pub async fn read(
    query: Option<&str>,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Fields, FormError> {
    let mut fields = decode(query.unwrap_or_default().as_bytes())?;
    let body = read_body(content_type, body).await?;
    fields.retain(|(name, _)| body.iter().all(|(taken, _)| taken != name));
    fields.extend(body);
    within_limit(&fields)?;
    Ok(Fields(fields))
}

impl Fields {
    /// The first value of the name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of the name, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every name, in order; one that was sent twice is there twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether the name was sent, be it without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

type Pairs = Vec<(String, String)>;

async fn read_body(content_type: Option<&str>, body: Bytes) -> Result<Pairs, FormError> {
    if body.is_empty() {
        return Ok(Pairs::new());
    }
    let content_type = content_type.unwrap_or_default();
    let media_type = media_type(content_type);
    if is_urlencoded(media_type) {
        decode(&body)
    } else if is_multipart(media_type) {
        read_multipart(content_type, body).await
    } else if media_type.is_empty() {
        Err(FormError::MediaType("missing".to_owned()))
    } else {
        Err(FormError::MediaType(shown(media_type)))
    }
}

/// The media type without its parameters.
fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_urlencoded(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn is_multipart(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("multipart/form-data")
}

/// Decodes `name=value&name=value`. Written here, for the crates that do it replace what is not UTF-8.
fn decode(form: &[u8]) -> Result<Pairs, FormError> {
    let mut fields = Pairs::new();
    for pair in form
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let at = pair
            .iter()
            .position(|&byte| byte == b'=')
            .unwrap_or(pair.len());
        let (name, value) = (
            unescape(&pair[..at]),
            unescape(pair.get(at + 1..).unwrap_or_default()),
        );
        push(&mut fields, &name, &value)?;
    }
    Ok(fields)
}

/// Undoes `+` and `%41`; a `%` that begins no escape stands for itself.
fn unescape(escaped: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = escaped
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    percent_decode(&spaced).collect()
}

/// Parts without a name are no fields, and are passed over.
async fn read_multipart(content_type: &str, body: Bytes) -> Result<Pairs, FormError> {
    let broken = |error: multer::Error| FormError::Multipart(shown(&error.to_string()));
    let boundary = multer::parse_boundary(content_type).map_err(broken)?;
    let mut parts = Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut fields = Pairs::new();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        if let Some(name) = part.name().map(str::to_owned) {
            push(
                &mut fields,
                name.as_bytes(),
                &part.bytes().await.map_err(broken)?,
            )?;
        }
    }
    Ok(fields)
}

fn push(fields: &mut Pairs, name: &[u8], value: &[u8]) -> Result<(), FormError> {
    let Ok(name) = str::from_utf8(name) else {
        return Err(FormError::NotUtf8(format!(
            "the field name {}",
            shown(&String::from_utf8_lossy(name))
        )));
    };
    let Ok(value) = str::from_utf8(value) else {
        return Err(FormError::NotUtf8(shown(name)));
    };
    fields.push((without_index(name).to_owned(), value.to_owned()));
    within_limit(fields)
}

fn within_limit(fields: &Pairs) -> Result<(), FormError> {
    if fields.len() > MAX_FIELDS {
        Err(FormError::TooManyFields)
    } else {
        Ok(())
    }
}

/// The name of a list: `hub.url` for `hub.url[]` and `hub.url[12]`.
fn without_index(name: &str) -> &str {
    name.strip_suffix(']')
        .map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()))
        .and_then(|name| name.strip_suffix('['))
        .unwrap_or(name)
}

/// What the client sent, fit to be shown: on one line and not too long.
fn shown(text: &str) -> String {
    let on_one_line = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().take(MAX_SHOWN).map(on_one_line).collect()
}
