//! `list --orphans`: what exists, carries mesosflow's tags, and belongs to no run of this journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::App;
use crate::args::ListArgs;
use crate::error::CliError;
use crate::render::table::table;
use crate::wiring::{self, ClusterSpec, ProviderKind, Tagged};

#[derive(Serialize)]
struct Orphan {
    #[serde(flatten)]
    tagged: Tagged,
    /// Why it is one.
    reason: &'static str,
}

const UNKNOWN: &str = "its run is not in this journal";
const DESTROYED: &str = "its run was destroyed";

/// Looks at each provider that can be used from here, or at the one that was named.
pub(crate) async fn orphans(app: &App, args: &ListArgs) -> Result<(), CliError> {
    let mut spec = ClusterSpec::default();
    args.place.overlay(&mut spec.ec2);
    let known = known(app).await?;
    let mut orphans = Vec::new();
    for tagged in look(app, args.provider, spec).await? {
        let reason = match known.get(&tagged.run) {
            None => UNKNOWN,
            Some(true) => DESTROYED,
            Some(false) => continue,
        };
        orphans.push(Orphan { tagged, reason });
    }
    if app.ui.json {
        return app.ui.document(&orphans);
    }
    if orphans.is_empty() {
        app.ui.note(
            "no orphans: everything that carries mesosflow's tags there belongs to a run of this journal",
        );
        return Ok(());
    }
    let rows = orphans.iter().map(|Orphan { tagged, reason }| {
        let place = tagged.place.as_deref().unwrap_or("this machine");
        vec![
            tagged.kind.clone(),
            tagged.id.clone(),
            tagged.name.clone(),
            tagged.cluster.clone(),
            tagged.run.clone(),
            format!("{}, {place}", tagged.provider),
            (*reason).to_owned(),
        ]
    });
    app.ui.line(&table(
        &["kind", "id", "name", "cluster", "run", "where", "why"],
        rows,
    ))
}

/// The runs of this journal, and whether each is over for good: as they are listed, so that a damaged one is known too.
async fn known(app: &App) -> Result<BTreeMap<String, bool>, CliError> {
    let mut known = BTreeMap::new();
    if let Some(journal) = app.existing_journal()? {
        for row in journal.runs().await? {
            known.insert(row.run.to_string(), row.summary.destroyed && !row.owns_cluster);
        }
    }
    Ok(known)
}

/// What the providers have. One that was not named and cannot be used is passed over, and said to be.
async fn look(app: &App, named: Option<ProviderKind>, spec: ClusterSpec) -> Result<Vec<Tagged>, CliError> {
    if let Some(provider) = named {
        return wiring::tagged(&ClusterSpec { provider, ..spec }).await;
    }
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for provider in [ProviderKind::Local, ProviderKind::Ec2] {
        match wiring::tagged(&ClusterSpec {
            provider,
            ..spec.clone()
        })
        .await
        {
            Ok(tagged) => all.extend(tagged),
            Err(error) => failed.push(error),
        }
    }
    if failed.len() == 2 {
        return Err(CliError::usage("no provider can be used from here").because(
            failed
                .iter()
                .flat_map(|error| error.causes.clone())
                .collect::<Vec<_>>()
                .join("; "),
        ));
    }
    for error in failed {
        app.ui.warn(&format!(
            "not looked at: {}: {}",
            error.message,
            error.causes.join(": ")
        ));
    }
    Ok(all)
}
