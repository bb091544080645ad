//! Where Mesos comes from, as flags say it.

use std::path::PathBuf;

use clap::Args;

use super::value::word;
use crate::wiring::MesosSource;

/// Where Mesos comes from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct MesosArgs {
    /// Where Mesos comes from: the image, a tarball, or a build from git
    #[arg(long = "mesos-source", id = "mesos_source", value_name = "MESOS_SOURCE", value_parser = word::<MesosSource>(), visible_alias = "download")]
    pub(crate) source: Option<MesosSource>,
    /// The tarball with Mesos: a path, or an http(s):// URL
    #[arg(long = "mesos-url", id = "mesos_url", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The SHA-256 that the tarball must have
    #[arg(long = "mesos-sha256", id = "mesos_sha256", value_name = "HEX")]
    pub(crate) sha256: Option<String>,
    /// A netrc file for the server of the tarball or the repository, instead of a password in its URL
    #[arg(
        long = "mesos-netrc",
        id = "mesos_netrc",
        value_name = "FILE",
        conflicts_with = "mesos_netrc_env"
    )]
    pub(crate) netrc: Option<PathBuf>,
    /// The same in an environment variable of this name
    #[arg(long = "mesos-netrc-env", id = "mesos_netrc_env", value_name = "NAME")]
    pub(crate) netrc_env: Option<String>,
    /// The branch, tag or commit of Mesos to build
    #[arg(long = "mesos-branch", id = "mesos_branch", value_name = "NAME")]
    pub(crate) branch: Option<String>,
    /// The git repository of Mesos to build
    #[arg(long = "mesos-repository", id = "mesos_repository", value_name = "URL")]
    pub(crate) repository: Option<String>,
}
