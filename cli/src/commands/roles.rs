//! `roles export`: the roles of masters and slaves for other programs that set machines up.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::wiring::{Export, ExportError, Exported, ansible_variables};

/// Beside what the user has for all hosts: the files of the folder are read in the order of their names, and the last counts.
const VARIABLES: &str = "group_vars/all/00-mesosflow.yml";

/// The roles mesos, mesos-master and mesos-slave, for your own playbooks
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RolesCommand {
    Export(ExportArgs),
}

/// Write them into a folder, or bring an earlier export there to this version's state
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct ExportArgs {
    /// For whom
    #[arg(long, value_enum)]
    format: Format,
    /// A folder that does not exist yet, is empty, or is an earlier export
    dir: PathBuf,
    /// Overwrite files of an earlier export that were changed since
    #[arg(long)]
    force: bool,
    /// With the variables of this cluster, as its record has them now
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

/// Whom the roles are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Ansible roles, with a playbook and an example of an inventory
    Ansible,
}

const HELP: &str = "\
The roles lay the files, the units and the boot script that a deploy lays, say which cluster it is, and start the daemons. They \
install no Mesos: `mesos_home` says where it is. What the variables mean is in roles/*/defaults/main.yml; README.md there says the rest.

Files of your own in that folder stay. Without --cluster, group_vars/all/00-mesosflow.yml of an earlier export goes, if it is as it was \
written.";

#[derive(Serialize)]
struct ExportView<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    exported: &'a Exported,
}

/// Does what was asked for.
pub(crate) async fn roles(app: &App, command: &RolesCommand) -> Result<(), CliError> {
    match command {
        RolesCommand::Export(args) => export(app, args).await,
    }
}

async fn export(app: &App, args: &ExportArgs) -> Result<(), CliError> {
    let Format::Ansible = args.format;
    let mut export = Export::ansible();
    if args.cluster.is_some() {
        export = export.with(VARIABLES, variables(app, args.cluster.clone()).await?);
    }
    let exported = export.write(&args.dir, args.force).map_err(told)?;
    match app.ui.json {
        true => app.ui.document(&ExportView {
            folder: &args.dir,
            exported: &exported,
        }),
        false => app.ui.line(&text(&args.dir, &exported)),
    }
}

async fn variables(app: &App, cluster: Option<String>) -> Result<String, CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &ClusterArgs { cluster }).await?;
    ansible_variables(&living.spec, &living.state, &living.nodes, living.epoch()).ok_or_else(|| {
        let cluster = &living.row.cluster;
        CliError::new(
            Exit::Failed,
            format!("no master of cluster `{cluster}` has ever answered"),
        )
    })
}

fn told(error: ExportError) -> CliError {
    match &error {
        ExportError::Folder { .. } => CliError::refused(error.to_string()).hint("name a folder that does not exist yet"),
        ExportError::Theirs { .. } => CliError::refused(error.to_string())
            .hint("keep your own beside them: variables in `group_vars`, tasks in roles and playbooks of your own")
            .hint("to overwrite them: --force"),
        ExportError::Io { source, .. } => CliError::new(Exit::Failed, error.to_string()).because_of(source),
    }
}

fn text(folder: &Path, exported: &Exported) -> String {
    let files = |count: usize| if count == 1 { "file" } else { "files" };
    let counts = [
        (exported.written.len(), "written"),
        (exported.removed.len(), "removed"),
        (exported.unchanged, "as before"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {} {what}", files(count)))
        .collect();
    format!("{}: {}", folder.display(), counts.join(", "))
}
