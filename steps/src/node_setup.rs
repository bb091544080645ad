//! What every node gets before any daemon: disks, folders, ports of their own, swap, a firewall. Shared by `setup-master` and `setup-nodes`.

use std::time::Duration;

use serde::Serialize;

use crate::act::ActError;
use crate::aside;
use crate::claim;
use crate::cluster::{DisksSpec, Node, Role, input, ports};
use crate::disks::{DiskError, DiskPlan, LOOK, VOLUME_MOUNT};
use crate::firewall::{self, Firewall};
use crate::mounts::{IS_MOUNTED, ON_DISK};
use crate::on_node::KEPT_PORTS;
use crate::packages;
use crate::service::IS_LOADED;
use crate::templates::mount_points;
use crate::world::{Script, World};

/// Making a file system on a terabyte takes seconds; writing a swap file, a minute a gigabyte on slow disks.
const SETUP_LIMIT: Duration = Duration::from_secs(600);

/// How long disks may take to appear: a volume that is being attached needs seconds, EC2 on a bad day a minute.
const APPEAR_LIMIT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Options of ephemeral disks and of the volume, from the predecessor; `nofail` because a node must boot without them.
pub(crate) const EPHEMERAL_OPTIONS: &str = "noatime,nodiratime,nofail";
pub(crate) const VOLUME_OPTIONS: &str = "allocsize=8m,nofail";

/// Where Hadoop and Mesos keep their things.
pub(crate) const FOLDERS: &str = "/mnt/ephemeral-hdfs /vol/persistent-hdfs /mnt/hadoop/mrlocal /mnt/hadoop/mrlocal2 \
                       /mnt/hadoop/tmp /mnt/hadoop-logs /mnt/mesos-logs /mnt/mesos-work";

/// The shared folder. A slave's is `nfs-mount`'s: what is mounted there may be a machine that is gone, and whoever looks at that waits.
const SHARED_FOLDER: &str = "/mnt/nfs";

/// The next boot mounts this very disk, too: an image's `/etc/fstab` may name another there.
const DISK_READY: &str = r#"is_mounted || exit 1
uuid=$(blkid --probe --match-tag UUID --output value -- "$device") || exit 1
grep --quiet --fixed-strings --line-regexp -- "UUID=$uuid $mount $type $options 0 0" /etc/fstab || exit 1"#;

pub(crate) const DISK_MAKE: &str = shell!("disk-make.sh");

/// `/vol` must be the volume before anything is put there: a folder on the root disk in its place would be lost.
const FOLDERS_READY: &str = r#"[ -z "$device" ] || is_mounted || exit 1
for folder in $folders; do [ -d "$folder" ] || exit 1; done
[ "$(readlink /nfs)" = /mnt/nfs ] || exit 1"#;
const FOLDERS_MAKE: &str = shell!("folders-make.sh");

const PORTS_READY: &str = shell!("ports-ready.sh");
pub(crate) const PORTS_KEEP: &str = shell!("ports-keep.sh");

const SWAP_READY: &str = r#"[ "$(swapon --show=NAME,SIZE --bytes --noheadings | awk '$1 == "/mnt/swap" { print int(($2 + 4096) / 1048576) }')" = "$megabytes" ] || exit 1
grep --quiet '^/mnt/swap ' /etc/fstab || exit 1"#;
pub(crate) const SWAP_MAKE: &str = shell!("swap-make.sh");
const SWAP_GONE: &str = "[ ! -e /mnt/swap ] || ! is_ours /mnt/swap || exit 1";
const SWAP_DROP: &str = shell!("swap-drop.sh");

const HAS_NFT: &str = "command -v nft >/dev/null || exit 1";
const HAS_TABLES: &str = "nft list tables >/dev/null 2>&1 || exit 1";
const WAY_OUT: &str =
    "or destroy, and run with `hosts.firewall = \"none\"` and a firewall of your own in its place";

/// What a node has to have.
#[derive(Debug, Clone, Serialize)]
pub struct NodeSetup {
    /// The node.
    #[serde(serialize_with = "input::node")]
    pub node: Node,
    /// Its further disks.
    pub disks: DiskPlan,
    /// Swap, MiB; 0 for none.
    pub swap_mb: u32,
    /// What keeps strangers from its ports, where it is mesosflow's to do that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
}

/// One thing that the node has to have: how to see that it has it, and how to give it.
struct Part<'a> {
    title: String,
    ready: &'a str,
    make: &'a str,
    variables: Vec<(&'a str, String)>,
}

impl Part<'_> {
    fn script<'s>(&'s self, title: &'s str, body: &'s str) -> Script<'s> {
        let script = Script::new(title, body)
            .before(IS_MOUNTED)
            .before(IS_LOADED)
            .before(ON_DISK)
            .before(aside::FUNCTIONS)
            .within(SETUP_LIMIT);
        self.variables
            .iter()
            .fold(script, |script, (name, value)| script.var(name, value))
    }
}

impl NodeSetup {
    fn parts(&self, disks: &DisksSpec) -> Vec<Part<'static>> {
        let mut parts = Vec::new();
        let disk = |device: &str, mount: &str, kind: &str, options: &str, quiet: &str| Part {
            title: format!("disk {device} on {mount}"),
            ready: DISK_READY,
            make: DISK_MAKE,
            variables: vec![
                ("device", device.to_owned()),
                ("mount", mount.to_owned()),
                ("type", kind.to_owned()),
                ("options", options.to_owned()),
                ("quiet", quiet.to_owned()),
            ],
        };
        for (device, mount) in disks.ephemeral.iter().zip(mount_points(disks.ephemeral.len())) {
            parts.push(disk(device, &mount, "ext4", EPHEMERAL_OPTIONS, "-q"));
        }
        if let Some(device) = &disks.volume {
            parts.push(disk(device, VOLUME_MOUNT, "xfs", VOLUME_OPTIONS, "-q"));
        }
        let folders = match self.node.role {
            Role::Slave => FOLDERS.to_owned(),
            Role::Master | Role::Zookeeper => format!("{FOLDERS} {SHARED_FOLDER}"),
        };
        parts.push(Part {
            title: "folders of Hadoop and Mesos".into(),
            ready: FOLDERS_READY,
            make: FOLDERS_MAKE,
            variables: vec![
                ("folders", folders),
                ("device", disks.volume.clone().unwrap_or_default()),
                ("mount", VOLUME_MOUNT.to_owned()),
            ],
        });
        let ports: Vec<_> = ports::of(self.node.role).iter().map(u16::to_string).collect();
        parts.push(Part {
            title: "ports that are kept for the daemons".into(),
            ready: PORTS_READY,
            make: PORTS_KEEP,
            variables: vec![("ports", ports.join(" ")), ("kept", KEPT_PORTS.to_owned())],
        });
        parts.push(match self.swap_mb {
            0 => Part {
                title: "swap that is none".into(),
                ready: SWAP_GONE,
                make: SWAP_DROP,
                variables: Vec::new(),
            },
            megabytes => Part {
                title: format!("{megabytes} MiB of swap"),
                ready: SWAP_READY,
                make: SWAP_MAKE,
                variables: vec![("megabytes", megabytes.to_string())],
            },
        });
        if let Some(firewall) = &self.firewall {
            parts.push(Part {
                title: "the firewall".into(),
                ready: firewall::READY,
                make: firewall::MAKE,
                variables: firewall.variables(self.node.role),
            });
        }
        parts
    }

    /// The devices, by their present names.
    async fn look_for_disks(&self, world: &World) -> Result<Result<DisksSpec, DiskError>, ActError> {
        match &self.disks {
            DiskPlan::Named(named) => Ok(Ok(named.clone())),
            DiskPlan::Find(wanted) => {
                let seen = world
                    .run(&self.node, Script::new("look at the disks", LOOK))
                    .await?;
                Ok(wanted.find_in(&seen.stdout_str()))
            }
        }
    }

    /// The same, once all of them are there.
    async fn await_disks(&self, world: &World) -> Result<DisksSpec, ActError> {
        let give_up = tokio::time::Instant::now() + APPEAR_LIMIT;
        loop {
            match self.look_for_disks(world).await? {
                Ok(disks) => return Ok(disks),
                Err(error) if error.may_pass() && tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error.on(&self.node)),
            }
        }
    }

    async fn has(&self, world: &World, part: &Part<'_>) -> Result<bool, ActError> {
        let title = format!("look for {}", part.title);
        Ok(world.ask(&self.node, part.script(&title, part.ready)).await?)
    }

    /// Whether the node has everything.
    ///
    /// # Errors
    /// The node cannot be reached, or its disks are not to be told apart.
    pub async fn is_done(&self, world: &World) -> Result<bool, ActError> {
        let disks = match self.look_for_disks(world).await? {
            Ok(disks) => disks,
            Err(error) if error.may_pass() => return Ok(false),
            Err(error) => return Err(error.on(&self.node)),
        };
        for part in self.parts(&disks) {
            if !self.has(world, &part).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the node what it lacks, one thing after the other, as soon as its disks are there.
    ///
    /// # Errors
    /// The node cannot be reached, a device is missing or holds something else, or a command fails.
    pub async fn make(&self, world: &World) -> Result<(), ActError> {
        if self.firewall.is_some() {
            require_nft(world, &self.node).await?;
        }
        for part in self.parts(&self.await_disks(world).await?) {
            if !self.has(world, &part).await? {
                let title = format!("make {}", part.title);
                world.run(&self.node, part.script(&title, part.make)).await?;
            }
        }
        Ok(claim::tell(world, &self.node).await?)
    }

    /// Refuses unless the node has everything.
    ///
    /// # Errors
    /// Something is missing.
    pub async fn verify(&self, world: &World) -> Result<(), ActError> {
        if self.is_done(world).await? {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} lacks a disk, a folder, its ports, its swap or its firewall after its set-up",
            self.node.name
        )))
    }
}

/// Installs nftables where it is missing, and sees that the kernel has what it needs.
///
/// # Errors
/// The node cannot be reached, or has no such program after all, or no such kernel.
async fn require_nft(world: &World, node: &Node) -> Result<(), ActError> {
    let name = &node.name;
    let has = || world.ask(node, Script::new("look for nft", HAS_NFT));
    if !has().await? {
        let failed = packages::install(world, node, &["nftables".to_owned()]).await;
        if !has().await? {
            let why = failed
                .err()
                .map_or_else(String::new, |error| format!(": {error}"));
            let error = ActError::wrong(format!("{name} has no nft{why}"));
            return Err(error.hinted(format!(
                "install the package nftables there and resume, {WAY_OUT}"
            )));
        }
    }
    if world
        .ask(node, Script::new("look at its tables", HAS_TABLES))
        .await?
    {
        return Ok(());
    }
    let error = ActError::wrong(format!(
        "the kernel of {name} has no nf_tables, or lends them to nobody"
    ));
    Err(error.hinted(format!("boot a kernel that has them and resume, {WAY_OUT}")))
}

#[cfg(test)]
mod tests;
