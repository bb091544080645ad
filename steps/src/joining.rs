//! User data that makes a machine a slave of a cluster, all by itself: as an auto-scaling group starts it, from an image that
//! `image prepare` made. What every slave has of the cluster comes with it, nothing that opens anything.

use std::io::Write as _;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use mesosflow_workflow::Epoch;

use crate::aside;
use crate::cluster::{ClusterSpec, Inventory};
use crate::mounts::{IS_MOUNTED, ON_DISK};
use crate::node_setup::{self, EPHEMERAL_OPTIONS, FOLDERS};
use crate::on_node::{self, NAMES_UNIT, ROLE_COMMAND, ROLE_UNITS, SCRIPTS_FOLDER};
use crate::provider::ec2_facts::USER_DATA_LIMIT;
use crate::provider::{Groups, Image};
use crate::remote::quote::{self, QuoteError};
use crate::roles::{ClusterFile, Dns, FOLDER, NAMES, UNITS_FOLDER};
use crate::setup::{NAMES_UNIT_TEXT, SHARED_VOLUME, hosts, kernel_options};
use crate::templates::{RenderedTree, TemplateError, render};
use crate::workflows::vars_of;

const JOIN: &str = shell!("join.sh");
/// Where the joining script lies on the machine.
const JOIN_PATH: &str = "var/lib/mesosflow/join";
/// Ends the packed files; no line of base64 can be it.
const END: &str = "-- end --";
/// What a slave has of the deployed tree.
const TREE: [&str; 6] = [
    "root/ephemeral-hdfs/conf/",
    "root/persistent-hdfs/conf/",
    "root/spark/conf/",
    "root/mesos-ec2/scripts/",
    "root/mesos-ec2/cluster-url",
    "root/mesos-ec2/nfs/mnt-nfs.mount.conf",
];
/// The units that a slave has of the deployed tree, in the order in which they are started.
const TREE_UNITS: [&str; 3] = [
    SHARED_VOLUME,
    "ephemeral-hdfs-datanode.service",
    "persistent-hdfs-datanode.service",
];

/// The user data cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// The cluster's configuration cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A value cannot be said to a shell.
    #[error("a value of the cluster cannot be said to a shell")]
    Quote(#[from] QuoteError),
    /// The files could not be packed.
    #[error("the files cannot be packed")]
    Pack(#[from] std::io::Error),
    /// EC2 takes less.
    #[error("it has {0} bytes, more than the {USER_DATA_LIMIT} that EC2 takes")]
    TooLarge(usize),
}

/// The user data of a further slave of a cluster whose nodes are these, launched from that image into those groups, as the cluster's
/// record has it at that epoch.
///
/// # Errors
/// The configuration cannot be rendered, or all of it together is larger than EC2 takes.
pub fn user_data(
    spec: &ClusterSpec,
    inventory: &Inventory,
    made: (Option<&Image>, Option<&Groups>),
    dns: &Dns,
    epoch: Epoch,
    key: Option<&str>,
) -> Result<String, UserDataError> {
    let (image, groups) = made;
    let vars = vars_of(spec, inventory, image, groups.and_then(|groups| groups.range));
    let tree = render(&vars, spec.deploy_dir.as_deref())?;
    let file = ClusterFile::of_joining(spec, inventory, &vars, dns);
    let user = image.map_or("root", |image| image.login_user.as_str());
    let driver = key.map(|key| (user, key));
    let packed = pack(&files(&tree, &file, epoch, (spec, inventory, driver))?)?;
    let lines: Vec<_> = packed
        .as_bytes()
        .chunks(76)
        .map(String::from_utf8_lossy)
        .collect();
    let lines = lines.join("\n");
    let cluster = &spec.cluster;
    let text = format!(
        "#!/bin/sh\n\
         # Makes this machine a slave of the Mesos cluster {cluster}, on its first boot. It needs an image by `mesosflow image prepare`,\n\
         # a place in the cluster's network and its security group of slaves. There is no secret in it.\n\
         set -eu\n\
         [ -x {FOLDER}/mesosflow-role ] || {{ echo 'this image has no roles of Mesos: mesosflow image prepare makes one' >&2; exit 1; }}\n\
         base64 -d <<'{END}' | tar -xz --no-same-owner -C /\n{lines}\n{END}\n\
         exec sh /{JOIN_PATH}\n"
    );
    match text.len() {
        len if len > USER_DATA_LIMIT => Err(UserDataError::TooLarge(len)),
        _ => Ok(text),
    }
}

/// Every file that comes with it, by its path without the leading slash.
fn files(
    tree: &RenderedTree,
    file: &ClusterFile,
    epoch: Epoch,
    (spec, inventory, driver): (&ClusterSpec, &Inventory, Option<(&str, &str)>),
) -> Result<Vec<(String, String)>, UserDataError> {
    let is_needed = |path: &str| {
        let is_unit = TREE_UNITS
            .iter()
            .any(|unit| path.strip_prefix("root/mesos-ec2/units/") == Some(unit));
        is_unit || TREE.iter().any(|part| path.starts_with(part))
    };
    let of_tree = tree.files().iter().filter(|(path, _)| is_needed(path));
    let mut files: Vec<_> = of_tree
        .map(|(path, file)| (path.clone(), file.text.clone()))
        .collect();
    let mut add = |path: &str, text: String| files.push((path.trim_start_matches('/').to_owned(), text));
    add(on_node::CLUSTER_FILE, file.text(epoch));
    add(on_node::NAMES_LIST, hosts(inventory) + "\n");
    add(on_node::NAMES_FILE, NAMES.to_owned());
    add(
        &format!("/var/lib/mesosflow/{NAMES_UNIT}"),
        NAMES_UNIT_TEXT.to_owned(),
    );
    add(JOIN_PATH, join(spec, inventory, driver)?);
    Ok(files)
}

/// The script that does the rest, its values quoted; `driver` is who logs in to the cluster's nodes, and the public key for that.
fn join(
    spec: &ClusterSpec,
    inventory: &Inventory,
    driver: Option<(&str, &str)>,
) -> Result<String, QuoteError> {
    let of_roles = ROLE_UNITS.iter().chain(&["mesos-slave.service"]);
    let units = of_roles.map(|unit| format!("{UNITS_FOLDER} {unit}"));
    let units = units.chain(
        TREE_UNITS
            .iter()
            .map(|unit| format!("{SCRIPTS_FOLDER}/units {unit}")),
    );
    let units: Vec<_> = units
        .chain([format!("/var/lib/mesosflow {NAMES_UNIT}")])
        .collect();
    let first = inventory.first_master().private_ip;
    let (swap_mb, units) = (spec.swap_mb.to_string(), units.join("\n"));
    let (script, source) = (format!("{FOLDER}/mesosflow-role"), format!("{first}:/mnt/nfs"));
    let options = kernel_options();
    let (user, key) = driver.unwrap_or_default();
    let variables = [
        ("user", user),
        ("key", key),
        ("folders", FOLDERS),
        ("swap_mb", &swap_mb),
        ("units", &units),
        ("command", ROLE_COMMAND),
        ("script", &script),
        ("source", &source),
        ("options", &options),
        ("disk_options", EPHEMERAL_OPTIONS),
        ("names_unit", NAMES_UNIT),
    ];
    // Their headers name what the first line sets.
    let function = |name: &str, first: &str, body: &str| {
        let body: Vec<_> = body.lines().filter(|line| !line.starts_with('#')).collect();
        format!("{name}() {{ (\n{first}\n{}\n) }}\n", body.join("\n"))
    };
    let functions = [
        IS_MOUNTED.to_owned(),
        ON_DISK.to_owned(),
        aside::FUNCTIONS.to_owned(),
        function(
            "disk_make",
            "device=$1 mount=$2 type=$3 options=$4 quiet=-q",
            node_setup::DISK_MAKE,
        ),
        function("swap_make", "megabytes=$1", node_setup::SWAP_MAKE),
    ];
    let text = quote::with_variables(&variables, &format!("{}{JOIN}", functions.concat()))?;
    Ok(format!("set -eu\n{text}"))
}

/// An archive of files, packed, as letters.
fn pack(files: &[(String, String)]) -> std::io::Result<String> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(if text.starts_with("#!") { 0o755 } else { 0o644 });
        header.set_cksum();
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    Ok(base64::engine::general_purpose::STANDARD.encode(packed.finish()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::cluster::{Node, ProviderKind};

    fn cluster(slaves: u16) -> (ClusterSpec, Inventory) {
        let spec: ClusterSpec = serde_json::from_value(serde_json::json!({
            "cluster": "demo", "provider": "ec2", "masters": 2, "slaves": slaves, "swap_mb": 1024,
            "mesos": {"agent_flags": ["--containerizers=mesos", "--isolation=it's"]}
        }))
        .unwrap();
        let node = |role: &str, index: u16, ip: [u8; 4]| -> Node {
            serde_json::from_value(serde_json::json!({
                "id": format!("i-{role}{index}"), "name": format!("demo-{role}-{index}"), "role": role, "index": index,
                "private_ip": std::net::Ipv4Addr::from(ip), "user": "root", "port": 22,
                "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
            }))
            .unwrap()
        };
        let masters =
            (1..=2).map(|index| node("master", index, [10, 0, 0, 100 + u8::try_from(index).unwrap()]));
        let zookeepers =
            (1..=3).map(|index| node("zookeeper", index, [10, 0, 0, u8::try_from(index).unwrap()]));
        let slaves = (1..=slaves).map(|index| {
            let [high, low] = index.to_be_bytes();
            node("slave", index, [10, 1, high, low])
        });
        let inventory = Inventory::new(masters.chain(zookeepers).chain(slaves)).unwrap();
        assert_eq!(spec.provider, ProviderKind::Ec2);
        (spec, inventory)
    }

    /// The cluster's own, which opens nothing but this machine, to whoever has its private half.
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK mesosflow";

    fn made(slaves: u16) -> Result<String, UserDataError> {
        let (spec, inventory) = cluster(slaves);
        user_data(
            &spec,
            &inventory,
            (None, None),
            &Dns::default(),
            Epoch(7),
            Some(KEY),
        )
    }

    /// Unpacks it as the machine would, below a folder.
    fn unpacked(text: &str, folder: &std::path::Path) {
        let start = text.find("base64 -d").unwrap();
        let end = text.find("\nexec sh ").unwrap();
        let script = text[start..end].replace(" -C /", " -C \"$1\"");
        let mut sh = Command::new("sh")
            .args(["-eu", "-s", "--"])
            .arg(folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        sh.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(sh.wait().unwrap().success());
    }

    #[test]
    fn a_slave_gets_its_configuration_and_the_cluster_file_and_nothing_that_opens_a_door() {
        let text = made(200).unwrap();
        let folder = tempfile::tempdir().unwrap();
        unpacked(&text, folder.path());
        let read = |path: &str| std::fs::read_to_string(folder.path().join(path)).unwrap();
        let file = read("etc/mesosflow/cluster");
        for line in [
            "# mesosflow cluster 1",
            "cluster=demo",
            "epoch=7",
            "provider=ec2",
            "role=mesos-slave",
            "zookeepers=10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181",
            "first_master=10.0.0.101",
            "agent_flag=--isolation=it's",
            "# end",
        ] {
            assert!(file.lines().any(|it| it == line), "{line}: {file}");
        }
        assert!(!file.contains("\nname=") && !file.contains("\nip="), "{file}");
        assert!(read("root/ephemeral-hdfs/conf/core-site.xml").contains("hdfs://10.0.0.101:9000"));
        assert!(read("etc/mesosflow/hosts").contains("10.1.0.200 demo-slave-200"));
        let join = Command::new("sh")
            .arg("-n")
            .arg(folder.path().join(JOIN_PATH))
            .status();
        assert!(join.unwrap().success());
        let said = Command::new("grep")
            .args(["-rhE", "BEGIN .*PRIVATE KEY|ssh-ed25519|id_ed25519"])
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&said.stdout);
        assert_eq!(said.trim(), format!("key='{KEY}'"));
    }

    #[test]
    fn what_is_larger_than_ec2_takes_is_refused() {
        assert!(made(200).unwrap().len() <= USER_DATA_LIMIT);
        let (mut spec, inventory) = cluster(1);
        // Nothing that can be packed.
        let random: String = (0..20_000_u64)
            .map(|n| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        spec.mesos.agent_flags = vec![format!("--x={random}")];
        let refused = user_data(&spec, &inventory, (None, None), &Dns::default(), Epoch(1), None);
        assert!(matches!(refused, Err(UserDataError::TooLarge(_))), "{refused:?}");
    }
}
