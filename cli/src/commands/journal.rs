//! `journal`: looking after the file that everything stands in.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mesosflow_workflow::{RunId, Seq, StoreError};
use serde::Serialize;

use crate::app::App;
use crate::error::{CliError, Kind};
use crate::exit::Exit;
use crate::runs;
use crate::wiring::{self, Journal, JournalReport};

/// How many events are read at a time.
const PAGE: usize = 1024;
/// The folders that lie beside a journal and in a backup: the runs' logs, the clusters' keys and pinned host keys. In this order:
/// what is moved meanwhile goes from one with a run to the one with its cluster, and is found in either.
const FOLDERS: [&str; 2] = ["runs", "clusters"];

/// Look after the journal: check, backup, restore, export
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum JournalCommand {
    /// Read all of it, and say what is damaged
    Check,
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Export(ExportArgs),
}

/// Copy it, with the clusters' keys, into a new folder; runs may go on meanwhile
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// A folder that does not exist yet, or is empty; it will hold keys
    dir: PathBuf,
}

/// Put a backup where there is no journal
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// What `journal backup` made
    dir: PathBuf,
}

/// Print its events as JSON, one a line
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArgs {
    /// The run's id, or the beginning of it; by default every run
    run: Option<String>,
}

/// Does what was asked for.
pub(crate) async fn journal(app: &App, command: &JournalCommand) -> Result<(), CliError> {
    match command {
        JournalCommand::Check => check(app).await,
        JournalCommand::Backup(args) => backup(app, &args.dir).await,
        JournalCommand::Restore(args) => restore(app, &args.dir),
        JournalCommand::Export(args) => export(app, args).await,
    }
}

#[derive(Serialize)]
struct ReportView<'a> {
    path: &'a Path,
    clusters: u64,
    runs: u64,
    events: u64,
    snapshots: u64,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    what: &'a str,
}

impl<'a> ReportView<'a> {
    fn of(path: &'a Path, report: &'a JournalReport) -> Self {
        let findings = report.findings.iter().map(|finding| FindingView {
            run: finding.run.map(|run| run.to_string()),
            what: &finding.what,
        });
        Self {
            path,
            clusters: report.clusters,
            runs: report.runs,
            events: report.events,
            snapshots: report.snapshots,
            findings: findings.collect(),
        }
    }

    /// Shows what was found; an error where anything is wrong.
    fn tell(&self, app: &App, what: &str) -> Result<(), CliError> {
        if app.ui.json {
            app.ui.document(self)?;
        } else {
            app.ui.line(&format!(
                "{what} `{}`: {} clusters, {} runs, {} events, {} snapshots are whole",
                self.path.display(),
                self.clusters,
                self.runs,
                self.events,
                self.snapshots
            ))?;
            for finding in &self.findings {
                let run = finding.run.as_ref().map(|run| format!("run {run}: "));
                app.ui
                    .line(&format!("damaged: {}{}", run.unwrap_or_default(), finding.what))?;
            }
        }
        if self.findings.is_empty() {
            return Ok(());
        }
        let error = CliError::new(
            Exit::Journal,
            format!(
                "{} things are damaged in `{}`",
                self.findings.len(),
                self.path.display()
            ),
        );
        Err(match self.findings.iter().all(|finding| finding.run.is_some()) {
            true => error.hint(
                "the runs that are not named go on as before; `destroy` still works for those that are",
            ),
            false => error.hint("restore a backup with `mesosflow journal restore`, and keep this file"),
        })
    }
}

async fn check(app: &App) -> Result<(), CliError> {
    let path = app.places.journal();
    let Some(journal) = wiring::open_file(&app.places)? else {
        return Err(no_journal(path));
    };
    let report = journal.verify().await?;
    ReportView::of(path, &report).tell(app, "journal")
}

/// All of it is written under another name first: a backup that was broken off is none.
async fn backup(app: &App, dir: &Path) -> Result<(), CliError> {
    let Some(journal) = wiring::open_file(&app.places)? else {
        return Err(no_journal(app.places.journal()));
    };
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::usage(format!("`{}` is not empty", dir.display()))
            .hint("name a folder that does not exist yet"));
    }
    let failed = |error: std::io::Error| {
        CliError::new(
            Exit::Failed,
            format!("cannot write the backup `{}`", dir.display()),
        )
        .because_of(&error)
    };
    let absolute = std::path::absolute(dir).map_err(failed)?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(failed)?;
    let part = tempfile::Builder::new()
        .prefix(".mesosflow-backup-")
        .tempdir_in(parent)
        .map_err(failed)?;
    let copy = part.path().join("copy");
    let made = journal.backup(&copy).await?;
    // After the journal: each run that it has is there with its keys.
    let mut skipped = Vec::new();
    for name in FOLDERS {
        let copied = wiring::backup_folder(&app.places.beside(name), &copy.join(name))?;
        skipped.extend(copied.skipped);
    }
    std::fs::rename(&copy, &absolute).map_err(failed)?;
    for skipped in &skipped {
        app.ui.warn(&format!(
            "`{}` is no regular file and was left out",
            skipped.display()
        ));
    }
    app.ui.note(&format!(
        "`{}` holds the clusters' private keys: keep it as you would keep those",
        dir.display()
    ));
    ReportView::of(dir, &made.report).tell(app, "backup")
}

fn restore(app: &App, dir: &Path) -> Result<(), CliError> {
    let path = app.places.journal();
    let failed = |error: std::io::Error| {
        CliError::new(
            Exit::Failed,
            format!("cannot read the backup `{}`", dir.display()),
        )
        .because_of(&error)
    };
    if path.exists() {
        return Err(
            CliError::refused(format!("there is a journal at `{}`", path.display()))
                .hint("move it away first, with its `-wal`; or name another place with --journal"),
        );
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() {
        return Err(CliError::refused(format!(
            "`{}` is left of a journal that was there, and would be taken for the restored one's",
            Path::new(&log).display()
        ))
        .hint("move it away too: what was committed last to that journal is in it"));
    }
    // The keys first: a journal without them could not be driven. One that is there stays.
    for name in FOLDERS {
        restore_folders(app, &dir.join(name), &app.places.beside(name), failed)?;
    }
    let report = wiring::restore(dir, path)?;
    app.ui.note(
        "what was done since the backup is not in it: see `mesosflow status` and `mesosflow list --orphans` before you go on",
    );
    ReportView::of(path, &report).tell(app, "restored")
}

fn restore_folders(
    app: &App,
    from: &Path,
    to: &Path,
    failed: impl Fn(std::io::Error) -> CliError,
) -> Result<(), CliError> {
    let folders = match std::fs::read_dir(from) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    for folder in folders {
        let to = to.join(folder.file_name());
        if to.exists() {
            app.ui
                .note(&format!("`{}` is there already, and stays", to.display()));
        } else {
            wiring::backup_folder(&folder.path(), &to)?;
        }
    }
    Ok(())
}

async fn export(app: &App, args: &ExportArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let rows = match &args.run {
        Some(run) => vec![runs::choose(app, &journal, Some(run)).await?],
        None => journal.runs().await?,
    };
    let mut damaged = None;
    for row in rows {
        match export_run(app, &journal, row.run).await {
            Err(error) if error.kind == Kind::DamagedRun => {
                app.ui.warn(&error.message);
                damaged = damaged.or(Some(error));
            }
            exported => exported?,
        }
    }
    damaged.map_or(Ok(()), Err)
}

/// Prints the events of a run; of a damaged one those that are whole, before it is told what is damaged.
async fn export_run(app: &App, journal: &Journal, run: RunId) -> Result<(), CliError> {
    let mut last = Seq(0);
    loop {
        let page = match journal.read(run, last, PAGE).await {
            Err(damaged @ StoreError::DamagedRun { .. }) => {
                let salvaged = journal.salvage(run).await?;
                for recorded in salvaged.events.iter().chain(&salvaged.later) {
                    if recorded.seq > last {
                        app.ui.object(recorded)?;
                    }
                }
                return Err(damaged.into());
            }
            page => page?,
        };
        for recorded in &page {
            app.ui.object(recorded)?;
            last = recorded.seq;
        }
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

fn no_journal(path: &Path) -> CliError {
    CliError::usage(format!("there is no journal at `{}`", path.display()))
        .hint("name one with --journal, or begin one with `mesosflow run`")
}
