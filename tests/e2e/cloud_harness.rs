//! The machines behind the instances of a scenario's cloud: configured by their user data, reached with the keys that their
//! consoles show, gone with their instances; and nothing is left of a test that is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, InstanceType, ResourceType, Tag, TagSpecification,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesosflow_tests::{AMI_FULL, AMI_STOCK, Bench, Cloud, Instance, Node, RUN_LIMIT, until};

use crate::victim::Victim;

const NAME: &str = "cloud_harness::a_test_that_is_killed_leaves_no_cloud_behind";
pub(crate) const LIMIT: Duration = Duration::from_secs(180);

/// A client that comes in by the front, and tries once.
pub(crate) fn client(cloud: &Cloud) -> Client {
    let config = cloud.world().client().config().to_builder();
    let config = config
        .endpoint_url(cloud.endpoint())
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

pub(crate) fn tagged(kind: ResourceType, name: &str) -> TagSpecification {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag("Name", name))
        .tags(tag("mesosflow:run", "the-run"))
        .tags(tag("mesosflow:role", "slave"))
        .build()
}

/// Starts a machine that lets a key in: by its user data, or, as `full`, by a key pair of the account.
fn launch(cloud: &Cloud, bench: &Bench, name: &str, ami: &str) -> Instance {
    let (world, client) = (cloud.world(), client(cloud));
    let key = bench.path("id");
    if !key.exists() {
        ssh_keygen(&key);
    }
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let mut user_data = "#cloud-config\nwrite_files: [{path: /etc/written, content: hello}]\n\
         runcmd: [[touch, /etc/ran]]\n"
        .to_owned();
    let key_pair = (name == "full").then_some(name);
    match key_pair {
        Some(name) => {
            let public = Blob::new(public.trim());
            world.wait(
                client
                    .import_key_pair()
                    .key_name(name)
                    .public_key_material(public)
                    .send(),
            );
        }
        None => user_data += &format!("ssh_authorized_keys: [{:?}]\n", public.trim()),
    }
    let disk = EbsBlockDevice::builder()
        .volume_size(8)
        .delete_on_termination(true)
        .build();
    let call = client
        .run_instances()
        .image_id(ami)
        .min_count(1)
        .max_count(1)
        .instance_type(InstanceType::M5dLarge)
        .subnet_id(&cloud.subnet().id)
        .set_key_name(key_pair.map(str::to_owned))
        .user_data(STANDARD.encode(user_data))
        .block_device_mappings(
            BlockDeviceMapping::builder()
                .device_name("/dev/sdv")
                .ebs(disk)
                .build(),
        )
        .tag_specifications(tagged(ResourceType::Instance, name))
        .tag_specifications(tagged(ResourceType::Volume, name));
    let launched = world.wait(call.send());
    world.instance(launched.instances()[0].instance_id().unwrap())
}

fn ssh_keygen(key: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(key)
        .status();
    assert!(made.unwrap().success());
}

#[test]
fn a_machine_behind_an_instance_is_configured_by_its_user_data() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    let instances =
        [("full", AMI_FULL), ("stock", AMI_STOCK)].map(|(name, ami)| launch(&cloud, &bench, name, ami));
    for instance in &instances {
        let node = cloud.node(&bench, &instance.id);
        node.ask("cloud-init status --wait");
        assert_eq!(node.ask("cat /etc/written && test -e /etc/ran"), "hello");
        assert_eq!(
            Some(node.ask("hostname").as_str()),
            instance.private_name.split('.').next()
        );
        let known = known_hosts(&cloud, &bench, instance);
        assert_eq!(ssh(&bench, &known, instance, "id -un"), "admin");
        assert_eq!(ssh(&bench, &known, instance, "sudo -n id -un"), "root");
        sees_its_disks(&node, instance);
        assert_eq!(instance.public_ip, None);
    }
    let [full, stock] = instances
        .each_ref()
        .map(|instance| cloud.node(&bench, &instance.id));
    full.ask("test -x /usr/bin/java && test -x /usr/bin/rsync && test -d /opt/mesosflow/hadoop-2.7.3");
    stock.ask("! test -e /usr/bin/java && ! test -e /usr/bin/rsync && ! test -e /opt/mesosflow");
    full.ask(&format!("getent hosts {}", instances[1].private_name));

    without_power(&cloud, &bench, &instances[1], &stock);
    assert_eq!(bench.engine().containers(cloud.label()).len(), 2);
    for (left, instance) in [(1, &instances[0]), (0, &instances[1])] {
        cloud.world().terminate(&instance.id);
        cloud.wait_gone(&instance.id);
        assert_eq!(bench.engine().containers(cloud.label()).len(), left);
    }
    until("an end of the disks", LIMIT, || {
        loops(&bench.path("")).is_empty().then_some(())
    });
    assert_eq!(cloud.world().left("the-run"), Vec::<String>::new());
}

/// What a careful client makes of the console: the host keys that cloud-init has printed, and nothing from the network.
fn known_hosts(cloud: &Cloud, bench: &Bench, instance: &Instance) -> PathBuf {
    let client = client(cloud);
    let keys = until("host keys on the console", LIMIT, || {
        let answer = cloud
            .world()
            .wait(client.get_console_output().instance_id(&instance.id).send());
        let text = STANDARD.decode(answer.output().unwrap_or_default()).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (_, rest) = text.split_once("-----BEGIN SSH HOST KEY KEYS-----")?;
        let (keys, _) = rest.split_once("-----END SSH HOST KEY KEYS-----")?;
        Some(keys.to_owned())
    });
    let lines = keys.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: String = lines
        .map(|line| format!("{} {line}\n", instance.private_ip))
        .collect();
    bench.write(&format!("known-{}", instance.id), &lines)
}

fn ssh(bench: &Bench, known: &Path, instance: &Instance, command: &str) -> String {
    let output = Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "ConnectTimeout=20",
        ])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known.display()))
        .arg("-i")
        .arg(bench.path("id"))
        .arg(format!("admin@{}", instance.private_ip))
        .arg(command)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// As on a Nitro machine: the volume is found by its id, the machine's own disk by its model.
fn sees_its_disks(node: &Node, instance: &Instance) {
    let [(device, volume)] = instance.volumes.as_slice() else {
        panic!("{:?}", instance.volumes)
    };
    assert_eq!(device, "/dev/sdv");
    let found = node.ask("lsblk --noheadings --nodeps --output PATH,SERIAL,MODEL");
    let disk = |model: &str| {
        let lines: Vec<_> = found.lines().filter(|line| line.contains(model)).collect();
        assert_eq!(lines.len(), 1, "{found}");
        let words: Vec<_> = lines[0].split_whitespace().take(2).collect();
        (words[0].to_owned(), words[1].to_owned())
    };
    let (path, serial) = disk("Amazon Elastic Block Store");
    assert_eq!(serial, volume.replace('-', ""));
    let (other, serial) = disk("Amazon EC2 NVMe Instance Storage");
    assert!(serial.starts_with("AWSI"), "{found}");
    for path in [path, other] {
        node.ask(&format!(
            "mke2fs -q {path} && mount {path} /vol && touch /vol/file && umount /vol"
        ));
    }
}

/// The cloud says that it runs, and it does not.
fn without_power(cloud: &Cloud, bench: &Bench, instance: &Instance, node: &Node) {
    cloud.power_off(bench, &instance.id);
    assert!(cloud.world().instance(&instance.id).is_alive());
    assert_ne!(node.run("true").code, 0);
    cloud.power_on(bench, &instance.id);
    until("a boot after the loss of power", LIMIT, || {
        (node.run("systemctl is-active ssh").code == 0).then_some(())
    });
    node.ask("test -e /etc/written");
}

/// Loop devices over files of a folder.
fn loops(folder: &Path) -> Vec<String> {
    let output = Command::new("losetup")
        .args(["--list", "--noheadings", "--output", "BACK-FILE"])
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let is_in = |line: &&str| Path::new(line.trim()).starts_with(folder);
    text.lines().filter(is_in).map(str::to_owned).collect()
}

#[test]
fn a_test_that_is_killed_leaves_no_cloud_behind() {
    if Victim::is_this() {
        return be_killed();
    }
    let victim = Victim::start(NAME);
    let [label, folder] = &victim.told.clone()[..] else {
        panic!("{:?}", victim.told)
    };
    let bench = Bench::new();
    assert_eq!(
        bench.engine().containers(label).len(),
        1,
        "the victim has no machine"
    );
    assert_eq!(loops(Path::new(folder)).len(), 2, "the victim has no disks");
    assert_eq!(programs(folder), 1, "the victim has no moto");
    assert_eq!(rules(label), 1, "the victim has no metadata service");
    victim.kill();

    until("an end of all that was the victim's", RUN_LIMIT, || {
        let is_gone = bench.engine().containers(label).is_empty()
            && bench.engine().networks(label).is_empty()
            && loops(Path::new(folder)).is_empty()
            && !Path::new(folder).exists()
            && programs(folder) == 0
            && rules(label) == 0;
        is_gone.then_some(())
    });
}

/// How many rules of the packet filter name a cloud.
fn rules(label: &str) -> usize {
    let output = Command::new("iptables")
        .args(["-w", "-t", "nat", "-S", "PREROUTING"])
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    text.lines()
        .filter(|line| line.contains(&format!("mesosflow-test-{label} ")))
        .count()
}

/// How many Pythons have a path of a folder among their arguments.
fn programs(folder: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.starts_with("python") || line.contains("/python"))
        .filter(|line| line.contains(folder))
        .count()
}

/// Ends only by being killed.
fn be_killed() {
    let mut bench = Bench::new();
    let cloud = Cloud::with_nodes(&mut bench);
    let instance = launch(&cloud, &bench, "victim", AMI_STOCK);
    cloud.node(&bench, &instance.id);
    Victim::tell(&[&cloud.label(), &bench.path("").display()]);
    std::thread::park_timeout(RUN_LIMIT);
}
