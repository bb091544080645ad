//! Values of a run's frozen spec that are given anew on the command line.

use mesosflow_workflow::{Run, StepId};

use crate::app::App;
use crate::args::AmendArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::ClusterSpec;

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

/// Writes into the run's history what was given anew, and that `steps` are out of date by it: those that see to it, or none where
/// nothing is set up any more.
pub(crate) async fn record(
    run: &Run,
    args: &AmendArgs,
    (field, steps): (&str, Vec<StepId>),
) -> Result<(), CliError> {
    if args.admin_cidr.is_empty() {
        return Ok(());
    }
    let value = serde_json::to_value(&args.admin_cidr).map_err(|error| {
        CliError::new(Exit::Failed, "the addresses cannot be written down").because_of(&error)
    })?;
    let recorded = run.amend(field, value, steps).await;
    recorded.map_err(|error| CliError::from(&error))
}
