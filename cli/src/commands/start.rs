//! `start`: a stopped cluster comes up again.

use clap::Args;

use crate::amend::{self, AmendArgs};
use crate::app::App;
use crate::clusters::{self, ClusterArgs};
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session::{self, Driving};
use crate::wiring::{self, ClusterSpec, Journal, Lacking, Machine, Role, StartSpec, StartWorkflow, Verified};

/// Start a stopped cluster: its machines, at whatever addresses they have by now, and all that it did before
#[derive(Debug, Clone, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    amend: AmendArgs,
}

/// Formats nothing but what lost its disks.
pub(crate) async fn start(app: &App, args: &StartArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let found = clusters::founded(app, &journal, &args.cluster).await?;
    let Some((spec, frozen)) = ready(app, &journal, &found, &args.amend).await? else {
        return session::told_already(app, &found, ALREADY);
    };
    wiring::refuse_makers(&app.places, &spec, &found.cluster(), &[]).await?;
    for launched in launches(&spec, &frozen) {
        app.ui.note(&launched);
    }
    let heard = session::heard(app)?;
    let (run, progress) =
        session::create(app, journal, &found, (&StartWorkflow, &frozen), Vec::new()).await?;
    let driving = Driving {
        readmits: !args.amend.admin_cidr.is_empty(),
        ..Driving::new(found.record.others(run.id()), spec, heard)
    };
    session::drive(app, run, progress, driving).await
}

/// Why there is nothing to do.
pub(super) const ALREADY: &str =
    "was not stopped, and all its machines run where they were: nothing was done";

/// Looks at what there is to be started, or is somewhere else by now; none where all of it runs.
pub(super) async fn ready(
    app: &App,
    journal: &Journal,
    found: &Found,
    amend: &AmendArgs,
) -> Result<Option<(Verified, StartSpec)>, CliError> {
    session::refuse_ended(app, found)?;
    runs::refuse_busy(journal, found).await?;
    let spec = amend::amended(app, found.spec()?, amend)?;
    let spec = wiring::verify(spec).await?;
    wiring::precheck(&spec).await?;
    let machines = wiring::machines(&spec, &found.cluster()).await?;
    if !found.record.is_stopped() && machines.iter().all(|machine| machine.runs && !machine.has_moved) {
        return Ok(None);
    }
    let frozen = frozen(app, found, &spec, &machines)?;
    Ok(Some((spec, frozen)))
}

/// The places that get another machine.
pub(super) fn launches(spec: &ClusterSpec, frozen: &StartSpec) -> Vec<String> {
    let name = |place: &Lacking| {
        let name = place.role.node_name(&spec.cluster, place.index);
        format!("{name} has no machine any more: another is launched in its place")
    };
    frozen.lacking.iter().map(name).collect()
}

/// What the run has to know of the cluster.
pub(super) fn frozen(
    app: &App,
    found: &Found,
    spec: &ClusterSpec,
    machines: &[Machine],
) -> Result<StartSpec, CliError> {
    let cluster = found.cluster();
    let (image, groups) = wiring::launched_from(&cluster);
    let is_listed = !spec.provider.makes_machines();
    if !is_listed && (image.is_none() || groups.is_none()) {
        return Err(CliError::refused(format!(
            "cluster `{}` never came as far as its machines",
            found.row.cluster
        ))
        .hint(format!(
            "to bring it up: {}",
            app.places
                .command(&["replay", &found.row.run.to_string(), "--from", "security-groups"])
        )));
    }
    let (gone, there): (Vec<_>, Vec<_>) = machines.iter().partition(|machine| machine.is_gone);
    let mut lacking = Vec::new();
    for role in [Role::Master, Role::Slave, Role::Zookeeper] {
        let has = |index: u16| {
            there
                .iter()
                .any(|machine| machine.instance.role == role && machine.instance.index == index)
        };
        let places = spec.places(role).into_iter();
        let without = places.filter(|index| !is_listed && !has(*index));
        lacking.extend(without.map(|index| Lacking { role, index }));
    }
    let resources = |machine: &&Machine| machine.resource();
    Ok(StartSpec {
        cluster: spec.clone(),
        machines: match is_listed {
            true => Vec::new(),
            false => there.iter().map(|machine| machine.instance.clone()).collect(),
        },
        lacking,
        lost: gone.iter().map(resources).collect(),
        image,
        groups,
        has_persistent: cluster.was_up && wiring::has_persistent(&cluster),
    })
}
