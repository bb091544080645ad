//! The only place that prints: results to standard output, everything else to standard error.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use crate::error::CliError;
use crate::text::clean;

/// The user's side of the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    /// Results as JSON.
    pub(crate) json: bool,
    /// Whether progress may move the cursor.
    pub(crate) live: bool,
    color: bool,
}

impl Ui {
    /// What the terminal and the environment allow. With `tracing`, progress stays plain: both write to standard error.
    pub(crate) fn detect(json: bool, tracing: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb;
        let color = terminal && !set("NO_COLOR");
        console::set_colors_enabled(color);
        console::set_colors_enabled_stderr(color);
        Self {
            json,
            live: terminal && !tracing,
            color,
        }
    }

    /// Prints a line of results.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }

    /// Prints results as JSON over several lines.
    pub(crate) fn document(&self, value: &impl Serialize) -> Result<(), CliError> {
        self.line(&serde_json::to_string_pretty(value).map_err(unserialisable)?)
    }

    /// Prints a result as JSON on one line.
    pub(crate) fn object(&self, value: &impl Serialize) -> Result<(), CliError> {
        self.line(&serde_json::to_string(value).map_err(unserialisable)?)
    }

    /// Says something on standard error. Whether anybody listens does not matter.
    pub(crate) fn note(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _deaf = err.write_all(format!("{text}\n").as_bytes());
    }

    /// Warns.
    pub(crate) fn warn(&self, text: &str) {
        let label = if self.color {
            console::style("warning:").yellow().bold().to_string()
        } else {
            "warning:".into()
        };
        self.note(&format!("{label} {}", clean(text)));
    }

    /// Says why the program ends.
    pub(crate) fn error(&self, error: &CliError) {
        if error.is_silent() {
            return;
        }
        let text = error.render(|label| match label {
            _ if !self.color => label.to_owned(),
            "  hint:" => console::style(label).cyan().for_stderr().to_string(),
            _ => console::style(label).red().bold().for_stderr().to_string(),
        });
        self.note(text.trim_end());
    }

    /// Asks before something that cannot be undone. `losses` says what would be lost, `command` how to say yes at once.
    pub(crate) fn confirm(&self, losses: &[String], command: &str, yes: bool) -> Result<(), CliError> {
        if yes {
            return Ok(());
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            let mut refused =
                CliError::refused("this needs a confirmation, and there is no terminal to ask on");
            refused.causes.extend(losses.iter().cloned());
            return Err(refused.hint(format!("`{command} --yes` does it without asking")));
        }
        for loss in losses {
            self.warn(loss);
        }
        ask()
    }

    /// Asks for a name, which is typed by whoever means it, where there is a terminal to ask on.
    pub(crate) fn ask_name(&self, what: &str) -> Option<String> {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return None;
        }
        let mut err = io::stderr().lock();
        let _deaf = write!(err, "{what}: ").and_then(|()| err.flush());
        drop(err);
        let mut answer = String::new();
        let _eof = io::stdin().lock().read_line(&mut answer);
        Some(answer.trim().to_owned())
    }

    /// Asks whether to go on, where there is a terminal to ask on; nobody is asked elsewhere.
    pub(crate) fn ask(&self, yes: bool) -> Result<(), CliError> {
        if yes || !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(());
        }
        ask()
    }
}

fn ask() -> Result<(), CliError> {
    let mut err = io::stderr().lock();
    let _deaf = write!(err, "Go on? [y/N] ").and_then(|()| err.flush());
    drop(err);
    let mut answer = String::new();
    let _eof = io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::refused("not confirmed: nothing was done")),
    }
}

fn unserialisable(error: serde_json::Error) -> CliError {
    CliError::new(crate::exit::Exit::Failed, "cannot write the result as JSON").because_of(&error)
}

/// The columns of standard output, if it is a terminal.
pub(crate) fn width() -> Option<u16> {
    io::stdout()
        .is_terminal()
        .then(|| console::Term::stdout().size().1)
}
