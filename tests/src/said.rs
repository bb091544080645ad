//! What the program said, and how it ended.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Output};

use serde_json::Value;

/// The outcome of one call of the program.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; 128 and the signal's number where one ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Said {
    pub(crate) fn new(status: ExitStatus, out: String, err: String) -> Self {
        for stream in [&out, &err] {
            assert!(
                !stream.contains('\u{1b}'),
                "control codes without a terminal: {stream:?}"
            );
            assert!(!stream.contains("panicked at"), "{stream}");
        }
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Self { code, out, err }
    }

    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self::new(output.status, text(output.stdout), text(output.stderr))
    }

    /// Asserts that it ended with `code`.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert!(
            self.code == code,
            "ended with {}, not with {code}, after\n{}\n-- standard output:\n{}-- standard error:\n{}",
            self.code,
            last_lines(&self.err),
            self.out,
            self.err
        );
        self
    }

    /// Asserts that standard error, in the shape of errors, says each of `parts`.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn complains(self, parts: &[&str]) -> Self {
        for part in ["error: "].iter().chain(parts) {
            assert!(
                self.err.contains(part),
                "{part:?} is missing in standard error:\n{}",
                self.err
            );
        }
        self
    }

    /// Asserts that standard output says each of `parts`.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn tells(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.out.contains(part),
                "{part:?} is missing in standard output:\n{}",
                self.out
            );
        }
        self
    }

    /// The run's id, which `run` and `resume` print first.
    ///
    /// # Panics
    /// The first line is no id.
    #[track_caller]
    pub fn run(&self) -> String {
        let first = self.out.lines().next().unwrap_or_default();
        assert!(is_run_id(first), "the first line is no run's id: {first:?}");
        first.to_owned()
    }

    /// Standard output as one JSON value.
    ///
    /// # Panics
    /// It is not one.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.out) {
            Ok(value) => value,
            Err(error) => panic!("standard output is no JSON ({error}):\n{}", self.out),
        }
    }

    /// Standard output as one JSON value a line.
    ///
    /// # Panics
    /// A line is no JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let value = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("a line of standard output is no JSON ({error}): {line}"),
        };
        self.out.lines().map(value).collect()
    }
}

/// A ULID in lower case.
pub(crate) fn is_run_id(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// The end of `text`, which says why: ahead of all that came before, the middle of which who prints a failure may leave out.
fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
