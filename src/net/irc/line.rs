//! Lines of IRC (RFC 2812 section 2.3). In: what a server wrote, or what is to be said. Out: its parts, or pieces that fit.
//! Pure.

/// A line from a server, in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Who says it: `nick!user@host`, a server's name, or nothing.
    pub prefix: &'a str,
    /// A word, or three digits.
    pub command: &'a str,
    /// What follows.
    pub params: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// Reads a line without its end; `None` if it has no command.
    pub(super) fn parse(text: &'a str) -> Option<Line<'a>> {
        let rest = match text.strip_prefix('@') {
            // Tags of IRCv3, which nobody asked for.
            Some(tagged) => tagged.split_once(' ')?.1.trim_start_matches(' '),
            None => text,
        };
        let (prefix, rest) = match rest.strip_prefix(':') {
            Some(prefixed) => prefixed.split_once(' ')?,
            None => ("", rest),
        };
        let (words, trailing) = match rest.split_once(" :") {
            Some((words, trailing)) => (words, Some(trailing)),
            None => (rest, None),
        };
        let mut words = words.split(' ').filter(|word| !word.is_empty());
        let command = words.next()?;
        Some(Line {
            prefix,
            command,
            params: words.chain(trailing).collect(),
        })
    }

    /// Whether it comes from the user of a name.
    pub(super) fn is_from(&self, nick: &str) -> bool {
        let name = self.prefix.split(['!', '@']).next().unwrap_or_default();
        name.eq_ignore_ascii_case(nick)
    }

    /// Whether one of its parameters is this one.
    pub(super) fn names(&self, param: &str) -> bool {
        let mut params = self.params.iter();
        params.any(|own| own.eq_ignore_ascii_case(param))
    }

    /// Whether it reports an error: 4 and two digits, 5 and two digits.
    pub(super) fn is_error(&self) -> bool {
        let is_number = self.command.len() == 3 && self.command.bytes().all(|b| b.is_ascii_digit());
        is_number && self.command.starts_with(['4', '5'])
    }

    /// The line for people: the command and its parameters, without colours and other control characters.
    pub(super) fn words(&self) -> String {
        let words = [self.command]
            .into_iter()
            .chain(self.params.iter().copied());
        let words: Vec<&str> = words.collect();
        words
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .collect()
    }
}

/// Cuts a text into pieces of at most `max` bytes, between words where that is possible, never within a character.
pub(super) fn pieces(text: &str, max: usize) -> Vec<&str> {
    let max = max.max(char::MAX.len_utf8());
    let (mut found, mut rest) = (Vec::new(), text.trim());
    while rest.len() > max {
        let mut end = max;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        // A blank right behind the piece is as good as one within.
        let blank = rest.as_bytes()[..=end]
            .iter()
            .rposition(|byte| *byte == b' ');
        let cut = blank.filter(|at| *at > 0).unwrap_or(end);
        found.push(rest[..cut].trim_end());
        rest = rest[cut..].trim_start();
    }
    found.push(rest);
    found.retain(|piece| !piece.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_has_parts() {
        let line =
            Line::parse("@time=1 :ana!a@h.example PRIVMSG  #a :two words :here").expect("a line");
        assert_eq!((line.prefix, line.command), ("ana!a@h.example", "PRIVMSG"));
        assert_eq!(line.params, ["#a", "two words :here"]);
        assert!(line.is_from("Ana") && !line.is_from("an") && line.names("#A"));

        let error = Line::parse(":irc.example 474 fanfare #a :\u{3}4Banned").expect("a line");
        assert!(error.is_error());
        assert_eq!(error.words(), "474 fanfare #a 4Banned");
        for (text, is_error) in [
            ("PING :x", false),
            ("501 a", true),
            ("001 a", false),
            ("4000", false),
            ("40x", false),
        ] {
            assert_eq!(
                Line::parse(text).expect("a line").is_error(),
                is_error,
                "{text}"
            );
        }
        for none in ["", " ", ":", ":a", ":a ", "@a", "@a :b"] {
            assert_eq!(Line::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_words() {
        assert_eq!(pieces("one two three", 7), ["one two", "three"]);
        assert_eq!(pieces("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(pieces("ääää", 5), ["ää", "ää"]);
        assert_eq!(pieces("  ", 5), Vec::<&str>::new());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in "[@: a-z0-9]{0,30}|.{0,30}") {
            if let Some(line) = Line::parse(&text) {
                prop_assert!(!line.command.is_empty());
                prop_assert!(!line.words().contains(|c: char| c.is_control()));
            }
        }

        #[test]
        fn pieces_are_the_text_and_fit(text in "[a-zä😀 ]{0,60}", max in 4usize..20) {
            let pieces = pieces(&text, max);
            for piece in &pieces {
                prop_assert!((1..=max).contains(&piece.len()));
            }
            let without_blanks = |text: &str| text.replace(' ', "");
            prop_assert_eq!(without_blanks(&pieces.concat()), without_blanks(&text));
        }
    }
}
