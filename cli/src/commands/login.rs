//! `login`: the system's SSH client on a node, with the cluster's key and the pinned host keys.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::Args;

use crate::app::App;
use crate::clusters::{ClusterArgs, Living};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ssh::SshFiles;
use crate::wiring::join_words;

/// Log in to a node
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct LoginArgs {
    /// The node, with or without the cluster's name in front; by default the first master
    node: Option<String>,
    #[command(flatten)]
    of: ClusterArgs,
    /// A SOCKS proxy on this port of this machine, through the node
    #[arg(short = 'D', value_name = "[ADDRESS:]PORT")]
    socks: Option<String>,
    /// A port of this machine that leads to one of the node's side, as ssh has it (may be repeated)
    #[arg(short = 'L', value_name = "[ADDRESS:]PORT:HOST:PORT")]
    forward: Vec<String>,
    /// Instead of a shell; one word is a line for the shell, several are one command with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const HELP: &str = "\
Logs in as the user that the image or the host has (root, admin, ubuntu, …). The exit code is ssh's: that of the command, or 255.

  mesosflow login
  mesosflow login slave-2 -- df -h
  mesosflow login -L 8787:localhost:8787";

/// Becomes ssh.
pub(crate) async fn login(app: &App, args: &LoginArgs) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, &args.of).await?;
    let node = match &args.node {
        Some(name) => living.node(name)?,
        None => living.first(),
    };
    let mut ssh = client(&living)?;
    if let Some(port) = &args.socks {
        ssh.args(["-D", port]);
    }
    for spec in &args.forward {
        ssh.args(["-L", spec]);
    }
    ssh.args(["--", &node.name]);
    match &args.command[..] {
        [] => {}
        [line] => drop(ssh.arg(line)),
        words => drop(ssh.arg(line(words.iter().map(String::as_str))?)),
    }
    drop(journal);
    Err(no_ssh(&ssh.exec()))
}

/// SSH's client as it reaches the nodes of a cluster, with a terminal where there is one here.
///
/// # Errors
/// Its files cannot be written.
pub(super) fn client(living: &Living) -> Result<Command, CliError> {
    let files = SshFiles::write(living)?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&files.config);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        ssh.arg("-t");
    }
    Ok(ssh)
}

/// One command line of which each word means itself.
///
/// # Errors
/// A word holds what no command line can carry.
pub(super) fn line<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<String, CliError> {
    join_words(words).ok_or_else(|| CliError::usage("the command holds a NUL byte"))
}

/// The system's SSH client does not start.
pub(crate) fn no_ssh(error: &std::io::Error) -> CliError {
    CliError::new(Exit::Failed, "cannot start `ssh`")
        .because_of(error)
        .hint("install OpenSSH's client (Debian: `apt-get install openssh-client`)")
}
