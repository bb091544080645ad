//! How large the root disk of a machine on EC2 is, where nobody says: as large as what it has to hold.

use super::{ClusterSpec, MesosSource, Role, SpecError};

/// The system with what is installed: 5 GiB on a stock image, with Hadoop, Spark, Java and Mesos; and room to work, GiB.
const SYSTEM_GB: u32 = 20;
/// `/mnt` where no instance store is mounted there: the ephemeral HDFS, sandboxes, what MapReduce puts aside, logs. As small as
/// it can be of use.
const LOCAL_GB: u32 = 30;
/// `/vol` beside an instance store, where no volume is mounted there: the persistent HDFS.
const PERSISTENT_GB: u32 = 10;
/// A build of Mesos from git, with its sources, its objects and what is installed of it (an estimate for 1.11: its objects alone
/// take about 10).
const BUILD_GB: u32 = 30;
/// Less than this does not hold the system and its logs, GiB.
pub const LEAST_ROOT_GB: u32 = 16;

impl ClusterSpec {
    /// Size of the root disk of a role's machines, GiB, as far as the image does not ask for more.
    pub fn root_gb(&self, role: Role, has_instance_store: bool) -> u32 {
        if let Some(named) = self.ec2.root_volume_gb {
            return named;
        }
        let mut size = SYSTEM_GB;
        if !has_instance_store {
            size += LOCAL_GB + self.swap_mb.div_ceil(1024);
        } else if role != Role::Zookeeper && self.ec2.volume_gb(role) == 0 {
            size += PERSISTENT_GB;
        }
        if role == Role::Master && self.mesos.source == MesosSource::Git {
            size += BUILD_GB;
        }
        size
    }

    pub(super) fn validate_root_disk(&self) -> Result<(), SpecError> {
        let wrong = |field, problem, hint: &str| {
            Err(SpecError {
                field,
                problem,
                hint: hint.to_owned(),
            })
        };
        if let Some(size) = self.ec2.root_volume_gb.filter(|size| *size < LEAST_ROOT_GB) {
            return wrong(
                "ec2.root_volume_gb",
                format!(
                    "is {size}: the system, Hadoop, Mesos and their logs need {LEAST_ROOT_GB} GiB at the least"
                ),
                "leave it out for what the machines have to hold, or give more",
            );
        }
        let encrypts = self.ec2.root_encrypted || (self.ec2.volume.size_gb > 0 && self.ec2.volume.encrypted);
        match &self.ec2.kms_key {
            Some(key) if key.is_empty() || key.contains(char::is_whitespace) => wrong(
                "ec2.kms_key",
                format!("is {key:?}, which is no key"),
                "give its id, its ARN or an alias such as alias/disks; leave it out for the account's own",
            ),
            Some(_) if !encrypts => wrong(
                "ec2.kms_key",
                "is named, and nothing is encrypted".to_owned(),
                "leave it out, or leave `root_encrypted` as it is by default",
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Ec2Spec;

    fn spec(change: impl FnOnce(&mut ClusterSpec)) -> ClusterSpec {
        let mut spec = ClusterSpec {
            swap_mb: 1024,
            ..ClusterSpec::default()
        };
        spec.ec2.volume.size_gb = 100;
        change(&mut spec);
        spec
    }

    #[test]
    fn a_root_disk_holds_what_is_on_no_other() {
        let roles = [Role::Master, Role::Slave, Role::Zookeeper];
        let sizes = |spec: ClusterSpec, store| roles.map(|role| spec.root_gb(role, store));
        assert_eq!(sizes(spec(|_| ()), false), [51, 51, 51]);
        assert_eq!(sizes(spec(|_| ()), true), [20, 20, 20]);
        assert_eq!(sizes(spec(|spec| spec.swap_mb = 0), false), [50, 50, 50]);
        let without_volume = |spec: &mut ClusterSpec| spec.ec2.volume.size_gb = 0;
        assert_eq!(sizes(spec(without_volume), true), [30, 30, 20]);
        let from_git = |spec: &mut ClusterSpec| spec.mesos.source = MesosSource::Git;
        assert_eq!(sizes(spec(from_git), true), [50, 20, 20]);
        let named = |spec: &mut ClusterSpec| spec.ec2.root_volume_gb = Some(17);
        assert_eq!(sizes(spec(named), false), [17, 17, 17]);
    }

    #[test]
    fn what_is_too_small_or_no_key_is_refused() {
        let refused = |change: fn(&mut Ec2Spec)| {
            let spec = spec(|spec| change(&mut spec.ec2));
            spec.validate_root_disk().err().map(|error| error.field)
        };
        assert_eq!(
            refused(|ec2| ec2.root_volume_gb = Some(15)),
            Some("ec2.root_volume_gb")
        );
        assert_eq!(refused(|ec2| ec2.root_volume_gb = Some(16)), None);
        assert_eq!(refused(|ec2| ec2.kms_key = Some("alias/disks".into())), None);
        assert_eq!(refused(|ec2| ec2.kms_key = Some(" ".into())), Some("ec2.kms_key"));
        let nothing = |ec2: &mut Ec2Spec| {
            ec2.kms_key = Some("alias/disks".into());
            ec2.root_encrypted = false;
            ec2.volume.encrypted = false;
        };
        assert_eq!(refused(nothing), Some("ec2.kms_key"));
    }
}
