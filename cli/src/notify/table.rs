//! `[notify]` in mesosflow.toml. It is no part of a cluster's spec: no journal keeps it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::channels::{Channels, check_command};
use super::webhook::Webhook;

/// The name of the table.
const TABLE: &str = "notify";
/// The keys that there are.
pub(crate) const KEYS: [&str; 2] = ["notify.command", "notify.url"];

/// What is wrong, and where. No value is told: it may be a secret.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) span: Range<usize>,
    pub(crate) what: String,
    /// What to do; none for a key that is not known, of which the reader of the file knows more.
    pub(crate) hint: Option<&'static str>,
    /// That key.
    pub(crate) unknown: Option<String>,
}

/// Takes the table out of a file, and says who is told by it.
pub(crate) fn read(file: &mut DeTable<'_>) -> Result<Channels, Wrong> {
    let mut channels = Channels::default();
    let Some(found) = file.remove(TABLE) else {
        return Ok(channels);
    };
    let DeValue::Table(table) = found.get_ref() else {
        return Err(wrong(
            found.span(),
            "`notify` is no table",
            "write `[notify]`, and `command` or `url` below it",
        ));
    };
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        match key.get_ref().as_ref() {
            "command" => {
                let command = text(value, "command")?;
                check_command(command).map_err(|what| {
                    wrong(
                        value.span(),
                        format!("`notify.command` {what}"),
                        "name a command, or leave the key out",
                    )
                })?;
                channels.command = Some((command.to_owned(), "notify.command"));
            }
            "url" => {
                let hook = Webhook::parse(text(value, "url")?);
                channels.url = Some(
                    hook.map_err(|(what, hint)| wrong(value.span(), format!("`notify.url` {what}"), hint))?,
                );
            }
            other => {
                let path = format!("{TABLE}.{other}");
                return Err(Wrong {
                    span: key.span(),
                    what: format!("unknown key `{path}`"),
                    hint: None,
                    unknown: Some(path),
                });
            }
        }
    }
    Ok(channels)
}

fn text<'v>(value: &'v Spanned<DeValue<'_>>, key: &str) -> Result<&'v str, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err(wrong(
            value.span(),
            format!("`notify.{key}` is no string"),
            "write it in quotes",
        )),
    }
}

fn wrong(span: Range<usize>, what: impl Into<String>, hint: &'static str) -> Wrong {
    Wrong {
        span,
        what: what.into(),
        hint: Some(hint),
        unknown: None,
    }
}
