//! The scripts of the set-up on real block devices: loop devices in a container of the node image.

use std::process::Command;

use super::*;
use crate::cluster::LocalSpec;
use crate::disks::{DisksToFind, EbsVolume};
use crate::provider::local::engine::Engine;
use crate::provider::local::image::image_name;

/// A container of the node image with real block devices in it: loop devices over files of its own.
struct Machine {
    engine: Vec<String>,
    name: String,
}

impl Machine {
    async fn start(test: &str) -> Self {
        let engine = Engine::find(&LocalSpec::default()).await.unwrap();
        let name = format!("mesosflow-disks-{test}-{}", std::process::id());
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

    /// A folder in the container that no other container has: `losetup` shows the files of all.
    fn file(&self, name: &str) -> String {
        format!("/var/{}/{name}", self.name)
    }

    /// A disk, blank when it is attached for the first time.
    fn disk(&self, name: &str) -> String {
        let file = self.file(name);
        // A container has the device nodes that were there when it started, and another may take the same device.
        let script = format!(
            r#"mkdir -p "$(dirname {file})" && truncate -s 320M {file}
            for try in 1 2 3 4 5; do
              device=$(losetup --find)
              [ -b "$device" ] || mknod "$device" b 7 "${{device#/dev/loop}}"
              losetup "$device" {file} && echo "$device" && exit
            done
            exit 1"#
        );
        self.sh(&script).unwrap()
    }

    /// A disk that says what it is: lsblk asks the database of udev, of which no daemon is needed.
    fn nitro_disk(&self, name: &str, model: &str, serial: &str) -> String {
        let device = self.disk(name);
        let script = format!(
            r#"mkdir -p /run/udev/data
            number=$(lsblk --nodeps --noheadings --output MAJ:MIN {device} | tr -d ' ')
            printf 'E:ID_MODEL=%s\nE:ID_SERIAL_SHORT=%s\n' '{model}' '{serial}' > "/run/udev/data/b$number""#
        );
        self.sh(&script).unwrap();
        device
    }

    /// Gives all devices back, as a machine that is switched off.
    fn detach_all(&self) {
        let folder = self.file("");
        let script = format!(
            "rm -rf /run/udev/data; losetup --list --noheadings --output NAME,BACK-FILE | grep ' {folder}' | \
             cut -d ' ' -f 1 | xargs -r losetup --detach"
        );
        self.sh(&script).unwrap();
    }

    fn find(&self, plan: &DisksToFind) -> Result<DisksSpec, DiskError> {
        let script = Script::new("look", LOOK).text().unwrap();
        plan.find_in(&self.sh(&script).unwrap())
    }

    fn make(&self, part: &Part<'_>) {
        assert!(!self.is_ready(part), "{} is ready before it was made", part.title);
        self.part(part, part.make).unwrap();
        assert!(
            self.is_ready(part),
            "{} is not ready after it was made",
            part.title
        );
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
        let _ = self.sh("umount -a -t ext4,xfs");
        // Not `detach_all`, which panics where a test may have failed already.
        let folder = self.file("");
        let _ = self.sh(&format!("losetup --list --noheadings --output NAME,BACK-FILE | grep ' {folder}' | cut -d ' ' -f 1 | xargs -r losetup --detach"));
        let _ = self.call(&["rm", "--force", "--volumes", "--time", "0", &self.name]);
    }
}

fn setup(disks: DiskPlan) -> NodeSetup {
    let node = serde_json::json!({
        "id": "x", "name": "x", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
    });
    NodeSetup {
        node: serde_json::from_value(node).unwrap(),
        disks,
        swap_mb: 0,
        firewall: None,
    }
}

/// The parts of a node with these disks.
/// All but the last one: that there is no swap.
fn parts(disks: &DisksSpec) -> Vec<Part<'static>> {
    let mut parts = setup(disks.clone().into()).parts(disks);
    parts.pop();
    parts
}

#[tokio::test]
async fn swap_that_was_made_goes_and_no_other() {
    let machine = Machine::start("swap").await;
    let parts = setup(DiskPlan::default()).parts(&DisksSpec::default());
    let none = parts.last().unwrap();
    machine
        .sh("echo mine > /mnt/swap && echo '/mnt/other none swap sw 0 0' > /etc/fstab")
        .unwrap();
    assert!(machine.is_ready(none), "that is somebody else's");
    let made =
        "rm /mnt/swap; echo x > /mnt/swap.new; lay_claim /mnt/swap.new /mnt/swap; mv /mnt/swap.new /mnt/swap
        echo '/mnt/swap none swap sw,nofail 0 0' >> /etc/fstab";
    machine.part(none, made).unwrap();
    machine.make(none);
    let left = machine.sh("cat /etc/fstab; ls /mnt").unwrap();
    assert_eq!(left.trim(), "/mnt/other none swap sw 0 0");
}

/// Runs of earlier versions recorded this; another text would count as drift.
#[test]
fn a_node_without_further_disks_is_recorded_as_ever() {
    let text = serde_json::to_string(&setup(DiskPlan::default())).unwrap();
    assert!(
        text.ends_with(r#","disks":{"ephemeral":[]},"swap_mb":0}"#),
        "{text}"
    );
}

#[tokio::test]
async fn blank_disks_are_formatted_once_and_nothing_else_ever() {
    let machine = Machine::start("format").await;
    let (ephemeral, volume) = (machine.disk("ephemeral"), machine.disk("volume"));
    // What cloud-init writes for an instance store, and what somebody wrote.
    let written =
        r"printf '/dev/xvdb\t/mnt\tauto\tdefaults,nofail\t0\t2\n# /mnt is a comment\n' > /etc/fstab";
    machine.sh(written).unwrap();
    let parts_of_both = parts(&DisksSpec {
        ephemeral: vec![ephemeral.clone()],
        volume: Some(volume.clone()),
    });
    let [disk, vol, folders, _ports] = &parts_of_both[..] else {
        panic!("two disks and the folders")
    };

    // The folders wait for the volume: on the root disk in its place they would be lost.
    let refused = machine.part(folders, folders.make).unwrap_err();
    assert!(
        refused.1.contains(&format!("{volume} is not mounted on /vol")),
        "{refused:?}"
    );
    machine.make(disk);
    machine.make(vol);
    machine.part(folders, folders.make).unwrap();
    assert!(machine.is_ready(folders));
    let types = machine
        .sh("findmnt -n -o FSTYPE --mountpoint /mnt | tail -n 1; findmnt -n -o FSTYPE --mountpoint /vol | tail -n 1")
        .unwrap();
    assert_eq!(types, "ext4\nxfs");
    let fstab = machine.sh("cat /etc/fstab").unwrap();
    assert!(
        fstab.contains(" /mnt ext4 noatime,nodiratime,nofail 0 0"),
        "{fstab}"
    );
    assert!(fstab.contains(" /vol xfs allocsize=8m,nofail 0 0"), "{fstab}");
    assert!(
        fstab.contains("# before mesosflow: /dev/xvdb\t/mnt\tauto") && fstab.contains("# /mnt is a comment"),
        "{fstab}"
    );

    // As after a reboot in the middle: formatted, with data, not mounted. It is mounted, not formatted.
    machine
        .sh("echo kept > /mnt/file; echo kept > /vol/file; umount /mnt /vol")
        .unwrap();
    machine.make(disk);
    machine.make(vol);
    assert_eq!(machine.sh("cat /mnt/file /vol/file").unwrap(), "kept\nkept");
    machine.sh("umount /mnt /vol").unwrap();
    machine.detach_all();

    // The ext3 that old instance stores come with is used as it is.
    let disks = DisksSpec {
        ephemeral: vec![machine.disk("old")],
        volume: None,
    };
    machine
        .sh(&format!("mkfs.ext3 -q {}", disks.ephemeral[0]))
        .unwrap();
    let identity = || {
        let tags = "blkid --probe --match-tag UUID --match-tag TYPE";
        machine.sh(&format!("{tags} {}", disks.ephemeral[0])).unwrap()
    };
    let before = identity();
    machine.make(&parts(&disks)[0]);
    assert_eq!(identity(), before);
    machine.sh("umount /mnt").unwrap();

    // Somebody's partition table, and somebody's file system of another type: refused, and unchanged.
    let table = r"printf '\125\252' | dd status=none bs=1 seek=510 conv=notrunc of=";
    for (name, content) in [
        ("table", table),
        ("other", "mkfs.ext4 -q "),
        ("swap", "mkswap -q "),
    ] {
        let device = machine.disk(name);
        machine.sh(&format!("{content}{device}")).unwrap();
        let before = machine.sh(&format!("sha256sum {}", machine.file(name))).unwrap();
        let disks = DisksSpec {
            ephemeral: Vec::new(),
            volume: Some(device),
        };
        let part = &parts(&disks)[0];
        let refused = machine.part(part, part.make).unwrap_err();
        assert_eq!(refused.0, Some(4), "{refused:?}");
        assert_eq!(
            machine.sh(&format!("sha256sum {}", machine.file(name))).unwrap(),
            before
        );
    }

    // No such device: said, and nothing made.
    let disks = DisksSpec {
        ephemeral: vec!["/dev/nosuch".into()],
        volume: None,
    };
    let refused = machine.part(&parts(&disks)[0], DISK_MAKE).unwrap_err();
    assert!(
        refused.1.contains("there is no block device /dev/nosuch"),
        "{refused:?}"
    );
}

fn plan() -> DisksToFind {
    let volume = EbsVolume {
        id: "vol-0a1b2c3d4e5f60718".into(),
        device: "/dev/sdv".into(),
    };
    DisksToFind {
        ephemeral: 2,
        nvme: true,
        volume: Some(volume),
    }
}

#[tokio::test]
async fn disks_are_found_by_what_they_are_and_again_under_other_names() {
    let machine = Machine::start("find").await;
    let store = |name: &str, serial: &str| {
        // As some versions of udev write it, and as others do.
        let model = [
            "Amazon EC2 NVMe Instance Storage",
            "Amazon_EC2_NVMe_Instance_Storage",
        ];
        machine.nitro_disk(name, model[serial.len() % 2], serial)
    };
    let volume = |name: &str, serial: &str| machine.nitro_disk(name, "Amazon Elastic Block Store", serial);
    let who = || machine.sh("cat /mnt/who /mnt2/who /vol/who").unwrap();
    let uuids = || {
        machine
            .sh("for at in /mnt /mnt2 /vol; do findmnt --noheadings --output UUID --mountpoint $at | tail -n 1; done")
            .unwrap()
    };

    // The volume is still being attached, and another one is there.
    let (second, first) = (store("second", "AWS22"), store("first", "AWS1"));
    volume("foreign", "vol0123456789abcdef0");
    let waiting = machine.find(&plan()).unwrap_err();
    assert!(waiting.may_pass(), "{waiting}");
    let disks = DisksSpec {
        ephemeral: vec![first, second],
        volume: Some(volume("volume", "vol0a1b2c3d4e5f60718")),
    };
    assert_eq!(machine.find(&plan()), Ok(disks.clone()));
    parts(&disks).iter().for_each(|part| machine.make(part));
    machine
        .sh("for at in mnt mnt2 vol; do echo $at > /$at/who; done")
        .unwrap();
    let made = uuids();
    assert_eq!(made.lines().count(), 3, "{made}");
    assert_eq!(machine.find(&plan()), Ok(disks.clone()));

    // Another boot, another order: they are found under their new names, and hold what they held.
    machine.sh("umount /mnt /mnt2 /vol").unwrap();
    machine.detach_all();
    volume("volume", "vol0a1b2c3d4e5f60718");
    let (first, second) = (store("first", "AWS1"), store("second", "AWS22"));
    let renamed = machine.find(&plan()).unwrap();
    assert_eq!(renamed.ephemeral, [first, second]);
    assert_ne!(renamed, disks);
    parts(&renamed)[..3].iter().for_each(|part| machine.make(part));
    assert_eq!((who(), uuids()), ("mnt\nmnt2\nvol".into(), made.clone()));

    // Other serial numbers, not mounted: fstab knows where they are at home.
    machine.sh("umount /mnt /mnt2 /vol").unwrap();
    machine.detach_all();
    let (first, second) = (store("first", "AWS22"), store("second", "AWS1"));
    volume("volume", "vol0a1b2c3d4e5f60718");
    let renumbered = machine.find(&plan()).unwrap();
    assert_eq!(renumbered.ephemeral, [first, second]);
    parts(&renumbered)[..3].iter().for_each(|part| machine.make(part));
    assert_eq!((who(), uuids()), ("mnt\nmnt2\nvol".into(), made));

    // Stopped and started: the volume is the same, the instance stores are other, blank ones.
    machine.sh("umount /mnt /mnt2 /vol").unwrap();
    machine.detach_all();
    volume("volume", "vol0a1b2c3d4e5f60718");
    store("new-second", "AWS44");
    store("new-first", "AWS3");
    let started = machine.find(&plan()).unwrap();
    parts(&started)[..3].iter().for_each(|part| machine.make(part));
    assert_eq!(
        machine.sh("cat /vol/who; ls /mnt /mnt2").unwrap(),
        "vol\n/mnt:\nlost+found\n\n/mnt2:\nlost+found"
    );
    let fstab = machine.sh("grep -c UUID= /etc/fstab").unwrap();
    assert_eq!(fstab, "3");
}

/// A connection gets any port of the kernel's range; here there is but one, a datanode's.
#[tokio::test]
async fn no_connection_gets_the_port_of_a_daemon() {
    let machine = Machine::start("ports").await;
    let parts = parts(&DisksSpec::default());
    let ports = parts.last().unwrap();
    let kernel = "/proc/sys/net/ipv4";
    let one = format!(
        "echo 8888 > {kernel}/ip_local_reserved_ports; echo '50010 50010' > {kernel}/ip_local_port_range"
    );
    machine.sh(&one).unwrap();
    let connects = || {
        let (_, said) = machine.sh("bash -c '</dev/tcp/127.0.0.1/1'").unwrap_err();
        said
    };
    assert!(connects().contains("Connection refused"), "{}", connects());
    machine.make(ports);
    assert!(
        connects().contains("Cannot assign requested address"),
        "{}",
        connects()
    );

    // What somebody else keeps stays kept, also where it is done again.
    machine.part(ports, ports.make).unwrap();
    let kept = machine
        .sh(&format!("cat {kernel}/ip_local_reserved_ports {KEPT_PORTS}"))
        .unwrap();
    assert!(kept.contains(",8888,") && kept.contains("# was 8888\n"), "{kept}");
    // And after a boot the kernel has to hear of it again.
    machine
        .sh(&format!("echo > {kernel}/ip_local_reserved_ports"))
        .unwrap();
    assert!(!machine.is_ready(ports));
}
