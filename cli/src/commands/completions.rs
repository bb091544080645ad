//! `completions`: a script for a shell.

use clap::Args;
use clap_complete::Shell;

use crate::app::App;
use crate::error::CliError;
use crate::hints::PROGRAM;

/// Print a completion script for a shell
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn completions(app: &App, args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut (app.definition)(), PROGRAM, &mut script);
    app.ui.line(String::from_utf8_lossy(&script).trim_end())
}
