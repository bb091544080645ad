//! The cloud that the EC2 scenarios run in does what it says: faults happen as they are written down, a machine behind an
//! instance is configured by its user data, is reached with the keys its console shows, and goes with its instance; and
//! nothing is left of a test that is killed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, InstanceType, ResourceType, Tag, TagSpecification,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesosflow_tests::{
    AMI_FULL, AMI_STOCK, Bench, Cloud, Fault, Instance, Node, RUN_LIMIT, What, Which, until,
};

/// Set for the process that is killed.
const VICTIM: &str = "MESOSFLOW_TEST_CLOUD_VICTIM";
const NAME: &str = "cloud_harness::a_test_that_is_killed_leaves_no_cloud_behind";
const LIMIT: Duration = Duration::from_secs(60);

/// A client that comes in by the front, and tries once.
fn client(cloud: &Cloud) -> Client {
    let config = cloud.world().client().config().to_builder();
    let config = config
        .endpoint_url(cloud.endpoint())
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

fn tagged(kind: ResourceType, name: &str) -> TagSpecification {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag("Name", name))
        .tags(tag("mesosflow:run", "the-run"))
        .tags(tag("mesosflow:role", "slave"))
        .build()
}

#[test]
fn faults_happen_as_they_are_written_down() {
    let mut bench = Bench::new();
    let cloud = Cloud::start(&mut bench);
    let (world, client) = (cloud.world(), client(&cloud));
    let launch = || {
        let call = client
            .run_instances()
            .image_id(AMI_FULL)
            .min_count(1)
            .max_count(1);
        let call = call
            .instance_type(InstanceType::M5Large)
            .tag_specifications(tagged(ResourceType::Instance, "x"));
        call.send()
    };
    let launched = || world.all_instances().len();
    let said = |error: String, words: &str| assert!(error.contains(words), "{words:?} is missing in {error}");

    cloud.fault(
        Fault::refused(
            "RunInstances",
            Which::First(1),
            400,
            "InsufficientInstanceCapacity",
            "none left",
        )
        .only_if("mesosflow:role", "slave"),
    );
    cloud.fault(Fault::throttled("RunInstances", Which::All).only_if("InstanceType", "m5d.large"));
    let error = format!("{:?}", fails(world.wait_for(launch())));
    said(error.clone(), "InsufficientInstanceCapacity");
    said(error, "400");
    assert_eq!(launched(), 0);
    world.wait(launch());
    assert_eq!(launched(), 1);

    for (what, effect) in [(What::DropBefore, 1), (What::DropAfter, 2)] {
        cloud.heal();
        cloud.fault(Fault::new("RunInstances", Which::All, what));
        said(
            format!("{:?}", fails(world.wait_for(launch()))),
            "DispatchFailure",
        );
        assert_eq!(launched(), effect);
    }
    cloud.heal();
    cloud.fault(Fault::new("RunInstances", Which::Nth(1), What::ServerErrorAfter));
    said(format!("{:?}", fails(world.wait_for(launch()))), "InternalError");
    assert_eq!(launched(), 3);

    let pause = Duration::from_millis(1500);
    cloud.fault(Fault::new(
        "DescribeInstances",
        Which::First(1),
        What::DelayAnswer(pause),
    ));
    let before = Instant::now();
    world.wait(client.describe_instances().send());
    assert!(before.elapsed() >= pause);

    let rewrite =
        What::Rewrite(|text| text.replace("<vpcSet>", "<vpcSet><item><vpcId>vpc-new</vpcId></item>"));
    cloud.fault(Fault::new("DescribeVpcs", Which::First(1), rewrite));
    let vpcs = |answer: aws_sdk_ec2::operation::describe_vpcs::DescribeVpcsOutput| {
        answer.vpcs().iter().any(|vpc| vpc.vpc_id() == Some("vpc-new"))
    };
    assert!(vpcs(world.wait(client.describe_vpcs().send())));
    assert!(!vpcs(world.wait(client.describe_vpcs().send())));

    let calls = cloud.calls("RunInstances");
    assert_eq!(calls.len(), 5);
    assert_eq!(calls[0].value("InstanceType"), Some("m5.large"));
    assert_eq!(calls[0].tag("mesosflow:run"), Some("the-run"));
    assert_eq!(world.left("the-run").len(), 3);
    assert_eq!(world.left("another-run"), Vec::<String>::new());
}

#[test]
fn a_call_is_held_between_its_effect_and_its_answer() {
    let mut bench = Bench::new();
    let cloud = Cloud::start(&mut bench);
    let (world, client) = (cloud.world(), client(&cloud));
    let held = cloud.hold("CreateSecurityGroup");
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let call = client.create_security_group().group_name("held").description("x");
            world.wait(call.send())
        });
        held.wait_reached(LIMIT);
        assert_eq!(world.groups("held").len(), 1);
        assert!(!asking.is_finished());
        held.release();
        asking.join().unwrap();
    });
    let group = &world.groups("held")[0];
    world.add_rule(&group.id, 22, "10.0.0.0/8");
    let rules = &world.groups("held")[0].rules;
    assert_eq!(
        (rules[0].what.as_str(), rules[0].from.as_str()),
        ("tcp 22-22", "10.0.0.0/8")
    );
}

#[track_caller]
fn fails<T, E>(result: Result<T, E>) -> E {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error,
    }
}

/// Starts a machine whose user data lets a key in.
fn launch(cloud: &Cloud, bench: &Bench, name: &str, ami: &str) -> Instance {
    let key = bench.path("id");
    if !key.exists() {
        ssh_keygen(&key);
    }
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let user_data = format!(
        "#cloud-config\nssh_authorized_keys: [{:?}]\nwrite_files: [{{path: /etc/written, content: hello}}]\n\
         runcmd: [[touch, /etc/ran]]\n",
        public.trim()
    );
    let disk = EbsBlockDevice::builder()
        .volume_size(8)
        .delete_on_termination(true)
        .build();
    let call = client(cloud)
        .run_instances()
        .image_id(ami)
        .min_count(1)
        .max_count(1)
        .instance_type(InstanceType::M5Large)
        .subnet_id(&cloud.subnet().id)
        .user_data(STANDARD.encode(user_data))
        .block_device_mappings(
            BlockDeviceMapping::builder()
                .device_name("/dev/sdv")
                .ebs(disk)
                .build(),
        )
        .tag_specifications(tagged(ResourceType::Instance, name))
        .tag_specifications(tagged(ResourceType::Volume, name));
    let launched = cloud.world().wait(call.send());
    cloud
        .world()
        .instance(launched.instances()[0].instance_id().unwrap())
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
        sees_its_disk(&node, instance);
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

/// As on a Nitro machine: found by the volume's id.
fn sees_its_disk(node: &Node, instance: &Instance) {
    let [(device, volume)] = instance.volumes.as_slice() else {
        panic!("{:?}", instance.volumes)
    };
    assert_eq!(device, "/dev/sdv");
    let found = node.ask("lsblk --noheadings --nodeps --output PATH,SERIAL,MODEL");
    let serial = volume.replace('-', "");
    let lines: Vec<_> = found
        .lines()
        .filter(|line| line.contains("Amazon Elastic Block Store"))
        .collect();
    assert_eq!(lines.len(), 1, "{found}");
    let path = lines[0].split_whitespace().next().unwrap();
    assert!(lines[0].contains(&serial), "{found}");
    node.ask(&format!(
        "mke2fs -q {path} && mount {path} /vol && touch /vol/file && umount /vol"
    ));
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
    if std::env::var_os(VICTIM).is_some() {
        return be_killed();
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let told = lines.find_map(|line| line.strip_prefix("victim: ").map(str::to_owned));
    let told = told.expect("the victim has a cloud");
    let [label, folder] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    let bench = Bench::new();
    assert_eq!(
        bench.engine().containers(label).len(),
        1,
        "the victim has no machine"
    );
    assert_eq!(loops(Path::new(folder)).len(), 1, "the victim has no disk");
    assert_eq!(programs(folder), 1, "the victim has no moto");
    victim.kill().unwrap();
    victim.wait().unwrap();

    until("an end of all that was the victim's", RUN_LIMIT, || {
        let is_gone = bench.engine().containers(label).is_empty()
            && bench.engine().networks(label).is_empty()
            && loops(Path::new(folder)).is_empty()
            && !Path::new(folder).exists()
            && programs(folder) == 0;
        is_gone.then_some(())
    });
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
    println!("victim: {} {}", cloud.label(), bench.path("").display());
    std::thread::park_timeout(RUN_LIMIT);
}
