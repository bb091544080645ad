//! What a cluster is to be like, as flags say it.

use std::path::PathBuf;

use clap::Args;

use super::ec2::Ec2Args;
use super::mesos::MesosArgs;
use super::value::word;
use crate::wiring::ProviderKind;

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
    #[command(flatten)]
    pub(crate) mesos: MesosArgs,
    #[command(flatten, next_help_heading = "EC2")]
    pub(crate) ec2: Ec2Args,
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;
    use crate::wiring::MesosSource;

    #[test]
    fn the_predecessors_name_for_the_source_still_works() {
        let command = SpecArgs::augment_args(clap::Command::new("run"));
        let line = ["run", "--download", "git", "--masters", "1"];
        let spec = SpecArgs::from_arg_matches(&command.get_matches_from(line)).unwrap();
        assert_eq!(spec.mesos.source, Some(MesosSource::Git));
        assert_eq!(spec.masters, Some(1));
    }
}
