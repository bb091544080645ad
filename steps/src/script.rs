//! What a step sends to a node.

use std::time::Duration;

use crate::cluster::Node;
use crate::remote::{Command, RemoteError, quote};

/// A script for a node: a constant body that refers to its values as `"$name"`, which are quoted in one place.
#[derive(Debug, Clone)]
pub struct Script<'a> {
    pub(crate) title: &'a str,
    functions: Vec<&'a str>,
    body: &'a str,
    variables: Vec<(&'a str, String)>,
    stdin: Option<Vec<u8>>,
    deadline: Option<Duration>,
}

impl<'a> Script<'a> {
    /// A POSIX shell script; `set -eu` stands before the body. The title is what logs and errors say.
    pub const fn new(title: &'a str, body: &'a str) -> Self {
        Self {
            title,
            functions: Vec::new(),
            body,
            variables: Vec::new(),
            stdin: None,
            deadline: None,
        }
    }

    /// Functions that the body uses, beside those that were named already.
    #[must_use]
    pub fn before(mut self, functions: &'a str) -> Self {
        self.functions.push(functions);
        self
    }

    /// Sets a variable of the script.
    #[must_use]
    pub fn var(mut self, name: &'a str, value: impl ToString) -> Self {
        self.variables.push((name, value.to_string()));
        self
    }

    /// What the script reads.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long it may take, silently too.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.deadline = Some(limit);
        self
    }

    /// The whole script, its values quoted.
    pub(crate) fn text(&self) -> Result<String, quote::QuoteError> {
        let variables: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = format!("{}{}", self.functions.concat(), self.body);
        Ok(format!("set -eu\n{}", quote::with_variables(&variables, &body)?))
    }

    /// What it reads.
    #[cfg(test)]
    pub(crate) fn input(&self) -> &[u8] {
        self.stdin.as_deref().unwrap_or_default()
    }

    pub(crate) fn command(self, node: &Node) -> Result<Command, RemoteError> {
        let text = self.text().map_err(|error| RemoteError::Unsendable {
            node: node.name.clone(),
            title: self.title.to_owned(),
            reason: error.to_string(),
        })?;
        let mut command = Command::new(self.title, text);
        if let Some(stdin) = self.stdin {
            command = command.stdin(stdin);
        }
        if let Some(limit) = self.deadline {
            command = command.deadline(limit).silence(limit);
        }
        Ok(command)
    }
}
