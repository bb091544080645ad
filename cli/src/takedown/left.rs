//! What there is of a cluster that is to be taken down, and what is lost with it.

use std::collections::BTreeMap;

use super::spec::spec;
use super::told::Done;
use crate::app::App;
use crate::error::CliError;
use crate::runs::Found;
use crate::wiring::{self, ProviderKind};

/// What there is of a run that is to be destroyed.
pub(crate) enum Left {
    /// It was destroyed, its provider has just been asked, and has nothing of it.
    Nothing(Done),
    /// What is known of it; or, where it was destroyed, what has come to exist since.
    Something(Box<Found>),
}

/// Looks whether there is anything to destroy: a run that was destroyed is asked for again.
pub(crate) async fn left(app: &App, found: &Found) -> Result<Left, CliError> {
    let mut losses = Box::new(found.clone());
    if is_over(found) {
        let folder = app.cluster_dir(&found.cluster());
        let spec = spec(app, found, &folder)?;
        let look = wiring::look(spec, &found.cluster(), &folder).await?;
        if look.owned.is_empty() && !look.may_come {
            let (deleted, asked) = (Vec::new(), look.asked);
            return Ok(Left::Nothing(Done { deleted, asked }));
        }
        losses.state.resources = look.owned;
        return Ok(Left::Something(losses));
    }
    losses.state.resources = found.record.resources();
    Ok(Left::Something(losses))
}

/// Whether it was destroyed, and nothing of it is known.
fn is_over(found: &Found) -> bool {
    found.record.resources().is_empty() && !found.row.owns_cluster
}

/// Machines of the user's own are given back, not deleted.
fn is_lent(found: &Found) -> bool {
    ProviderKind::has_lent(&found.row.provider)
}

/// What would be lost.
pub(crate) fn loss(found: &Found) -> String {
    if is_lent(found) {
        return format!(
            "cluster `{}` of run `{}` is stopped, and its key and its mark are taken off the hosts; \
             the machines stay, with what is on their disks",
            found.row.cluster, found.row.run
        );
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for resource in &found.state.resources {
        *kinds.entry(&resource.kind).or_default() += 1;
    }
    let counts: Vec<_> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} × {kind}"))
        .collect();
    let counts = if counts.is_empty() {
        "whatever it created".to_owned()
    } else {
        counts.join(", ")
    };
    format!(
        "cluster `{}` of run `{}` is deleted with all its data: {counts}",
        found.row.cluster, found.row.run
    )
}

/// The volumes that outlive every machine, and not this.
pub(crate) fn lost_data(found: &Found) -> Option<String> {
    let volumes = wiring::formatted_volumes(&found.cluster());
    let listed: Vec<_> = volumes
        .iter()
        .map(|(node, volume)| format!("{volume} ({node})"))
        .collect();
    let what = "the persistent HDFS, which outlives its machines, is deleted with its volumes";
    (!listed.is_empty()).then(|| format!("{what}: {}", listed.join(", ")))
}
