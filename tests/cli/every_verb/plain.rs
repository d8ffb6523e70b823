//! What is different each time, replaced by what it is. In: an output. Out: one that is the same each time.

/// Letters that belong to a word.
fn is_within(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-:._".contains(letter)
}

/// Replaces what `known` knows, ids, times, digests; columns are two spaces apart, however wide they were.
pub fn plain(text: &str, known: &[(String, String)]) -> String {
    let mut whole = text.to_owned();
    // An address is more than a word.
    let mut addresses: Vec<_> = known
        .iter()
        .filter(|(value, _)| value.contains('/'))
        .collect();
    addresses.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    for (value, name) in addresses {
        whole = whole.replace(value, name);
    }
    let mut plain = String::new();
    let mut rest = whole.as_str();
    while let Some(letter) = rest.chars().next() {
        let is_word = is_within(letter);
        let end = rest.find(|next| is_within(next) != is_word);
        let (piece, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        match is_word {
            true => plain += &word(piece, known),
            false => plain += piece,
        }
    }
    plain.split_inclusive('\n').map(columns).collect()
}

fn word(word: &str, known: &[(String, String)]) -> String {
    let stop = word.trim_end_matches(['.', ':', '-']);
    let end = &word[stop.len()..];
    if let Some((_, name)) = known.iter().find(|(value, _)| value == stop) {
        return format!("{name}{end}");
    }
    let is_hex = stop.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = stop.len() == 36 && stop.split('-').count() == 5;
    let is_time = stop.starts_with("20") && stop.contains('T') && stop.ends_with('Z');
    let kind = match stop.len() {
        _ if stop.starts_with("127.0.0.1:") => "ADDRESS",
        _ if stop.starts_with("fanfare_") => "TOKEN",
        _ if is_uuid => "UUID",
        _ if is_time => "TIME",
        15.. if is_hex => "HEX",
        _ => stop,
    };
    format!("{kind}{end}")
}

/// Columns are two spaces apart; the beginning of a line stays.
fn columns(line: &str) -> String {
    let row = line.trim_start_matches(' ');
    let mut plain = line[..line.len() - row.len()].to_owned();
    for letter in row.chars() {
        if letter != ' ' || !plain.ends_with("  ") {
            plain.push(letter);
        }
    }
    plain
}
