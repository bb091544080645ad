//! Values of a run's frozen spec that are given anew on the command line.

use clap::Args;
use mesosflow_workflow::Run;

use crate::app::App;
use crate::args::cidr;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::Found;
use crate::wiring::{self, ClusterSpec, IpNet};

/// What may be given anew for a cluster that exists.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AmendArgs {
    /// From where the cluster's interfaces (on EC2: SSH too) may be reached from now on, as when your address has changed; may
    /// be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = cidr)]
    pub(crate) admin_cidr: Vec<IpNet>,
}

impl AmendArgs {
    /// The words that say it again.
    pub(crate) fn words(&self) -> Vec<String> {
        let each = self.admin_cidr.iter().map(ToString::to_string);
        each.flat_map(|cidr| ["--admin-cidr".to_owned(), cidr]).collect()
    }
}

/// The spec with what was given anew; refused where it is of no use.
pub(crate) fn amended(app: &App, spec: ClusterSpec, args: &AmendArgs) -> Result<ClusterSpec, CliError> {
    if args.admin_cidr.is_empty() {
        return Ok(spec);
    }
    let (spec, warnings) = spec
        .readmitting(args.admin_cidr.clone())
        .map_err(|wrong| CliError::usage(wrong.to_string()).hint(wrong.hint))?;
    for warning in warnings {
        app.ui.warn(&warning);
    }
    Ok(spec)
}

/// Writes into the run's history what of its frozen spec is another by now, and that the steps which see to it are out of date. Where
/// no step of its workflow does, that is done before all of them.
pub(crate) async fn record(run: &Run, found: &Found, spec: &ClusterSpec) -> Result<(), CliError> {
    let frozen = wiring::frozen_spec(&found.state)?;
    if frozen.admins() == spec.admins() {
        return Ok(());
    }
    let value = serde_json::to_value(spec.admins()).map_err(|error| {
        CliError::new(Exit::Failed, "the addresses cannot be written down").because_of(&error)
    })?;
    let (field, steps) = spec.admission();
    let recorded = match wiring::workflow_of(&found.state)?.admits() {
        true => run.amend(field, value, steps).await,
        false => run.amend(&format!("cluster.{field}"), value, Vec::new()).await,
    };
    recorded.map_err(|error| CliError::from(&error))
}
