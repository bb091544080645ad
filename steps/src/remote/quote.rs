//! The one place where a value becomes part of a shell script.

use std::borrow::Cow;

/// A value that no shell can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value holds a NUL byte, which no shell argument can carry")]
pub struct QuoteError;

/// Quotes `value` as exactly one word of a POSIX shell, whatever it holds. A NUL byte is refused.
///
/// A leading `-` stays what it is: put `--` before such a word.
pub fn quote(value: &str) -> Result<Cow<'_, str>, QuoteError> {
    shlex::try_quote(value).map_err(|_nul| QuoteError)
}

/// Quotes every word and joins them to a command line.
pub fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, QuoteError> {
    shlex::try_join(words).map_err(|_nul| QuoteError)
}

/// Puts `variables` in front of `body` as assignments, so that a script can be a constant and refers to its values as
/// `"$name"`. The names are the caller's own, never input; all that the script's header names have to be there.
pub fn with_variables(variables: &[(&str, &str)], body: &str) -> Result<String, QuoteError> {
    let is_set = |name: &str| variables.iter().any(|(variable, _)| *variable == name);
    debug_assert_eq!(
        crate::shell::unset(body, is_set),
        None,
        "a script's header names a variable that is not set"
    );
    let mut script = String::with_capacity(body.len() + 64 * variables.len());
    for (name, value) in variables {
        script.push_str(name);
        script.push('=');
        script.push_str(&quote(value)?);
        script.push('\n');
    }
    script.push_str(body);
    Ok(script)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What `printf %s` prints for the quoted value.
    fn through_sh(script: &str) -> Vec<u8> {
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert!(
            output.status.success(),
            "sh refused {script:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn any_text() -> impl Strategy<Value = String> {
        let nasty = prop::sample::select(vec![
            "'",
            "\"",
            "\\",
            "$(id)",
            "`id`",
            "$HOME",
            "~",
            "-n",
            "--",
            "\n",
            "\r\n",
            "\t",
            " ",
            "*",
            "?",
            "[a-z]",
            "{a,b}",
            "!",
            "#",
            "&&",
            "|",
            ";",
            ">",
            "<",
            "é",
            "漢",
            "\u{202e}",
            "\u{7f}",
            "\u{1b}[31m",
            "%s",
            "=",
            "",
        ]);
        prop::collection::vec(prop_oneof![nasty.prop_map(str::to_owned), "[^\u{0}]{0,6}"], 0..8)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn the_shell_sees_exactly_the_value(value in any_text()) {
            prop_assert_eq!(through_sh(&format!("printf %s {}", quote(&value).unwrap())), value.as_bytes());
        }

        #[test]
        fn assignments_carry_exactly_the_value(first in any_text(), second in any_text()) {
            let script = with_variables(&[("a", &first), ("b", &second)], r#"printf '%s|%s' "$a" "$b""#).unwrap();
            prop_assert_eq!(through_sh(&script), format!("{first}|{second}").into_bytes());
        }

        #[test]
        fn quoting_survives_a_second_shell(value in any_text()) {
            let inner = format!("printf %s {}", quote(&value).unwrap());
            let outer = join(["sh", "-c", &inner]).unwrap();
            prop_assert_eq!(through_sh(&outer), value.as_bytes());
        }
    }

    #[test]
    fn nul_is_refused() {
        assert_eq!(quote("a\0b"), Err(QuoteError));
        assert_eq!(join(["a", "\0"]), Err(QuoteError));
        assert_eq!(with_variables(&[("a", "\0")], ""), Err(QuoteError));
    }

    #[test]
    fn the_empty_value_is_a_word() {
        assert_eq!(quote("").unwrap(), "''");
    }
}
