//! Server-sent events of a hub. In: the bytes of an answer, as they come. Out: one event after the other.

use bytes::{Buf as _, BytesMut};
use reqwest::Response;

/// The longest event that is taken, in bytes.
const EVENT_MAX: usize = 4 << 20;

/// An event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub name: String,
    /// What it tells.
    pub data: String,
}

/// The events of an answer.
pub struct Events {
    response: Response,
    reader: Reader,
}

/// What has been read, and what of it belongs to an event that has not ended.
#[derive(Default)]
struct Reader {
    bytes: BytesMut,
    event: Event,
}

impl Events {
    /// Of an answer that has begun.
    pub fn of(response: Response) -> Self {
        Self {
            response,
            reader: Reader::default(),
        }
    }

    /// The next one; `None` when the connection has ended, or broken.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.reader.next() {
                return Some(event);
            }
            let more = self.response.chunk().await.ok()??;
            self.reader.bytes.extend_from_slice(&more);
            if self.reader.bytes.len() + self.reader.event.data.len() > EVENT_MAX {
                return None;
            }
        }
    }
}

impl Reader {
    /// The next event that is there as a whole.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line = self.bytes.split_to(end);
            self.bytes.advance(1);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.name.is_empty() || !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            // What begins with a colon is said to nobody.
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => self.event.name = value.to_owned(),
                "data" => {
                    if !self.event.data.is_empty() {
                        self.event.data.push('\n');
                    }
                    self.event.data.push_str(value);
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_they_are_cut() {
        let text = ":\n\nid: 7\nevent: request\ndata: {\"a\":\"ü\"}\n\r\nevent: end\ndata: a\ndata: b\n\n: x\n\nevent: half\n";
        for step in 1..text.len() {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            for part in text.as_bytes().chunks(step) {
                reader.bytes.extend_from_slice(part);
                while let Some(event) = reader.next() {
                    events.push((event.name, event.data));
                }
            }
            let expected = [("request", "{\"a\":\"ü\"}"), ("end", "a\nb")];
            let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
            assert_eq!(events, expected, "{step}");
        }
    }
}
