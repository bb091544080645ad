//! What is said of a cluster that was taken down, or could not begin to be.

use mesosflow_workflow::{ClusterId, Resource};
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::runs::Found;
use crate::session;

#[derive(Serialize)]
struct Destroyed<'a> {
    /// The run of the workflow; where there was nothing to do, that which made the cluster.
    run: &'a str,
    cluster: &'a str,
    cluster_id: ClusterId,
    deleted: &'a [Resource],
    /// What was asked of whom, and has nothing of the run any more.
    asked: &'a str,
}

/// What became of a cluster.
pub(crate) struct Done {
    pub(crate) deleted: Vec<Resource>,
    /// What was asked of whom.
    pub(crate) asked: String,
}

/// A destroy that is done, as JSON; `run` is that of the workflow, or the one that made the cluster.
pub(crate) fn told(app: &App, run: &str, found: &Found, done: &Done) -> Result<(), CliError> {
    app.ui.document(&Destroyed {
        run,
        cluster: &found.row.cluster,
        cluster_id: found.row.cluster_id,
        deleted: &done.deleted,
        asked: &done.asked,
    })
}

pub(crate) fn tell(app: &App, found: &Found, done: &Done) -> Result<(), CliError> {
    let Done { deleted, asked } = done;
    let run = found.row.run.to_string();
    if app.ui.json {
        return told(app, &run, found, done);
    }
    let said = session::taken_down_to(&found.state, &run, deleted.len(), Some(asked));
    app.ui.line(&said)
}

/// What cannot begin to be destroyed is not interrupted: it failed, or was refused.
pub(crate) fn not_begun(error: CliError) -> CliError {
    match error.exit {
        Exit::Refused => error,
        _ => CliError {
            exit: Exit::Failed,
            ..error
        },
    }
}
