//! `steps`: the catalogue.

use clap::Args;
use mesosflow_workflow::{CatalogueEntry, StepId};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::render::table::table;
use crate::wiring;

/// Show the catalogue: every step, in order
#[derive(Debug, Clone, Args)]
pub(crate) struct StepsArgs {}

/// A step, as scripts see it.
#[derive(Serialize)]
struct EntryView<'a> {
    id: &'a StepId,
    notes: &'a str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fans_out_over: Option<&'a str>,
    destructive: bool,
}

impl<'a> EntryView<'a> {
    fn of(entry: &'a CatalogueEntry) -> Self {
        Self {
            id: &entry.id,
            notes: &entry.notes,
            title: &entry.title,
            fans_out_over: entry.fans_out_over.as_deref(),
            destructive: entry.destructive,
        }
    }
}

fn views(catalogue: &[CatalogueEntry]) -> Vec<EntryView<'_>> {
    catalogue.iter().map(EntryView::of).collect()
}

/// Every step, in the order that replay follows.
pub(crate) fn steps(app: &App, _: &StepsArgs) -> Result<(), CliError> {
    let catalogue = wiring::catalogue();
    if app.ui.json {
        app.ui.document(&views(&catalogue))
    } else {
        app.ui.line(&text(&catalogue))
    }
}

fn text(catalogue: &[CatalogueEntry]) -> String {
    let rows = catalogue.iter().map(|entry| {
        let over = entry
            .fans_out_over
            .as_deref()
            .map(|over| format!("× {over}"))
            .unwrap_or_default();
        let destructive = if entry.destructive { "destructive" } else { "" };
        vec![
            entry.id.to_string(),
            entry.notes.clone(),
            entry.title.clone(),
            over,
            destructive.to_owned(),
        ]
    });
    table(&["step", "notes", "does", "for each of", ""], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_as_it_was() {
        insta::assert_snapshot!("steps", text(&wiring::catalogue()));
        insta::assert_snapshot!(
            "steps_json",
            serde_json::to_string_pretty(&views(&wiring::catalogue())).unwrap()
        );
    }
}
