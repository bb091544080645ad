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
use crate::wiring::{Node, join_words};

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
    let socks = args.socks.iter().flat_map(|port| ["-D", port]);
    let forward = args.forward.iter().flat_map(|spec| ["-L", spec]);
    let options: Vec<_> = socks.chain(forward).collect();
    enter(app, &args.of, args.node.as_deref(), &options, |_node| {
        Ok(match &args.command[..] {
            [] => None,
            [line] => Some(line.clone()),
            words => Some(line(words.iter().map(String::as_str))?),
        })
    })
    .await
}

/// Becomes SSH's client on a node of the cluster that is meant, by default the first master, with these options and a command line for
/// that node, or its shell; with a terminal where there is one here.
///
/// # Errors
/// No cluster or node is meant, or there is no client.
pub(super) async fn enter(
    app: &App,
    of: &ClusterArgs,
    node: Option<&str>,
    options: &[&str],
    command: impl FnOnce(&Node) -> Result<Option<String>, CliError>,
) -> Result<(), CliError> {
    let journal = app.journal_with_runs()?;
    let living = Living::meant(app, &journal, of).await?;
    let node = match node {
        Some(name) => living.node(name)?,
        None => living.first(),
    };
    let files = SshFiles::write(&living)?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(&files.config).args(options);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        ssh.arg("-t");
    }
    ssh.args(["--", &node.name]).args(command(node)?);
    drop(journal);
    Err(no_ssh(&ssh.exec()))
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
