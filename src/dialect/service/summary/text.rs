//! Text of strangers made fit to be shown in a line. In: any text or HTML. Out: plain text of bounded length.

use html5gum::{Token, Tokenizer};

/// How much of a document is looked at, in bytes: enough for every line that is made of it.
const LOOKED_AT: usize = 16 * 1024;

/// The text without control characters and signs that turn its direction, every run of blanks as one, and no longer
/// than `max` characters.
pub fn clean(text: &str, max: usize) -> String {
    let is_blank = |c: char| c.is_whitespace() || c.is_control() || turns_direction(c);
    let mut out = String::new();
    let words = beginning(text)
        .split(is_blank)
        .filter(|word| !word.is_empty());
    for word in words {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    shortened(&out, max)
}

/// The text, or its beginning and an ellipsis: `max` characters at the most.
pub fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(max.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
    }
}

/// The text that a piece of HTML shows.
pub fn plain(html: &str) -> String {
    let mut out = String::new();
    for Ok(token) in Tokenizer::new(beginning(html)) {
        match token {
            Token::String(text) => out.push_str(&String::from_utf8_lossy(&text)),
            // Words are parted by paragraphs and line breaks, not by links and emphasis.
            Token::StartTag(tag) if is_break(&tag.name) => out.push(' '),
            Token::EndTag(tag) if is_break(&tag.name) => out.push(' '),
            _ => {}
        }
    }
    out
}

fn is_break(name: &[u8]) -> bool {
    matches!(name, b"p" | b"br" | b"div" | b"li" | b"blockquote" | b"pre")
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(LOOKED_AT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Signs that can make a line show other than it reads.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(
            clean(" a\r\nQUIT :b\0\u{1}c\u{2028}d\u{85}e ", 100),
            "a QUIT :b c d e"
        );
        assert_eq!(clean("ab\u{202e}cd", 100), "ab cd");
        assert_eq!(clean("hello world", 7), "hello…");
    }

    #[test]
    fn html_is_what_it_shows() {
        let html =
            "<p>Hi <a href='x'>@<span>bob</span></a> &amp; &lt;all&gt;</p><p>2<br>3</p><script>";
        assert_eq!(clean(&plain(html), 100), "Hi @bob & <all> 2 3");
    }

    proptest! {
        #[test]
        fn cleaned_text_is_short_and_has_no_control_characters(text in "\\PC{0,40}|[\\x00-\\x20a-z\u{80}-\u{a0}]{0,40}", max in 1usize..30) {
            let line = clean(&text, max);
            prop_assert!(line.chars().count() <= max);
            prop_assert!(!line.contains(|c: char| c.is_control()));
            prop_assert_eq!(clean(&line, max), line.clone());
        }

        #[test]
        fn no_html_makes_it_panic(html in "[<>a-z&;/!\\- \"'=]{0,60}") {
            let _ = plain(&html);
        }
    }
}
