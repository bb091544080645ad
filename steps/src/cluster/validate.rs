//! What a spec must be before anything is touched.

use super::{ClusterSpec, ProviderKind};
use crate::on_node::{MOVED_HINT, MOVED_TO_ROLES};

/// The longest name of a cluster, so that a node's name (`<cluster>-zookeeper-3`) stays a host name label (RFC 1123: 63).
pub const MAX_CLUSTER_NAME: usize = 40;
/// The most nodes of one role; far above what one controller was ever asked for.
pub const MAX_NODES: u16 = 1000;
/// The least that a namenode or datanode starts with, MiB.
const MIN_HDFS_HEAP_MB: u32 = 64;
/// The least that a ZooKeeper server starts with, MiB.
const MIN_ZOOKEEPER_HEAP_MB: u32 = 32;

/// What is wrong with a spec, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct SpecError {
    /// The field, as it is called in the config.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

/// A field that cannot work: what is wrong with it, and what to do.
pub(super) fn wrong<T>(field: &'static str, problem: impl Into<String>, hint: &str) -> Result<T, SpecError> {
    Err(SpecError {
        field,
        problem: problem.into(),
        hint: hint.to_owned(),
    })
}

/// Whether it is a SHA-256 in hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl ClusterSpec {
    /// Checks everything that can be known before anything is touched.
    ///
    /// # Errors
    /// The first field that cannot work. On success, what works but should be known.
    pub fn validate(&self) -> Result<Vec<String>, SpecError> {
        if let Err(problem) = check_host_label(&self.cluster, MAX_CLUSTER_NAME) {
            return wrong(
                "cluster",
                problem,
                "choose a name of lower-case letters, digits and inner hyphens, such as `demo`",
            );
        }
        if self.provider == ProviderKind::Hosts && self.hosts.nodes.is_empty() {
            return wrong(
                "hosts.nodes",
                "lists no host",
                "list each machine of yours as a `[[hosts.nodes]]` table, with its role, address and host key",
            );
        }
        if self.masters == 0 {
            return wrong(
                "masters",
                "is 0: a cluster without a master is none",
                "use 1, or 3 to survive the loss of one",
            );
        }
        if self.slaves == 0 {
            return wrong(
                "slaves",
                "is 0: there would be nothing to run tasks or hold blocks",
                "use 1 or more",
            );
        }
        for (field, count) in [("masters", self.masters), ("slaves", self.slaves)] {
            if count > MAX_NODES {
                return wrong(
                    field,
                    format!("is {count}, more than {MAX_NODES}"),
                    "use a smaller cluster",
                );
            }
        }
        self.validate_urls()?;
        self.mesos.validate()?;
        self.validate_software()?;
        let mut warnings = match self.provider {
            ProviderKind::Local if self.swap_mb > 0 => vec![
                "`swap_mb` has no effect on local nodes: their swap is this machine's, which is yours to set up".to_owned(),
            ],
            ProviderKind::Local => Vec::new(),
            ProviderKind::Ec2 => self.validate_ec2()?,
            ProviderKind::Hosts => self.validate_hosts()?,
        };
        if let Some(dir) = &self.deploy_dir {
            if !dir.is_dir() {
                return wrong(
                    "deploy_dir",
                    format!("is not a folder: {}", dir.display()),
                    "name a folder, or leave it out",
                );
            }
            if let Some(path) = MOVED_TO_ROLES.iter().find(|path| dir.join(path).exists()) {
                let problem = format!(
                    "has {path}, which is not of the deployed tree any more: it would have no effect"
                );
                return wrong("deploy_dir", problem, MOVED_HINT);
            }
        }
        for device in self.disks.ephemeral.iter().chain(&self.disks.volume) {
            if !device.starts_with("/dev/") || device.contains(char::is_whitespace) {
                return wrong(
                    "disks",
                    format!("names {device:?}, which is no device"),
                    "use paths such as `/dev/nvme1n1`",
                );
            }
        }
        for (field, heap_mb, least) in [
            ("hdfs.heap_mb", self.hdfs.heap_mb, MIN_HDFS_HEAP_MB),
            ("zookeeper.heap_mb", self.zookeeper.heap_mb, MIN_ZOOKEEPER_HEAP_MB),
        ] {
            if heap_mb < least {
                return wrong(
                    field,
                    format!("is {heap_mb} MiB: no daemon starts with that"),
                    &format!("use {least} or more"),
                );
            }
        }
        if self.spark.history && !self.frameworks.spark {
            return wrong(
                "spark.history",
                "asks for Spark's history server, and `frameworks.spark` is false",
                "leave one of them out",
            );
        }
        if self.masters.is_multiple_of(2) {
            warnings.push(format!(
                "{} masters need {} of them alive and survive the loss of {}; {} would be as safe, {} safer",
                self.masters,
                self.quorum(),
                self.masters - self.quorum(),
                self.masters - 1,
                self.masters + 1
            ));
        }
        if self.ssh.key_on_every_node {
            warnings.push(
                "`ssh.key_on_every_node`: every node gets the key that opens all of them, so that root on one node is root on all"
                    .to_owned(),
            );
        }
        Ok(warnings)
    }
}

/// RFC 1123 host name label, in lower case, of at most `longest` characters.
pub(super) fn check_host_label(name: &str, longest: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".into());
    }
    if name.len() > longest {
        return Err(format!(
            "is {} characters long, more than {longest}",
            name.chars().count()
        ));
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
    {
        return Err(format!("is no host name: {name:?} has {bad:?}"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(format!("is no host name: {name:?} begins or ends with a hyphen"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::MesosSource;

    fn refused(change: impl FnOnce(&mut ClusterSpec)) -> SpecError {
        let mut spec = ClusterSpec::default();
        change(&mut spec);
        spec.validate().unwrap_err()
    }

    #[test]
    fn an_overlay_of_what_the_roles_have_now_is_refused_first() {
        let folder = tempfile::tempdir().unwrap();
        let spec = ClusterSpec {
            deploy_dir: Some(folder.path().to_owned()),
            ..ClusterSpec::default()
        };
        assert!(spec.validate().is_ok());
        let unit = folder.path().join(MOVED_TO_ROLES[1]);
        std::fs::create_dir_all(unit.parent().unwrap()).unwrap();
        std::fs::write(&unit, "").unwrap();
        let refused = spec.validate().unwrap_err();
        assert_eq!(refused.field, "deploy_dir");
        assert!(refused.problem.contains(MOVED_TO_ROLES[1]), "{refused}");
    }

    #[test]
    fn the_default_spec_is_the_demo_of_three_masters_and_two_slaves() {
        let spec = ClusterSpec::default();
        assert_eq!(
            (spec.masters, spec.quorum(), spec.zookeepers(), spec.slaves),
            (3, 2, 3, 2)
        );
        assert_eq!(spec.validate().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_of_its_field() {
        assert_eq!(refused(|s| s.slaves = 0).field, "slaves");
        assert_eq!(refused(|s| s.masters = 0).field, "masters");
        for name in [
            "",
            "a b",
            "x;reboot",
            "-a",
            "a-",
            "Demo",
            &"a".repeat(300),
            "ä",
            "a\nb",
            "$(id)",
        ] {
            assert_eq!(
                refused(|s| s.cluster = name.to_owned()).field,
                "cluster",
                "{name:?}"
            );
        }
        assert_eq!(
            refused(|s| s.mesos.source = MesosSource::Tarball).field,
            "mesos.url"
        );
        assert_eq!(
            refused(|s| s.mesos.sha256 = Some("abc".into())).field,
            "mesos.sha256"
        );
        assert_eq!(
            refused(|s| s.mesos.packages = vec!["a;b".into()]).field,
            "mesos.packages"
        );
    }

    #[test]
    fn the_least_heap_that_is_advised_is_taken_and_less_is_not() {
        type Heap = fn(&mut ClusterSpec) -> &mut u32;
        let heaps: [(&str, Heap); 2] = [
            ("hdfs.heap_mb", |spec| &mut spec.hdfs.heap_mb),
            ("zookeeper.heap_mb", |spec| &mut spec.zookeeper.heap_mb),
        ];
        for (field, heap) in heaps {
            let error = refused(|spec| *heap(spec) = 1);
            assert_eq!(error.field, field);
            assert_eq!(error.problem, "is 1 MiB: no daemon starts with that");
            let least = error
                .hint
                .strip_prefix("use ")
                .and_then(|hint| hint.strip_suffix(" or more"));
            let least: u32 = least.unwrap().parse().unwrap();
            assert_eq!(refused(|spec| *heap(spec) = least - 1).field, field);
            let mut spec = ClusterSpec::default();
            *heap(&mut spec) = least;
            assert!(spec.validate().is_ok());
        }
    }

    #[test]
    fn an_even_number_of_masters_is_warned_about() {
        let spec = ClusterSpec {
            masters: 2,
            ..ClusterSpec::default()
        };
        let warnings = spec.validate().unwrap();
        assert!(
            warnings[0].contains("2 masters need 2 of them alive and survive the loss of 0"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_single_master_needs_no_zookeeper() {
        let spec = ClusterSpec {
            masters: 1,
            ..ClusterSpec::default()
        };
        assert_eq!((spec.quorum(), spec.zookeepers()), (1, 0));
    }
}
