//! The command line.

mod ec2;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

pub(crate) use self::ec2::{AmendArgs, Ec2Args, PlaceArgs, set, set_option};
use crate::commands::copy_file::CopyFileArgs;
use crate::commands::get_master::GetMasterArgs;
use crate::commands::image::ImageCommand;
use crate::commands::inventory::InventoryArgs;
use crate::commands::journal::JournalCommand;
use crate::commands::login::LoginArgs;
use crate::commands::run_command::RunCommandArgs;
use crate::commands::ssh_config::SshConfigArgs;
use crate::commands::tunnel::TunnelArgs;
use crate::shape::{self, Shape};
use crate::wiring::{MesosSource, ProviderKind};

/// Brings up a whole Apache Mesos cluster as a durable run: whatever dies, `resume` goes on where it stopped.
#[derive(Debug, Parser)]
#[command(name = "mesosflow", version, after_help = EXIT_CODES)]
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

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring up a cluster
    Run(RunArgs),
    /// Go on with a run that stopped, exactly where it stopped
    Resume(ResumeArgs),
    /// Run steps of a run again, from one on
    Replay(ReplayArgs),
    /// Show what `run` would do, and do nothing
    Plan(SpecArgs),
    /// Show the catalogue: every step, in order
    Steps,
    /// Show all runs, or what exists and belongs to none
    List(ListArgs),
    /// Show where a run and each of its steps stand
    Status(OneRun),
    /// Show the history of a run
    Events(EventsArgs),
    /// Show what was done on which node
    Logs(LogsArgs),
    /// Delete everything that a run created
    Destroy(DestroyArgs),
    /// Show the clusters: what exists, and what has existed
    Clusters,
    /// Log in to a node
    Login(LoginArgs),
    /// Print the address of the leading Mesos master
    GetMaster(GetMasterArgs),
    /// Open a way to the web interfaces of a cluster
    Tunnel(TunnelArgs),
    /// Run a command on nodes of a cluster, on all at once
    RunCommand(RunCommandArgs),
    /// Copy files of this machine onto nodes of a cluster
    CopyFile(CopyFileArgs),
    /// Show the nodes of a cluster to other programs, such as Ansible
    Inventory(InventoryArgs),
    /// Print the nodes of a cluster for one's own SSH configuration
    SshConfig(SshConfigArgs),
    /// Make nodes of a cluster the image of others
    Image {
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Look after the journal: check, backup, restore, export
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What a cluster is to be like: each flag goes before the configuration file, which goes before the default.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SpecArgs {
    /// Where the nodes come from
    #[arg(long, value_parser = word::<ProviderKind>())]
    pub(crate) provider: Option<ProviderKind>,
    /// The cluster's name
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Mesos masters; three ZooKeepers come with more than one
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) masters: Option<u16>,
    /// Mesos slaves
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) slaves: Option<u16>,
    /// The operating system of the nodes
    #[arg(long, value_name = "NAME")]
    pub(crate) os: Option<String>,
    /// Swap on every node in MiB, 0 for none
    #[arg(long, value_name = "MIB", allow_negative_numbers = true)]
    pub(crate) swap: Option<u32>,
    /// A folder laid over the deployed tree, its templates rendered in the same way
    #[arg(long, value_name = "DIR")]
    pub(crate) deploy_dir: Option<PathBuf>,
    /// Where Mesos comes from: the image, a tarball, or a build from git
    #[arg(long, value_parser = word::<MesosSource>(), visible_alias = "download")]
    pub(crate) mesos_source: Option<MesosSource>,
    /// The tarball with Mesos: a path, or an http(s):// URL
    #[arg(long, value_name = "URL")]
    pub(crate) mesos_url: Option<String>,
    /// The SHA-256 that the tarball must have
    #[arg(long, value_name = "HEX")]
    pub(crate) mesos_sha256: Option<String>,
    /// A netrc file for the server of the tarball or the repository, instead of a password in its URL
    #[arg(long, value_name = "FILE", conflicts_with = "mesos_netrc_env")]
    pub(crate) mesos_netrc: Option<PathBuf>,
    /// The same in an environment variable of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) mesos_netrc_env: Option<String>,
    /// The branch, tag or commit of Mesos to build
    #[arg(long, value_name = "NAME")]
    pub(crate) mesos_branch: Option<String>,
    /// The git repository of Mesos to build
    #[arg(long, value_name = "URL")]
    pub(crate) mesos_repository: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten, next_help_heading = "EC2")]
    pub(crate) ec2: Ec2Args,
}

/// Of `run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
}

/// Of `list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// Show what carries mesosflow's tags and belongs to no run of this journal, or to one that is over
    #[arg(long)]
    pub(crate) orphans: bool,
    /// The provider that is asked; by default each that can be used from here
    #[arg(long, requires = "orphans", value_parser = word::<ProviderKind>())]
    pub(crate) provider: Option<ProviderKind>,
    #[command(flatten, next_help_heading = "EC2")]
    pub(crate) place: PlaceArgs,
}

/// Of `resume`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResumeArgs {
    /// The run's id, or the beginning of it
    #[arg(required_unless_present = "last", conflicts_with = "last")]
    pub(crate) run: Option<String>,
    /// The newest run
    #[arg(long)]
    pub(crate) last: bool,
    /// Use recorded outcomes although this program computes other inputs for their steps
    #[arg(long)]
    pub(crate) accept_drift: bool,
    /// Take the cluster over although its nodes know a newer driver, whose journal this one is an older copy of
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Do not ask before taking over
    #[arg(long, short, requires = "take_over")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) amend: AmendArgs,
}

/// Of `replay`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// The run's id, or the beginning of it; by default the newest run
    pub(crate) run: Option<String>,
    /// The first step to run again
    #[arg(long, value_name = "STEP")]
    pub(crate) from: String,
    /// The last step to run again; by default the last of all
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    pub(crate) to: Option<String>,
    /// Run only that one step again
    #[arg(long)]
    pub(crate) only: bool,
    /// Do not ask before a destructive step
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) amend: AmendArgs,
}

/// Of commands that show one run.
#[derive(Debug, Clone, Args)]
pub(crate) struct OneRun {
    /// The run's id, or the beginning of it; by default the newest run
    pub(crate) run: Option<String>,
}

/// Of `events`.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) of: OneRun,
    /// Go on until the run's process ends
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// Of `logs`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogsArgs {
    /// The run's id, or the beginning of it; by default the newest run
    pub(crate) run: Option<String>,
    /// Only what was done for this step (may stand alone)
    pub(crate) step: Option<String>,
    /// Only what was done on this node
    #[arg(long, value_name = "NAME")]
    pub(crate) node: Option<String>,
}

/// Of `destroy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DestroyArgs {
    /// The run's id, or the beginning of it; by default the only run that has a cluster
    #[arg(conflicts_with = "cluster")]
    pub(crate) run: Option<String>,
    /// What carries this journal's id, was made from here, and belongs to no run of it
    #[arg(long, conflicts_with_all = ["run", "take_over"])]
    pub(crate) orphans: bool,
    /// What carries the id of a journal that was lost (`list --orphans` shows it); asks for the cluster's name
    #[arg(long, value_name = "JOURNAL-ID", conflicts_with_all = ["run", "take_over", "orphans"])]
    pub(crate) owner: Option<String>,
    /// With --orphans or --owner: the provider that is asked; by default each that can be used from here
    #[arg(long, value_parser = word::<ProviderKind>())]
    pub(crate) provider: Option<ProviderKind>,
    /// The run that owns this cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Even where the nodes obey a driver that this journal does not know
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Do not ask; with --owner, only together with --cluster
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) amend: AmendArgs,
    #[command(flatten, next_help_heading = "EC2, with --orphans or --owner")]
    pub(crate) place: PlaceArgs,
}

/// Reads one of an enum's words, and shows them all in the help.
pub(crate) fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>() -> impl TypedValueParser<Value = T>
{
    let words = match shape::at::<T>(&[]) {
        Shape::Choice(words) => words,
        _ => &[],
    };
    PossibleValuesParser::new(words).try_map(|word| {
        let word: StrDeserializer<'_, ValueError> = word.as_str().into_deserializer();
        T::deserialize(word)
    })
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
    fn the_predecessors_name_for_the_source_still_works() {
        let Command::Run(run) = parse("mesosflow run --download git --masters 1 --yes")
            .unwrap()
            .command
        else {
            panic!("not run");
        };
        assert_eq!(run.spec.mesos_source, Some(MesosSource::Git));
        assert_eq!(run.spec.masters, Some(1));
    }

    #[test]
    fn what_cannot_be_is_refused_with_code_2() {
        for line in [
            "mesosflow run --masters -1",
            "mesosflow run --masters x",
            "mesosflow run --masters 70000",
            "mesosflow run --swap -5",
            "mesosflow run --provider nowhere",
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

    #[test]
    fn the_help_is_as_it_was() {
        let mut command = Cli::command().term_width(100);
        command.build();
        insta::assert_snapshot!("help", command.render_help());
        for name in [
            "run",
            "resume",
            "replay",
            "plan",
            "status",
            "events",
            "logs",
            "destroy",
            "login",
            "get-master",
            "tunnel",
            "run-command",
            "copy-file",
            "inventory",
            "ssh-config",
        ] {
            let sub = command.find_subcommand_mut(name).unwrap();
            insta::assert_snapshot!(format!("help_{name}"), sub.render_help());
        }
        let image = command.find_subcommand_mut("image").unwrap();
        let prepare = image.find_subcommand_mut("prepare").unwrap();
        insta::assert_snapshot!("help_image_prepare", prepare.render_help());
    }
}
