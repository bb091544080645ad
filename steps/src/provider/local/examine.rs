//! What this machine has and lacks for a local cluster. Nothing is made: no container, no image, no network.

use std::path::{Path, PathBuf};

use super::LocalProvider;
use super::engine::{About, Engine, in_path};
use super::image;
use crate::cluster::{ClusterSpec, Role};
use crate::provider::Need;

/// Memory that a node takes once it works, MiB, without HDFS' heaps: systemd, sshd and its daemons (an estimate, with the
/// stand-in).
const NODE_MIB: u64 = 150;
/// What a virtual machine of Java takes beside its heap once it works, MiB (an estimate).
const JAVA_MIB: u64 = 90;
/// Instances of inotify that a node takes: systemd and the daemons of its image (measured).
const NODE_WATCHERS: u64 = 6;
/// What a node writes until the cluster is up, MiB: logs, file systems, the frameworks' configuration.
const NODE_DISK_MIB: u64 = 300;
/// What a build of the node image passes through `/var/tmp`, MiB, and what the image takes in the end.
const BUILD_MIB: u64 = 2048;
const IMAGE_MIB: u64 = 1024;

/// Looks at the engine and at what nodes need of this machine.
pub async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    let provider = match LocalProvider::open(&spec.local).await {
        Ok(provider) => provider,
        Err(error) => return vec![Need::of("container engine", &error), memory(spec)],
    };
    let engine = &provider.engine;
    let about = match engine.about().await {
        Ok(about) => about,
        Err(error) => return vec![Need::of("container engine", &error), memory(spec)],
    };
    let (image, has_image) = image(&provider).await;
    vec![
        Need::fine(
            "container engine",
            format!("{} {}", engine.program(), about.version),
        ),
        systemd(engine, &about),
        network(engine, &about),
        image,
        watchers(spec),
        memory(spec),
        disk(spec, &about, has_image).await,
    ]
}

/// Whether nodes boot as containers with systemd.
fn systemd(engine: &Engine, about: &About) -> Need {
    let what = "nodes with systemd";
    if about.is_rootless {
        return Need::lacking(
            what,
            format!(
                "{} works without root here: this machine could not reach its nodes by their addresses, and nodes could mount nothing",
                engine.program()
            ),
            "do it as root (`sudo mesosflow …`), with root's engine",
        );
    }
    let is_told = engine.command_line().contains(&"--runtime");
    if engine.is_podman() && about.cgroups == "v1" && !is_told && !in_path("runc") {
        return Need::lacking(
            what,
            "this machine has cgroups of version 1, on which podman's own runtime, crun, starts no node",
            "install runc (`apt-get install runc`), or boot with `systemd.unified_cgroup_hierarchy=1`",
        );
    }
    Need::fine(
        what,
        format!(
            "as root, cgroups {}, called as `{}`",
            about.cgroups,
            engine.command_line().join(" ")
        ),
    )
}

/// Whether the engine can make a network for them.
fn network(engine: &Engine, about: &About) -> Need {
    let what = "network of nodes";
    // netavark writes the rules of its networks by one of these.
    if about.network == "netavark" && !["iptables", "nft"].into_iter().any(in_path) {
        return Need::lacking(
            what,
            "podman's netavark finds no iptables on this machine",
            "install it (`apt-get install iptables`)",
        );
    }
    let by = match about.network.as_str() {
        "" => engine.program(),
        network => network,
    };
    Need::fine(what, format!("by {by}"))
}

/// Whether the node image is there or can be built, and whether it is there.
async fn image(provider: &LocalProvider) -> (Need, bool) {
    let what = "node image";
    let name = &provider.image;
    match image::find(&provider.engine, name).await {
        Err(error) => (Need::of(what, &error), false),
        Ok(Some(_)) => (Need::fine(what, name), true),
        Ok(None) if provider.builds => (buildable(what, name).await, false),
        Ok(None) => {
            let detail = format!("{name} is not on this machine");
            let hint = "import it into the engine, or leave out `[local] image` to have one built";
            (Need::lacking(what, detail, hint), false)
        }
    }
}

async fn buildable(what: &str, name: &str) -> Need {
    let mut lacks = Vec::new();
    if !is_root() {
        lacks.push("root's rights".to_owned());
    }
    // What `build.sh` calls; it installs the first two where there is apt-get.
    let tools = [
        &["mmdebstrap", "apt-get"][..],
        &["curl", "pip3", "apt-get"],
        &["bash"],
        &["tar"],
    ];
    for either in tools {
        if !either.iter().any(|tool| in_path(tool)) {
            lacks.push(either[0].to_owned());
        }
    }
    match free_mib(Path::new("/var/tmp")).await {
        Some(free) if free < BUILD_MIB => {
            lacks.push(format!("{BUILD_MIB} MiB in /var/tmp ({free} are free)"))
        }
        _ => {}
    }
    match lacks.as_slice() {
        [] => Need::fine(
            what,
            format!(
                "{name} is not there yet: the first `run` builds it, in some minutes, from Debian's packages and PyPI"
            ),
        ),
        lacks => Need::lacking(
            what,
            format!(
                "{name} is not there, and cannot be built here without {}",
                lacks.join(", ")
            ),
            "install what is named, or bring an image and name it in `[local] image`",
        ),
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Memory for the nodes.
fn memory(spec: &ClusterSpec) -> Need {
    let needed = needed_mib(spec);
    let nodes = nodes(spec);
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = info.lines().find_map(|line| {
        let kib = line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?;
        kib.trim().parse::<u64>().ok()
    });
    let what = "memory";
    match available.map(|kib| kib / 1024) {
        None => Need::fine(what, format!("not known; {nodes} nodes take about {needed} MiB")),
        Some(free) if free >= needed => Need::fine(
            what,
            format!("{free} MiB are available, {nodes} nodes take about {needed}"),
        ),
        Some(free) => Need::lacking(
            what,
            format!("{free} MiB are available, and {nodes} nodes take about {needed}"),
            "end something, or ask for fewer nodes (--masters 1 --slaves 1)",
        ),
    }
}

fn nodes(spec: &ClusterSpec) -> u64 {
    let zookeepers = u64::from(spec.zookeepers());
    u64::from(spec.masters) + u64::from(spec.slaves) + zookeepers
}

/// What the nodes of a cluster take, MiB: the first master has two namenodes, the second one's
/// checkpoints take another, each slave two datanodes, each ZooKeeper itself.
fn needed_mib(spec: &ClusterSpec) -> u64 {
    // A heap that was just begun is far from full.
    let hdfs = JAVA_MIB + u64::from(spec.hdfs.heap_mb) / 4;
    let of = |role| match role {
        Role::Master => 0,
        Role::Slave => 2 * hdfs,
        Role::Zookeeper => JAVA_MIB,
    };
    let counts = [
        (Role::Master, u64::from(spec.masters)),
        (Role::Slave, u64::from(spec.slaves)),
        (Role::Zookeeper, u64::from(spec.zookeepers())),
    ];
    let each: u64 = counts
        .into_iter()
        .map(|(role, count)| count * (NODE_MIB + of(role)))
        .sum();
    let namenodes = if spec.masters > 1 { 3 } else { 2 };
    each + namenodes * hdfs
}

/// What the kernel lets one user have of inotify, which systemd needs in each node: beyond it, nodes end as soon as they boot.
fn watchers(spec: &ClusterSpec) -> Need {
    let what = "inotify instances";
    let needed = nodes(spec) * NODE_WATCHERS;
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap_or_default();
    let Ok(limit) = limit.trim().parse::<u64>() else {
        return Need::fine(what, format!("not known; {} nodes take {needed}", nodes(spec)));
    };
    let used = used_watchers();
    let detail = format!(
        "a user may have {limit} (fs.inotify.max_user_instances), {used} are in use, {} nodes take {needed}",
        nodes(spec)
    );
    match limit >= used + needed {
        true => Need::fine(what, detail),
        false => Need::lacking(
            what,
            detail,
            format!(
                "allow more: `sysctl fs.inotify.max_user_instances={}`",
                (used + needed).next_power_of_two() * 2
            ),
        ),
    }
}

/// The instances that this user's processes have; of nodes too, whose root is this machine's.
fn used_watchers() -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let own = std::fs::metadata("/proc/self").map(|process| process.uid()).ok();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut used = 0;
    for process in processes {
        if process.metadata().map(|data| data.uid()).ok() != own {
            continue;
        }
        let open = std::fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
            .flatten();
        let is_one = |path: PathBuf| path.as_os_str() == "anon_inode:inotify";
        let all = open.filter(|file| std::fs::read_link(file.path()).is_ok_and(is_one));
        used += u64::try_from(all.count()).unwrap_or_default();
    }
    used
}

/// Room where the engine keeps containers and images.
async fn disk(spec: &ClusterSpec, about: &About, has_image: bool) -> Need {
    let what = "disk of nodes";
    let store: PathBuf = about.store.clone().unwrap_or_else(|| "/var/lib".into());
    let needed = nodes(spec) * NODE_DISK_MIB + if has_image { 0 } else { IMAGE_MIB };
    let shown = store.display();
    match free_mib(&store).await {
        None => Need::fine(
            what,
            format!("{shown}: how much is free is not known; about {needed} MiB are needed"),
        ),
        Some(free) if free >= needed => Need::fine(
            what,
            format!("{shown}: {free} MiB are free, about {needed} are needed"),
        ),
        Some(free) => Need::lacking(
            what,
            format!("{shown}: {free} MiB are free, and about {needed} are needed"),
            "make room there: `podman system prune` removes what no container uses",
        ),
    }
}

/// What is free on the file system of a path, MiB; none where nobody tells.
async fn free_mib(path: &Path) -> Option<u64> {
    let df = tokio::process::Command::new("df")
        .args(["--output=avail", "--block-size=1M"])
        .arg(path)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(10), df)
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_take_grows_with_them() {
        let of = |masters, slaves| {
            needed_mib(&ClusterSpec {
                masters,
                slaves,
                ..ClusterSpec::default()
            })
        };
        assert!(of(1, 1) < of(1, 2) && of(1, 2) < of(3, 2));
        // A whole cluster on a small machine is not refused out of caution.
        assert!((500..1200).contains(&of(1, 1)), "{}", of(1, 1));
        assert!((1500..3500).contains(&of(3, 2)), "{}", of(3, 2));
    }

    #[tokio::test]
    async fn free_room_is_told_of_what_is_there() {
        assert!(free_mib(Path::new("/")).await.is_some());
        assert_eq!(free_mib(Path::new("/nowhere/at/all")).await, None);
    }
}
