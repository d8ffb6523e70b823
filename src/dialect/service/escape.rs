//! Text of strangers made safe for what a service would take for markup, a mention or a command. In: clean lines (see
//! `summary`). Out: one text of bounded length that shows as the lines were.

use std::borrow::Cow;

/// How a service reads text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    None,
    /// Slack: `<...>` is a mention or a link, and the whole is escaped like XML.
    Slack,
    /// Markdown, where `@` calls people. URLs stay links.
    Markdown,
    /// HTML: line ends are `<br>`.
    Html,
}

/// Stands for what was cut off.
const ELLIPSIS: char = '…';

impl Escape {
    /// The lines and the URL as one text of at most `max` UTF-16 units (the strictest count that services use). What is
    /// too long is cut from the lines, between two characters; the URL stays whole if it fits at all.
    pub(super) fn text(self, lines: &[String], url: Option<&str>, max: usize) -> String {
        let url = url
            .map(|url| format!("{}{}", self.line_end(), self.url(url)))
            .filter(|url| units(url) < max);
        let budget = max - url.as_deref().map_or(0, units);
        let mut text = self.shortened(lines, budget);
        text.push_str(&url.unwrap_or_default());
        text
    }

    fn shortened(self, lines: &[String], max: usize) -> String {
        let mut text = String::new();
        // Where the text may be cut so that the ellipsis still fits.
        let (mut used, mut cut) = (0, 0);
        for (number, line) in lines.iter().enumerate() {
            let line_end = (number > 0).then_some(Cow::Borrowed(self.line_end()));
            for piece in line_end.into_iter().chain(self.pieces(line)) {
                used += units(&piece);
                if used > max {
                    text.truncate(cut);
                    text.push(ELLIPSIS);
                    return text;
                }
                text.push_str(&piece);
                if used < max {
                    cut = text.len();
                }
            }
        }
        text
    }

    /// The escaped line in pieces that only make sense whole.
    fn pieces(self, line: &str) -> impl Iterator<Item = Cow<'_, str>> {
        line.split_inclusive(' ').flat_map(move |with_blank| {
            let word = with_blank.trim_end_matches(' ');
            let blank = &with_blank[word.len()..];
            let pieces: Vec<Cow<'_, str>> = match self == Self::Markdown && is_link(word) {
                true => vec![link(word)],
                false => word
                    .char_indices()
                    .map(|(at, c)| self.character(&word[at..at + c.len_utf8()]))
                    .collect(),
            };
            pieces.into_iter().chain([Cow::Borrowed(blank)])
        })
    }

    /// The URL where to read more, an ASCII text.
    fn url(self, url: &str) -> String {
        match self {
            Self::Markdown => link(url).into_owned(),
            _ => self.pieces(url).collect(),
        }
    }

    fn character(self, character: &str) -> Cow<'_, str> {
        match (self, character) {
            (Self::Slack | Self::Html, "&") => "&amp;".into(),
            (Self::Slack | Self::Html, "<") => "&lt;".into(),
            (Self::Slack | Self::Html, ">") => "&gt;".into(),
            // A blank of no width parts the sign from the name that would be called.
            (Self::Markdown, "@") => "@\u{200b}".into(),
            (Self::Markdown, c) if "\\`*_~[]()<>|#!:".contains(c) => format!("\\{c}").into(),
            _ => character.into(),
        }
    }

    fn line_end(self) -> &'static str {
        match self {
            Self::Html => "<br>",
            Self::None | Self::Slack | Self::Markdown => "\n",
        }
    }
}

/// Whether a word is a URL through and through, so that it can stand in Markdown.
fn is_link(word: &str) -> bool {
    let rest = word
        .strip_prefix("https://")
        .or(word.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty())
        && word.bytes().all(|byte| byte == b'@' || is_plain(byte))
}

/// A link that calls nobody and ends where it ends: signs that mean something in Markdown are encoded.
fn link(word: &str) -> Cow<'_, str> {
    if word.bytes().all(is_plain) {
        return word.into();
    }
    let encoded = word.bytes().map(|byte| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect::<String>().into()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#!$&'+,;=%".contains(&byte)
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Escape; 4] = [Escape::None, Escape::Slack, Escape::Markdown, Escape::Html];

    fn one(escape: Escape, line: &str) -> String {
        escape.text(&[line.to_owned()], None, 1000)
    }

    #[test]
    fn markup_and_mentions_are_only_text() {
        assert_eq!(
            one(Escape::Slack, "<!channel> a & b"),
            "&lt;!channel&gt; a &amp; b"
        );
        assert_eq!(one(Escape::Html, "<img src=x>"), "&lt;img src=x&gt;");
        assert_eq!(
            one(Escape::Markdown, "@here **x** <@1>"),
            "@\u{200b}here \\*\\*x\\*\\* \\<@\u{200b}1\\>"
        );
        assert_eq!(
            one(Escape::Markdown, "[a](https://b.example)"),
            "\\[a\\]\\(https\\://b.example\\)"
        );
        assert_eq!(one(Escape::None, "<a> @b *c*"), "<a> @b *c*");
    }

    #[test]
    fn links_stay_links_and_call_nobody() {
        assert_eq!(
            one(Escape::Markdown, "see https://x.example/a_b_c?d=1"),
            "see https://x.example/a_b_c?d=1"
        );
        assert_eq!(
            one(Escape::Markdown, "https://x.example/@all"),
            "https://x.example/%40all"
        );
        let url = "https://x.example/@a_(b)";
        assert_eq!(
            Escape::Markdown.text(&[], Some(url), 100),
            "\nhttps://x.example/%40a_%28b%29"
        );
    }

    #[test]
    fn the_url_outlives_what_is_cut() {
        let lines = ["x".repeat(50), "y".repeat(50)];
        let text = Escape::None.text(&lines, Some("https://x.example/"), 60);
        assert_eq!(text, format!("{}…\nhttps://x.example/", "x".repeat(40)));
        assert_eq!(Escape::Slack.text(&["&&".to_owned()], None, 9), "&amp;…");
    }

    proptest! {
        #[test]
        fn no_text_is_longer_than_allowed(
            lines in proptest::collection::vec("[a-z<&@* 😀:/]{0,40}", 0..4),
            max in 30usize..120,
        ) {
            for escape in ALL {
                let text = escape.text(&lines, Some("https://x.example/"), max);
                prop_assert!(units(&text) <= max, "{text:?}");
                prop_assert!(text.ends_with("https://x.example/"));
            }
        }

        #[test]
        fn nothing_of_a_stranger_is_a_tag_or_a_call(line in ".{0,60}") {
            let slack = one(Escape::Slack, &line);
            prop_assert!(!slack.contains(['<', '>']));
            let markdown = one(Escape::Markdown, &line);
            let called = markdown.split('@').skip(1).find(|rest| !rest.starts_with('\u{200b}'));
            prop_assert_eq!(called, None);
        }
    }
}
