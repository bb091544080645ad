//! `completions`: a script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::App;
use crate::args::Cli;
use crate::error::CliError;

/// Prints the script.
pub(crate) fn completions(app: &App, shell: Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mesosflow", &mut script);
    app.ui.line(String::from_utf8_lossy(&script).trim_end())
}
