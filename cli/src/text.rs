//! What comes from elsewhere (nodes, files, services), made fit to be shown.

use std::borrow::Cow;

/// `text` without control characters but line breaks and tabs: what comes from nodes must not steer the terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(bad) {
        Cow::Owned(text.replace(bad, ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " | ")
}

/// The first characters of a text that has more.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
