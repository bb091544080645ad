//! What every node gets before any daemon: disks, folders, swap. Shared by `setup-master` and `setup-nodes`.

use std::time::Duration;

use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{DisksSpec, Node};
use crate::templates::mount_points;
use crate::world::{Script, World};

/// Making a file system on a terabyte takes seconds; writing a swap file, a minute a gigabyte on slow disks.
const SETUP_LIMIT: Duration = Duration::from_secs(600);

/// Options of ephemeral disks and of the volume, from the predecessor; `nofail` because a node must boot without them.
const EPHEMERAL_OPTIONS: &str = "noatime,nodiratime,nofail";
const VOLUME_OPTIONS: &str = "allocsize=8m,nofail";

/// Where Hadoop and Mesos keep their things.
const FOLDERS: &str = "/mnt/ephemeral-hdfs /vol/persistent-hdfs /mnt/hadoop/mrlocal /mnt/hadoop/mrlocal2 \
                       /mnt/hadoop/tmp /mnt/hadoop-logs /mnt/mesos-logs /mnt/mesos-work /mnt/nfs";

/// Whether `$device` is what is seen at `$mount`: several things may be mounted there, the last one counts.
const IS_MOUNTED: &str = r#"number() { stat --dereference --format '%t:%T' -- "$1" 2>/dev/null; }
is_mounted() {
  top=$(findmnt --noheadings --output SOURCE --mountpoint "$mount" | tail -n 1)
  [ -n "$top" ] && [ -b "$top" ] && [ "$(number "$device")" = "$(number "$top")" ]
}
"#;
const DISK_READY: &str = r#"is_mounted || exit 1
grep --quiet -- " $mount $type $options" /etc/fstab || exit 1"#;

/// Formats only what is blank: no file system, no partition table, no other signature, as far as libblkid knows any.
const DISK_MAKE: &str = r#"[ -b "$device" ] || { echo "there is no block device $device" >&2; exit 3; }
found=$(blkid --probe --match-tag TYPE --output value -- "$device") || found=
if [ -z "$found" ]; then
  signatures=$(wipefs --noheadings -- "$device")
  [ -z "$signatures" ] || { echo "$device is neither blank nor a file system: $signatures" >&2; exit 4; }
  "mkfs.$type" $quiet -- "$device" >&2
  found=$type
fi
[ "$found" = "$type" ] || { echo "$device holds $found, where $type was expected" >&2; exit 4; }
uuid=$(blkid --probe --match-tag UUID --output value -- "$device")
mkdir -p -- "$mount"
{ grep --invert-match -- " $mount " /etc/fstab || true; echo "UUID=$uuid $mount $type $options 0 0"; } > /etc/fstab.mesosflow
mv /etc/fstab.mesosflow /etc/fstab
is_mounted || mount -t "$type" -o "$options" -- "$device" "$mount""#;

/// `/vol` must be the volume before anything is put there: a folder on the root disk in its place would be lost.
const FOLDERS_READY: &str = r#"[ -z "$device" ] || is_mounted || exit 1
for folder in $folders; do [ -d "$folder" ] || exit 1; done
[ "$(readlink /nfs)" = /mnt/nfs ] || exit 1"#;
const FOLDERS_MAKE: &str = r#"[ -z "$device" ] || is_mounted || { echo "$device is not mounted on $mount" >&2; exit 4; }
mkdir -p -- $folders
[ ! -e /nfs ] || [ -L /nfs ] || { echo "/nfs is there, and is no link" >&2; exit 4; }
ln -sfn /mnt/nfs /nfs"#;

const SWAP_READY: &str = r#"[ "$(swapon --show=NAME,SIZE --bytes --noheadings | awk '$1 == "/mnt/swap" { print int(($2 + 4096) / 1048576) }')" = "$megabytes" ] || exit 1
grep --quiet '^/mnt/swap ' /etc/fstab || exit 1"#;
const SWAP_MAKE: &str = r#"if swapon --show=NAME --noheadings | grep --quiet --line-regexp /mnt/swap; then swapoff /mnt/swap; fi
rm -f /mnt/swap
(umask 077; dd if=/dev/zero of=/mnt/swap.new bs=1M count="$megabytes" status=none)
mkswap /mnt/swap.new >/dev/null
mv /mnt/swap.new /mnt/swap
swapon /mnt/swap
grep --quiet '^/mnt/swap ' /etc/fstab || echo '/mnt/swap none swap sw,nofail 0 0' >> /etc/fstab"#;

/// What a node has to have.
#[derive(Debug, Clone, Serialize)]
pub struct NodeSetup {
    /// The node.
    pub node: Node,
    /// Its further disks.
    pub disks: DisksSpec,
    /// Swap, MiB; 0 for none.
    pub swap_mb: u32,
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
        let script = Script::new(title, body).before(IS_MOUNTED).within(SETUP_LIMIT);
        self.variables
            .iter()
            .fold(script, |script, (name, value)| script.var(name, value))
    }
}

impl NodeSetup {
    fn parts(&self) -> Vec<Part<'static>> {
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
        for (device, mount) in self
            .disks
            .ephemeral
            .iter()
            .zip(mount_points(self.disks.ephemeral.len()))
        {
            parts.push(disk(device, &mount, "ext4", EPHEMERAL_OPTIONS, "-q"));
        }
        if let Some(device) = &self.disks.volume {
            parts.push(disk(device, "/vol", "xfs", VOLUME_OPTIONS, "-q"));
        }
        parts.push(Part {
            title: "folders of Hadoop and Mesos".into(),
            ready: FOLDERS_READY,
            make: FOLDERS_MAKE,
            variables: vec![
                ("folders", FOLDERS.to_owned()),
                ("device", self.disks.volume.clone().unwrap_or_default()),
                ("mount", "/vol".to_owned()),
            ],
        });
        if self.swap_mb > 0 {
            parts.push(Part {
                title: format!("{} MiB of swap", self.swap_mb),
                ready: SWAP_READY,
                make: SWAP_MAKE,
                variables: vec![("megabytes", self.swap_mb.to_string())],
            });
        }
        parts
    }

    /// Whether the node has everything.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn is_done(&self, world: &World) -> Result<bool, ActError> {
        for part in self.parts() {
            let title = format!("look for {}", part.title);
            if !world.ask(&self.node, part.script(&title, part.ready)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the node what it lacks, one thing after the other.
    ///
    /// # Errors
    /// The node cannot be reached, a device is missing or holds something else, or a command fails.
    pub async fn make(&self, world: &World) -> Result<(), ActError> {
        for part in self.parts() {
            let title = format!("look for {}", part.title);
            if !world.ask(&self.node, part.script(&title, part.ready)).await? {
                let title = format!("make {}", part.title);
                world.run(&self.node, part.script(&title, part.make)).await?;
            }
        }
        Ok(())
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
            "{} lacks a disk, a folder or its swap after its set-up",
            self.node.name
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::cluster::LocalSpec;
    use crate::provider::local::engine::Engine;
    use crate::provider::local::image::image_name;

    /// A container of the node image with real block devices in it: loop devices over files of its own.
    struct Machine {
        engine: Vec<String>,
        name: String,
    }

    impl Machine {
        async fn start() -> Self {
            let engine = Engine::find(&LocalSpec::default()).await.unwrap();
            let name = format!("mesosflow-disks-{}", std::process::id());
            let line: Vec<_> = engine.command_line().into_iter().map(str::to_owned).collect();
            let machine = Self { engine: line, name };
            let mut args = vec!["run", "--detach", "--rm", "--privileged", "--name", &machine.name];
            args.extend(
                engine
                    .run_args()
                    .iter()
                    .map(String::as_str)
                    .filter(|arg| arg.starts_with("--ulimit")),
            );
            // It ends by itself should this process not come to remove it.
            let image = image_name();
            args.extend([image.as_str(), "sleep", "600"]);
            machine
                .call(&args)
                .expect("the node image is built by `make image`");
            machine
        }

        fn call(&self, args: &[&str]) -> Result<String, (Option<i32>, String)> {
            let output = Command::new(&self.engine[0])
                .args(&self.engine[1..])
                .args(args)
                .output()
                .unwrap();
            match output.status.success() {
                true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
                false => Err((
                    output.status.code(),
                    String::from_utf8_lossy(&output.stderr).into_owned(),
                )),
            }
        }

        fn sh(&self, script: &str) -> Result<String, (Option<i32>, String)> {
            self.call(&["exec", &self.name, "sh", "-c", script])
        }

        /// A blank disk. Detached as soon as nothing holds it, so that no test leaves one behind.
        fn disk(&self, name: &str) -> String {
            let script = format!("truncate -s 320M /mnt/{name} && losetup --find --show /mnt/{name}");
            self.sh(&script).unwrap()
        }

        fn part(&self, part: &Part<'_>, body: &str) -> Result<String, (Option<i32>, String)> {
            self.sh(&part.script("part", body).text().unwrap())
        }

        fn is_ready(&self, part: &Part<'_>) -> bool {
            self.part(part, part.ready).is_ok()
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = self.sh("umount -a -t ext4,xfs; losetup --list --noheadings --output NAME,BACK-FILE | grep ' /mnt/' | cut -d ' ' -f 1 | xargs -r losetup --detach");
            let _ = self.call(&["rm", "--force", "--volumes", "--time", "0", &self.name]);
        }
    }

    fn setup(disks: DisksSpec) -> NodeSetup {
        let node = serde_json::json!({
            "id": "x", "name": "x", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
        });
        NodeSetup {
            node: serde_json::from_value(node).unwrap(),
            disks,
            swap_mb: 0,
        }
    }

    #[tokio::test]
    async fn blank_disks_are_formatted_once_and_nothing_else_ever() {
        let machine = Machine::start().await;
        let (ephemeral, volume) = (machine.disk("ephemeral"), machine.disk("volume"));
        // On mount points of the test's own: the devices' files lie under /mnt.
        let disks = DisksSpec {
            ephemeral: vec![ephemeral.clone()],
            volume: Some(volume.clone()),
        };
        let mut parts = setup(disks).parts();
        parts[0]
            .variables
            .iter_mut()
            .filter(|(name, _)| *name == "mount")
            .for_each(|(_, value)| *value = "/data".into());
        let [disk, vol, folders] = &parts[..] else {
            panic!("two disks and the folders")
        };

        // The folders wait for the volume: on the root disk in its place they would be lost.
        let refused = machine.part(folders, folders.make).unwrap_err();
        assert!(
            refused.1.contains(&format!("{volume} is not mounted on /vol")),
            "{refused:?}"
        );
        for part in [disk, vol] {
            assert!(
                !machine.is_ready(part),
                "{} is ready before it was made",
                part.title
            );
            machine.part(part, part.make).unwrap();
            assert!(
                machine.is_ready(part),
                "{} is not ready after it was made",
                part.title
            );
        }
        machine.part(folders, folders.make).unwrap();
        assert!(machine.is_ready(folders));
        let types = machine
            .sh("findmnt -n -o FSTYPE /data; findmnt -n -o FSTYPE --mountpoint /vol | tail -n 1")
            .unwrap();
        assert_eq!(types, "ext4\nxfs");
        let fstab = machine.sh("cat /etc/fstab").unwrap();
        assert!(
            fstab.contains(" /data ext4 noatime,nodiratime,nofail 0 0"),
            "{fstab}"
        );
        assert!(fstab.contains(" /vol xfs allocsize=8m,nofail 0 0"), "{fstab}");

        // As after a reboot in the middle: formatted, with data, not mounted. It is mounted, not formatted.
        machine
            .sh("echo kept > /data/file; echo kept > /vol/file; umount /data /vol")
            .unwrap();
        for part in [disk, vol] {
            assert!(!machine.is_ready(part));
            machine.part(part, part.make).unwrap();
            assert!(machine.is_ready(part));
        }
        assert_eq!(machine.sh("cat /data/file /vol/file").unwrap(), "kept\nkept");

        // Somebody's partition table, and somebody's file system of another type: refused, and unchanged.
        let table = r"printf '\125\252' | dd status=none bs=1 seek=510 conv=notrunc of=";
        for (name, content) in [
            ("table", table),
            ("other", "mkfs.ext4 -q "),
            ("swap", "mkswap -q "),
        ] {
            let device = machine.disk(name);
            machine.sh(&format!("{content}{device}")).unwrap();
            let before = machine.sh(&format!("sha256sum /mnt/{name}")).unwrap();
            let disks = DisksSpec {
                ephemeral: Vec::new(),
                volume: Some(device),
            };
            let part = &setup(disks).parts()[0];
            let refused = machine.part(part, part.make).unwrap_err();
            assert_eq!(refused.0, Some(4), "{refused:?}");
            assert_eq!(machine.sh(&format!("sha256sum /mnt/{name}")).unwrap(), before);
        }

        // No such device: said, and nothing made.
        let disks = DisksSpec {
            ephemeral: vec!["/dev/nosuch".into()],
            volume: None,
        };
        let refused = machine
            .part(&setup(disks.clone()).parts()[0], DISK_MAKE)
            .unwrap_err();
        assert!(
            refused.1.contains("there is no block device /dev/nosuch"),
            "{refused:?}"
        );
    }
}
