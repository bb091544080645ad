//! `man`: the manual, a page for each command.

use std::path::PathBuf;

use clap::Args;

use crate::app::App;
use crate::error::CliError;

/// Write the manual into a folder, a page for each command
#[derive(Debug, Clone, Args)]
pub(crate) struct ManArgs {
    /// The folder, which is made; `…/share/man/man1` is where `man` looks
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Writes the pages.
pub(crate) fn man(app: &App, args: &ManArgs) -> Result<(), CliError> {
    let folder = &args.folder;
    let unwritable = |error: std::io::Error| {
        CliError::usage(format!("the manual cannot be written to {}", folder.display())).because_of(&error)
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to((app.definition)(), folder).map_err(unwritable)
}
