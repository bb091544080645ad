//! From flags, file and defaults to the spec of a cluster.

use std::path::{Path, PathBuf};

use crate::args::{MesosArgs, SpecArgs, set, set_option};
use crate::error::CliError;
use crate::file::{self, Parsed, resolve_url};
use crate::notify::Channels;
use crate::wiring::{ClusterSpec, MesosSource, MesosSpec, ProviderKind, Role};

/// The file that is read where none is named.
pub(crate) const DEFAULT_FILE: &str = "mesosflow.toml";

/// What the environment adds to flags and file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// The folder that flags' paths are relative to.
    pub(crate) cwd: PathBuf,
    /// The tarball to use where no Mesos is configured; need not exist.
    pub(crate) tarball: Option<Tarball>,
}

/// A tarball with Mesos that the configuration does not name.
#[derive(Debug, Clone)]
pub(crate) enum Tarball {
    /// The environment names it.
    Named(PathBuf),
    /// The stand-in that `make standin` leaves on this machine: it schedules nothing, and is for trying.
    StandIn(PathBuf),
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process() -> Result<Self, CliError> {
        let cwd = std::env::current_dir()
            .map_err(|error| CliError::usage("cannot tell the current folder").because_of(&error))?;
        let tarball = match std::env::var_os("MESOSFLOW_MESOS_TARBALL").filter(|value| !value.is_empty()) {
            Some(named) => Some(Tarball::Named(cwd.join(named))),
            None => crate::places::data()
                .map(|data| data.join("mesos.tar.gz"))
                .filter(|path| path.is_file())
                .map(Tarball::StandIn),
        };
        Ok(Self { cwd, tarball })
    }
}

/// A spec, and what is not settled about it.
#[derive(Debug)]
pub(crate) struct Configured {
    pub(crate) spec: ClusterSpec,
    /// What works but should be known.
    pub(crate) warnings: Vec<String>,
    /// Set where nothing says where Mesos comes from: `run` cannot work so.
    pub(crate) without_mesos: Option<CliError>,
}

/// A spec as it was asked for, not checked yet.
pub(crate) struct Asked {
    pub(crate) spec: ClusterSpec,
    /// Set where nothing says where Mesos comes from: `run` cannot work so.
    pub(crate) without_mesos: Option<CliError>,
    /// Whether somebody said where it comes from.
    source_given: bool,
}

/// The spec by flags over file over defaults, checked.
pub(crate) fn configure(
    named: Option<&Path>,
    flags: &SpecArgs,
    around: &Surroundings,
) -> Result<Configured, CliError> {
    let asked = asked(named, flags, around)?;
    let warnings = check(&asked, flags, around)?;
    let Asked {
        mut spec,
        without_mesos,
        ..
    } = asked;
    spec.settle_tarballs()
        .map_err(|wrong| CliError::usage(wrong.to_string()).hint(wrong.hint))?;
    Ok(Configured {
        spec,
        warnings,
        without_mesos,
    })
}

/// The provider that a configuration names of which the rest may not be readable.
pub(crate) fn provider_of(named: Option<&Path>) -> Option<ProviderKind> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = std::fs::read_to_string(path).ok()?;
    let table: toml::Table = text.parse().ok()?;
    ProviderKind::named(table.get("provider")?.as_str()?)
}

/// Who is to be told of the end of a run by the file that is named, or the one that is read where none is. No file names nobody.
pub(crate) fn channels(named: Option<&Path>) -> Result<Channels, CliError> {
    let name = named.unwrap_or(Path::new(DEFAULT_FILE));
    file::channels(name, named.is_some())
}

/// What the file says that is named, or the one that is read where none is; none where that is not there.
pub(crate) fn read_file(named: Option<&Path>, cwd: &Path) -> Result<Option<Parsed>, CliError> {
    match named {
        Some(path) => file::read(&cwd.join(path), path).map(Some),
        None if cwd.join(DEFAULT_FILE).exists() => {
            file::read(&cwd.join(DEFAULT_FILE), Path::new(DEFAULT_FILE)).map(Some)
        }
        None => Ok(None),
    }
}

/// The spec by flags over file over defaults.
pub(crate) fn asked(
    named: Option<&Path>,
    flags: &SpecArgs,
    around: &Surroundings,
) -> Result<Asked, CliError> {
    let Parsed {
        mut spec,
        mut source_given,
        masters_given,
        slaves_given,
        named: _,
    } = read_file(named, &around.cwd)?.unwrap_or_default();
    source_given |= overlay(&mut spec, flags, &around.cwd);
    if !source_given {
        source_given = infer_source(&mut spec);
    }
    let without_mesos = if source_given {
        None
    } else {
        default_mesos(&mut spec, around)
    };
    count_hosts(&mut spec, [masters_given, slaves_given], flags)?;
    Ok(Asked {
        spec,
        without_mesos,
        source_given,
    })
}

/// Refuses a spec that cannot work. Returns what works but should be known.
pub(crate) fn check(asked: &Asked, flags: &SpecArgs, around: &Surroundings) -> Result<Vec<String>, CliError> {
    let Asked {
        spec, source_given, ..
    } = asked;
    let mut warnings = spec
        .validate()
        .map_err(|wrong| CliError::usage(wrong.to_string()).hint(wrong.hint))?;
    if let (false, true, Some(Tarball::StandIn(path))) =
        (*source_given, spec.provider.is_here(), &around.tarball)
    {
        warnings.push(format!(
            "nothing says where Mesos comes from: the demo's stand-in is taken, which schedules nothing ({})",
            path.display()
        ));
    }
    if spec.of_ec2().is_none() && flags.ec2.is_given() {
        warnings.push(format!(
            "flags of the EC2 provider are of no use to provider `{}`: add --provider ec2",
            spec.provider
        ));
    }
    if spec.of_hosts().is_none() && !spec.hosts.nodes.is_empty() {
        warnings.push(format!(
            "the listed hosts are of no use to provider `{}`: add `provider = \"hosts\"`, or --provider hosts",
            spec.provider
        ));
    }
    Ok(warnings)
}

/// Lays the flags over the spec. Returns whether they say where Mesos comes from.
fn overlay(spec: &mut ClusterSpec, flags: &SpecArgs, cwd: &Path) -> bool {
    set(&mut spec.provider, flags.provider.as_ref());
    flags.ec2.overlay(&mut spec.ec2, cwd);
    set(&mut spec.cluster, flags.cluster.as_ref());
    set(&mut spec.masters, flags.masters.as_ref());
    set(&mut spec.slaves, flags.slaves.as_ref());
    set(&mut spec.os, flags.os.as_ref());
    set(&mut spec.swap_mb, flags.swap.as_ref());
    set_option(
        &mut spec.deploy_dir,
        flags.deploy_dir.as_ref().map(|dir| cwd.join(dir)).as_ref(),
    );
    overlay_mesos(&mut spec.mesos, &flags.mesos, cwd)
}

/// Lays the flags over where Mesos comes from. Returns whether they say so.
fn overlay_mesos(mesos: &mut MesosSpec, flags: &MesosArgs, cwd: &Path) -> bool {
    let url = flags.url.as_ref().map(|url| resolve_url(url, cwd));
    set_option(&mut mesos.url, url.as_ref());
    set_option(&mut mesos.sha256, flags.sha256.as_ref());
    let netrc = flags.netrc.as_ref().map(|path| cwd.join(path));
    set_option(&mut mesos.netrc, netrc.as_ref());
    set_option(&mut mesos.netrc_env, flags.netrc_env.as_ref());
    set_option(&mut mesos.branch, flags.branch.as_ref());
    set_option(&mut mesos.repository, flags.repository.as_ref());
    if let Some(source) = flags.source {
        mesos.source = source;
        return true;
    }
    // A place to get Mesos from says which way is meant, whatever the file says.
    match by_place(
        flags.url.is_some(),
        flags.repository.is_some() || flags.branch.is_some(),
    ) {
        Some(source) => mesos.source = source,
        None => return false,
    }
    true
}

/// Where another Mesos comes from, by flags over that which is in force: what belongs to the one of before only, as its digest, is
/// none of the other's.
pub(crate) fn another_mesos(now: &MesosSpec, flags: &MesosArgs, cwd: &Path) -> MesosSpec {
    let mut mesos = now.clone();
    if flags.url.is_some() {
        mesos.sha256 = None;
    }
    if flags.netrc.is_some() || flags.netrc_env.is_some() {
        (mesos.netrc, mesos.netrc_env) = (None, None);
    }
    overlay_mesos(&mut mesos, flags, cwd);
    if mesos.source != MesosSource::Tarball {
        (mesos.url, mesos.sha256) = (None, None);
    }
    if mesos.source != MesosSource::Git {
        (mesos.repository, mesos.branch) = (None, None);
    }
    mesos
}

/// A list of hosts says itself how many there are. `given` tells whether the file says so too, of masters and of slaves.
fn count_hosts(spec: &mut ClusterSpec, given: [bool; 2], flags: &SpecArgs) -> Result<(), CliError> {
    if spec.of_hosts().is_none() {
        return Ok(());
    }
    let counts = [
        (Role::Master, "masters", flags.masters, &mut spec.masters),
        (Role::Slave, "slaves", flags.slaves, &mut spec.slaves),
    ];
    for ((role, name, flag, count), given) in counts.into_iter().zip(given) {
        let listed = spec.hosts.nodes.iter().filter(|host| host.role == role).count();
        let listed = u16::try_from(listed).unwrap_or(u16::MAX);
        if (flag.is_some() || given) && *count != listed {
            let said = match flag {
                Some(flag) => format!("`--{name} {flag}`"),
                None => format!("`{name} = {count}`"),
            };
            return Err(CliError::usage(format!(
                "{said} contradicts `hosts.nodes`, which lists {listed} of role {role}"
            ))
            .hint(format!(
                "leave `{name}` out: the list says how many there are; or change the list"
            )));
        }
        *count = listed;
    }
    Ok(())
}

/// Takes the source from the place that the file gives.
fn infer_source(spec: &mut ClusterSpec) -> bool {
    let mesos = &mut spec.mesos;
    match by_place(
        mesos.url.is_some(),
        mesos.repository.is_some() || mesos.branch.is_some(),
    ) {
        Some(source) => mesos.source = source,
        None => return false,
    }
    true
}

/// The way that a given place means; none where no place is given, or one of each kind.
const fn by_place(tarball: bool, git: bool) -> Option<MesosSource> {
    match (tarball, git) {
        (true, false) => Some(MesosSource::Tarball),
        (false, true) => Some(MesosSource::Git),
        _ => None,
    }
}

/// What is used where nothing says where Mesos comes from. The demo's stand-in is for local clusters alone. Hosts are looked into
/// before a run begins; an image cannot be, and what is made from it costs money.
fn default_mesos(spec: &mut ClusterSpec, around: &Surroundings) -> Option<CliError> {
    let tarball = match (&around.tarball, spec.provider.is_here()) {
        (Some(Tarball::Named(path)), _) | (Some(Tarball::StandIn(path)), true) => Some(path),
        _ => None,
    };
    if let Some(tarball) = tarball {
        spec.mesos.source = MesosSource::Tarball;
        spec.mesos.url = Some(tarball.to_string_lossy().into_owned());
        return None;
    }
    let named =
        "name a build: `--mesos-url TARBALL`, or `source` and `url` under `[mesos]` in mesosflow.toml";
    match spec.provider {
        ProviderKind::Hosts => None,
        ProviderKind::Local if spec.local.image.is_some() => None,
        ProviderKind::Local => Some(
            CliError::usage("nothing says where Mesos comes from, and the image has none")
                .hint(named)
                .hint("or try it without: `make standin` in mesosflow's source builds a stand-in that schedules nothing"),
        ),
        ProviderKind::Ec2 => {
            let refused = CliError::usage(
                "nothing says where Mesos comes from, and no image can be looked into before its machines are paid for",
            );
            Some(refused.hint(named).hint(
                "or, where the image of --ami has it under /root/mesos, say so: `--mesos-source none`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(folder: &Path) -> Surroundings {
        Surroundings {
            cwd: folder.to_owned(),
            tarball: None,
        }
    }

    fn none() -> SpecArgs {
        SpecArgs {
            mesos: MesosArgs {
                source: Some(MesosSource::None),
                ..MesosArgs::default()
            },
            ..SpecArgs::default()
        }
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mesosflow.toml"), "masters = 5\nslaves = 4\n").unwrap();
        let flags = SpecArgs {
            slaves: Some(7),
            ..none()
        };
        let spec = configure(None, &flags, &around(folder.path())).unwrap().spec;
        assert_eq!((spec.masters, spec.slaves, spec.cluster.as_str()), (5, 7, "demo"));
    }

    #[test]
    fn paths_of_the_file_start_at_its_folder_and_paths_of_flags_at_the_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf");
        for dir in ["conf/deploy", "deploy"] {
            std::fs::create_dir_all(folder.path().join(dir)).unwrap();
        }
        for file in ["conf/m.tgz", "m.tgz"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let file = conf.join("c.toml");
        std::fs::write(&file, "deploy_dir = 'deploy'\n[mesos]\nurl = 'm.tgz'\n").unwrap();
        let spec = configure(Some(&file), &SpecArgs::default(), &around(folder.path()))
            .unwrap()
            .spec;
        assert_eq!(spec.deploy_dir.as_deref(), Some(&*conf.join("deploy")));
        assert_eq!(spec.mesos.url.as_deref(), conf.join("m.tgz").to_str());
        assert_eq!(
            spec.mesos.source,
            MesosSource::Tarball,
            "a tarball is named, so one is meant"
        );
        let flags = SpecArgs {
            deploy_dir: Some("deploy".into()),
            mesos: MesosArgs {
                url: Some("m.tgz".into()),
                ..MesosArgs::default()
            },
            ..SpecArgs::default()
        };
        let spec = configure(Some(&file), &flags, &around(folder.path()))
            .unwrap()
            .spec;
        assert_eq!(spec.deploy_dir.as_deref(), Some(&*folder.path().join("deploy")));
        assert_eq!(spec.mesos.url.as_deref(), folder.path().join("m.tgz").to_str());
        assert_eq!(resolve_url("https://a/b.tgz", folder.path()), "https://a/b.tgz");
    }

    #[test]
    fn without_any_mesos_the_machines_tarball_is_used_and_without_that_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = configure(None, &SpecArgs::default(), &around(folder.path())).unwrap();
        assert!(refused.without_mesos.unwrap().hints[1].contains("make standin"));
        let tarball = folder.path().join("t.tar.gz");
        std::fs::write(&tarball, "").unwrap();
        let with = |tarball| Surroundings {
            tarball: Some(tarball),
            ..around(folder.path())
        };
        let around = with(Tarball::StandIn(tarball.clone()));
        let given = configure(None, &SpecArgs::default(), &around).unwrap();
        assert!(given.without_mesos.is_none());
        assert_eq!(given.spec.mesos.source, MesosSource::Tarball);
        assert_eq!(given.spec.mesos.url.as_deref(), tarball.to_str());
        assert!(
            given.warnings[0].contains("stand-in is taken"),
            "{:?}",
            given.warnings
        );
        let chosen = configure(None, &none(), &around).unwrap();
        assert_eq!(
            chosen.spec.mesos.source,
            MesosSource::None,
            "a choice of `none` is a choice"
        );
        assert_eq!(chosen.warnings, Vec::<String>::new());

        // The demo's is for local clusters alone; a tarball that the environment names is named.
        let mut ec2 = SpecArgs {
            provider: Some(ProviderKind::Ec2),
            ..SpecArgs::default()
        };
        ec2.ec2.admin_cidr = vec!["203.0.113.7/32".parse().unwrap()];
        ec2.ec2.ami = Some("ami-0123456789abcdef0".into());
        let refused = configure(None, &ec2, &around).unwrap();
        assert_eq!(refused.spec.mesos.source, MesosSource::None);
        let error = refused.without_mesos.unwrap();
        assert!(error.hints[1].contains("--mesos-source none"), "{error:?}");
        let named = configure(None, &ec2, &with(Tarball::Named(tarball.clone()))).unwrap();
        assert!(named.without_mesos.is_none());
        assert_eq!(named.spec.mesos.url.as_deref(), tarball.to_str());
        let chosen = SpecArgs {
            mesos: MesosArgs {
                source: Some(MesosSource::None),
                ..MesosArgs::default()
            },
            ..ec2
        };
        assert!(configure(None, &chosen, &around).unwrap().without_mesos.is_none());
    }

    #[test]
    fn a_place_to_get_mesos_from_says_which_way_is_meant() {
        assert_eq!(by_place(true, false), Some(MesosSource::Tarball));
        assert_eq!(by_place(false, true), Some(MesosSource::Git));
        assert_eq!((by_place(true, true), by_place(false, false)), (None, None));
        let folder = tempfile::tempdir().unwrap();
        let flags = SpecArgs {
            mesos: MesosArgs {
                branch: Some("1.11.0".into()),
                ..MesosArgs::default()
            },
            ..SpecArgs::default()
        };
        let error = configure(None, &flags, &around(folder.path())).unwrap_err();
        assert!(
            error.message.starts_with("`mesos.repository` is missing"),
            "{error:?}"
        );
    }

    #[test]
    fn another_mesos_has_nothing_of_what_belonged_to_the_one_of_before() {
        let now = MesosSpec {
            source: MesosSource::Tarball,
            url: Some("/old.tgz".into()),
            sha256: Some("ab".into()),
            agent_flags: vec!["--x".into()],
            ..MesosSpec::default()
        };
        let folder = Path::new("/here");
        let url = MesosArgs {
            url: Some("new.tgz".into()),
            ..MesosArgs::default()
        };
        let other = another_mesos(&now, &url, folder);
        assert_eq!(
            (other.url.as_deref(), other.sha256),
            (Some("/here/new.tgz"), None)
        );
        assert_eq!(other.agent_flags, now.agent_flags);
        let git = MesosArgs {
            branch: Some("1.11.0".into()),
            repository: Some("https://example.org/mesos".into()),
            ..MesosArgs::default()
        };
        let other = another_mesos(&now, &git, folder);
        assert_eq!((other.source, other.url), (MesosSource::Git, None));
        assert_eq!(another_mesos(&now, &MesosArgs::default(), folder), now);
    }

    #[test]
    fn a_spec_that_cannot_work_is_refused_with_its_hint() {
        let folder = tempfile::tempdir().unwrap();
        let flags = SpecArgs {
            slaves: Some(0),
            ..none()
        };
        let error = configure(None, &flags, &around(folder.path())).unwrap_err();
        assert!(error.message.starts_with("`slaves` is 0"), "{error:?}");
        assert_eq!((error.exit.code(), error.hints.len()), (2, 1));
    }
}
