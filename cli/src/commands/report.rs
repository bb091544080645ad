//! `report`: a run as one file, to be kept or sent to somebody.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::page;

/// Write the page of a run to a file, to be kept or sent
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct ReportArgs {
    /// The run's id, or the beginning of it; by default the newest run
    run: Option<String>,
    /// The file, `-` for standard output
    #[arg(long, value_name = "FILE", required = true)]
    html: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

const HELP: &str = "\
One file with all that it needs, and no script: what each step did when, the critical path, what went wrong and what goes on with it, the nodes, \
and the newest 2000 events. It has the names and addresses of the nodes, and what failed commands printed there: read it before you send it. `mesosflow ui` shows \
the same, live.

  mesosflow report --html run.html";

#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
}

/// Writes the page of a run.
pub(crate) async fn report(app: &App, args: &ReportArgs) -> Result<(), CliError> {
    let path = args.html.as_path();
    let is_stdout = path.as_os_str() == "-";
    if !is_stdout {
        refuse_taken(path, args.force)?;
    }
    let journal = app.journal_with_runs()?;
    let page = page::report(app, &journal, args.run.as_deref()).await?;
    if is_stdout {
        return app.ui.line(page.trim_end());
    }
    write(path, &page, args.force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => taken(path),
        _ => CliError::new(Exit::Failed, format!("cannot write `{}`", path.display())).because_of(&error),
    })?;
    match app.ui.json {
        true => app.ui.object(&Written { file: path }),
        false => app.ui.line(&path.display().to_string()),
    }
}

/// Only a file is ever replaced, and only where that was asked for.
fn refuse_taken(path: &Path, force: bool) -> Result<(), CliError> {
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => Err(CliError::usage(format!(
            "`{}` is there already, and is no file: it is not replaced",
            path.display()
        ))
        .hint("name a file, or `-` for standard output")),
        Ok(_) if !force => Err(taken(path)),
        _ => Ok(()),
    }
}

fn taken(path: &Path) -> CliError {
    CliError::usage(format!("`{}` is there already", path.display()))
        .hint("name another file, or replace it: --force")
}

/// Whole or not at all, and for its owner only; without `force` over nothing, be it there for a moment only.
fn write(path: &Path, page: &str, force: bool) -> std::io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(page.as_bytes())?;
    file.as_file().sync_all()?;
    let persisted = match force {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    persisted.map(drop).map_err(|error| error.error)
}
