//! The command line as a whole: what stands before and beside every command.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;

/// Brings up a whole Apache Mesos cluster as a durable run: whatever dies, `resume` goes on where it stopped.
#[derive(Debug, Parser)]
#[command(name = "mesosflow", version = env!("MESOSFLOW_VERSION"), after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten, next_help_heading = "Global options")]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 the run failed; 2 usage or configuration; 3 refused (held by another process, destructive \
without --yes, drift, cluster exists); 4 journal unusable; 130 interrupted and resumable.";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The journal of all runs; by default `mesosflow/journal.sqlite` in the XDG state folder
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "MESOSFLOW_JOURNAL",
        hide_env_values = true
    )]
    pub(crate) journal: Option<PathBuf>,
    /// Use a journal on a network file system: only where no other machine ever uses it
    #[arg(long, global = true)]
    pub(crate) journal_on_network: bool,
    /// The configuration; by default `mesosflow.toml` in the current folder, if there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What the program does, on standard error (-vv: in every detail)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_is_refused_with_code_2() {
        for line in [
            "mesosflow run --masters -1",
            "mesosflow run --masters x",
            "mesosflow run --masters 70000",
            "mesosflow run --swap -5",
            "mesosflow run --provider nowhere",
            "mesosflow plan --yes",
            "mesosflow resume",
            "mesosflow resume 01 --last",
            "mesosflow replay",
            "mesosflow replay --from a --to b --only",
            "mesosflow destroy 01 --cluster demo",
            "mesosflow frobnicate",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        let message = parse("mesosflow run --masters -1").unwrap_err().to_string();
        assert!(
            message.contains("invalid value '-1' for '--masters <N>'"),
            "{message}"
        );
    }

    /// A new command that asks belongs here; one that does not has no `--yes`.
    #[test]
    fn only_what_asks_can_be_told_not_to() {
        fn told(command: &clap::Command, name: &str, all: &mut Vec<String>) {
            let is_yes = |arg: &clap::Arg| arg.get_long() == Some("yes") || arg.get_short() == Some('y');
            all.extend(command.get_arguments().any(is_yes).then(|| name.to_owned()));
            for below in command.get_subcommands() {
                told(below, format!("{name} {}", below.get_name()).trim(), all);
            }
        }
        let mut all = Vec::new();
        told(&Cli::command(), "", &mut all);
        all.sort();
        let asking = [
            "add-slaves",
            "close",
            "configure",
            "destroy",
            "image prepare",
            "redeploy",
            "remove-slaves",
            "replace-node",
            "replay",
            "resume",
            "rollback",
            "run",
            "stop",
        ];
        assert_eq!(all, asking);
    }

    /// Takes a snapshot of the help of a command and of all below it.
    fn snapshot_help(command: &mut clap::Command, name: &str) {
        insta::assert_snapshot!(name, command.render_help());
        let below = command
            .get_subcommands_mut()
            .filter(|below| below.get_name() != "help");
        for below in below {
            let name = format!("{name}_{}", below.get_name());
            snapshot_help(below, &name);
        }
    }

    #[test]
    fn the_help_is_as_it_was() {
        let mut command = Cli::command().term_width(100);
        command.build();
        snapshot_help(&mut command, "help");
    }
}
