//! Scripts for nodes, a file each, as [`Script`](crate::script::Script) and the sessions send them: what has four lines or more.
//!
//! A header says what a script does, and names what it has from others, a line each:
//!
//! | line | what it names |
//! |---|---|
//! | `# var NAME: …` | a variable that whoever sends the script sets |
//! | `# needs NAME: …` | one that has to be there for those that stand behind it, which name it in their turn or set it |
//! | `# sets NAME: …` | one that those may use |
//! | `# after FILE, …` | the files whose functions and variables it uses: they stand before it |
//!
//! Who sends a script without one of its variables hears of it at once, in a debug build. The tests compare the headers with the
//! scripts, and with the modules that set the variables.

/// The text of a file in `shell/`.
macro_rules! shell {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/shell/", $file))
    };
}

/// A variable that a header in `script` names and that is none of those that are set.
pub(crate) fn unset(script: &str, is_set: impl Fn(&str) -> bool) -> Option<&str> {
    named(script, "var").find(|name| !is_set(name))
}

/// The names in the lines `# WORD NAME: …`.
fn named<'s>(script: &'s str, word: &str) -> impl Iterator<Item = &'s str> {
    let lines = script.lines().filter_map(|line| line.strip_prefix("# "));
    lines.filter_map(move |line| {
        let (name, _) = line.strip_prefix(word)?.strip_prefix(' ')?.split_once(':')?;
        is_name(name).then_some(name)
    })
}

/// Whether a variable of ours may be called so; those in capitals are the environment's.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(of_name)
}

const fn of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests;
