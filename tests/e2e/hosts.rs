//! Machines of one's own: what is wrong with them is told before anything is touched; the cluster's key is let in beside
//! the user's, which goes nowhere; nobody else builds on them; and they are given back as they were entered.

use mesosflow_tests::{Bench, Host, Machines, Point, RUN_LIMIT, Said, Watch, assert_healthy};

const MARK: &str = "/etc/mesosflow/owner";
const SKIPPED: [&str; 5] = [
    "security-groups",
    "image-metadata",
    "launch-slaves",
    "launch-masters",
    "launch-zookeepers",
];

#[test]
fn hosts_of_ones_own_are_entered_built_on_and_given_back() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let mut machines = Machines::new(&bench, &cluster);
    machines.start("root", 22);
    machines.start("admin", 2022);

    refused_before_anything_is_touched(&mut bench, &cluster, &machines);
    for host in &machines.hosts {
        host.ask("mkdir -p /root/mesos /root/mesos.old /root/mesos-build /root/mesos-ec2 && touch /root/mesos/theirs /root/mesos.old/theirs /root/mesos-build/theirs /root/mesos-ec2/theirs");
        host.ask(OTHERS);
    }
    let run = killed_while_the_key_is_let_in(&mut bench, &cluster, &machines);
    let said = bench.start(&["resume", &run]).finish(RUN_LIMIT).ended(0);
    moved_aside(&said, &machines);
    built(&bench, &run, &machines);
    assert_healthy(&machines.nodes(&bench, &run));
    belongs_to_one_cluster(&mut bench, &cluster, &run, &machines);
    replayed(&mut bench, &run, &machines);
    stopped_and_started(&mut bench, &run, &machines);
    given_back(&mut bench, &run, &machines);
}

/// The configuration of a cluster with a master and a slave, with these ports and the host key of the slave.
fn configure(bench: &Bench, cluster: &str, machines: &Machines, port: u16, slaves_key: &str) {
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    let text = format!(
        "cluster = '{cluster}'\nprovider = 'hosts'\nshared_volume.fallback = 'sshfs'\n\n\
         [hosts]\nidentity_file = '~/id_ed25519'\n\n\
         [[hosts.nodes]]\nname = 'rack1-a'\nrole = 'master'\naddress = '{}'\nport = {port}\nhost_key = '{}'\n\n\
         [[hosts.nodes]]\nrole = 'slave'\naddress = '{}'\nport = {}\nuser = '{}'\nhost_key = '{slaves_key}'\n",
        master.ip, master.host_key, slave.ip, slave.port, slave.user,
    );
    bench.config(&text);
}

/// Every host that cannot be used is named at once, with its own reason.
fn refused_before_anything_is_touched(bench: &mut Bench, cluster: &str, machines: &Machines) {
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    configure(bench, cluster, machines, 2222, &master.host_key);
    bench.say(&["run"]).ended(2).complains(&[
        "2 of 2 hosts cannot be used",
        "rack1-a",
        &format!("connecting to rack1-a (root@{}:2222)", master.ip),
        &format!("{cluster}-slave-1"),
        "presented host key",
    ]);
    let looked = looked_at(bench, 1);
    assert_eq!(looked.len(), 2, "{looked:?}");
    for (host, part) in [("rack1-a", "connecting"), ("-slave-1", "presented host key")] {
        let found = looked
            .iter()
            .find(|finding| finding["what"].as_str().unwrap().contains(host));
        let found = found.unwrap();
        assert_eq!(found["ok"], false);
        assert!(
            found["detail"].as_str().unwrap().contains(part) && found["hint"].is_string(),
            "{found}"
        );
    }
    // And one who may log in, and may not become root.
    slave.ask("mv /etc/sudoers.d/admin /root/sudoers");
    configure(bench, cluster, machines, 22, &slave.host_key);
    bench
        .say(&["run"])
        .ended(2)
        .complains(&["1 of 2 hosts cannot be used", "NOPASSWD"]);
    let oks: Vec<_> = looked_at(bench, 1)
        .iter()
        .map(|finding| finding["ok"] == true)
        .collect();
    assert_eq!(oks, [true, false]);
    slave.ask("mv /root/sudoers /etc/sudoers.d/admin");
    for host in looked_at(bench, 0) {
        let detail = host["detail"].as_str().unwrap();
        assert!(
            detail.contains("lets in as root") && detail.contains("MiB free on /"),
            "{host}"
        );
    }

    // A stand-in that lies about on this machine is not for them, and they have no Mesos themselves.
    let data = bench.write(".local/share/mesosflow/mesos.tar.gz", "");
    for flags in [&["run"][..], &["run", "--mesos-source", "none"]] {
        let mut command = bench.command(flags);
        command.env_remove("MESOSFLOW_MESOS_TARBALL");
        let said = bench.start_command(command).finish(RUN_LIMIT).ended(2);
        said.complains(&[
            "1 of 2 hosts cannot be used",
            "has no Mesos under /root/mesos",
            "--mesos-url",
        ]);
    }
    std::fs::remove_file(data).unwrap();

    assert!(!bench.journal().exists(), "a refused run has left a journal");
    for host in &machines.hosts {
        assert_eq!(host.authorized_keys(), [machines.public_key()]);
        assert_ne!(host.run(&format!("test -e {MARK}")).code, 0);
    }
}

/// What `doctor` finds of each host.
fn looked_at(bench: &mut Bench, code: i32) -> Vec<serde_json::Value> {
    let report = bench.say(&["doctor", "--json"]).ended(code).json();
    let mut all = report["findings"].as_array().unwrap().clone();
    all.retain(|finding| finding["what"].as_str().unwrap().starts_with("host "));
    all
}

fn killed_while_the_key_is_let_in(bench: &mut Bench, cluster: &str, machines: &Machines) -> String {
    configure(bench, cluster, machines, 22, &machines.hosts[1].host_key);
    let mut live = bench.start(&["run"]);
    let run = live.run();
    let mut watch = Watch::new(bench.journal(), &run, 0);
    watch.point(&mut live, RUN_LIMIT, Point::item_succeeded("await-nodes"));
    live.kill();
    run
}

/// More of somebody's under names that the cluster uses: configuration in homes of HDFS and Spark, units (one of
/// them masked), a link, a line of the host's own name.
const OTHERS: &str = "mkdir -p /root/ephemeral-hdfs/conf /root/spark/conf /srv/shared
echo theirs > /root/ephemeral-hdfs/conf/theirs
echo theirs > /root/spark/conf/theirs
printf '[Unit]\nDescription=theirs\n[Service]\nExecStart=/bin/true\n' > /etc/systemd/system/mesos-slave.service
ln -s /dev/null /etc/systemd/system/mesos-master.service
ln -sfn /srv/shared /nfs
echo 8888 > /proc/sys/net/ipv4/ip_local_reserved_ports
sed '/^127\\.0\\.1\\.1/d' /etc/hosts > /tmp/hosts; echo '127.0.1.1 theirs' >> /tmp/hosts; cat /tmp/hosts > /etc/hosts";

/// What was there under the name of Mesos' folder is there under another one, and the user has been told.
fn moved_aside(said: &Said, machines: &Machines) {
    for host in &machines.hosts {
        let aside = host.ask("ls -d /root/mesos.2*");
        assert_eq!(aside.lines().count(), 1, "{aside}");
        host.ask(&format!(
            "test -e {aside}/theirs && test -e /root/mesos.old/theirs && test -e /root/mesos-build/theirs && ! test -e /root/mesos/theirs"
        ));
        assert!(
            said.err.contains(&format!("/root/mesos is now {aside}")),
            "{}",
            said.err
        );
        let aside = host.ask("ls -d /root/mesos-ec2.2*");
        host.ask(&format!(
            "test -e {aside}/theirs && ! test -e /root/mesos-ec2/theirs"
        ));
        assert!(
            said.err.contains(&format!("/root/mesos-ec2 is now {aside}")),
            "{}",
            said.err
        );
        // Spark is configured on the first master alone.
        let of_hub = host.ip == machines.hosts[0].ip;
        let kept = ["/root/ephemeral-hdfs/conf", "/root/spark/conf"];
        for folder in &kept[..if of_hub { 2 } else { 1 }] {
            let aside = host.ask(&format!("ls -d {folder}.2*"));
            assert_eq!(host.ask(&format!("cat {aside}/theirs")), "theirs");
            assert!(
                said.err.contains(&format!("{folder} is now {aside}")),
                "{}",
                said.err
            );
        }
        assert_eq!(
            host.ask("readlink /nfs.2*; readlink /nfs"),
            "/srv/shared\n/mnt/nfs"
        );
        host.ask("grep --quiet '^# before mesosflow: 127.0.1.1 theirs$' /etc/hosts");
    }
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    // Each host's own daemon took the unit's name; the other one stays where it is.
    slave.ask("grep --quiet =theirs /etc/systemd/system/mesos-slave.service.2*");
    master.ask("grep --quiet =theirs /etc/systemd/system/mesos-slave.service");
    assert_eq!(
        master.ask("readlink /etc/systemd/system/mesos-master.service.2*"),
        "/dev/null"
    );
    assert_eq!(
        slave.ask("readlink /etc/systemd/system/mesos-master.service"),
        "/dev/null"
    );
    for file in ["master", "slave"] {
        assert!(
            said.err
                .contains(&format!("/etc/systemd/system/mesos-{file}.service is now ")),
            "{}",
            said.err
        );
    }
}

fn built(bench: &Bench, run: &str, machines: &Machines) {
    let status = bench.status(run);
    status.all_done();
    for step in SKIPPED {
        assert_eq!(status.step(step)["state"], "skipped");
        assert!(
            status.step(step)["reason"]
                .as_str()
                .unwrap()
                .contains("listed in the configuration")
        );
    }
    for step in ["approve-zookeepers", "zookeeper-start"] {
        assert!(
            status.step(step)["reason"]
                .as_str()
                .unwrap()
                .contains("one master")
        );
    }
    let history = bench.history(run);
    history.assert_nothing_done_twice();
    let created = history
        .events()
        .iter()
        .filter(|event| event["kind"] == "resource_created");
    assert_eq!(created.count(), 2, "one key for each host");

    let nodes = status.nodes();
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    assert_eq!(
        (&nodes[0]["name"], &nodes[0]["role"]),
        (&"rack1-a".into(), &"master".into())
    );
    assert_eq!(nodes[0]["private_ip"], master.ip.as_str());
    assert_eq!(nodes[1]["instance_id"], slave.ip.as_str());

    // The body of the user's private key, which is on no machine.
    let secret = std::fs::read_to_string(machines.key()).unwrap();
    let secret = secret.lines().nth(2).unwrap();
    for host in &machines.hosts {
        let keys = host.authorized_keys();
        let of_nodes = if host.ip == master.ip { 2 } else { 1 };
        assert_eq!((keys.len(), &keys[0]), (2 + of_nodes, &machines.public_key()));
        assert!(keys[1..].iter().all(|key| key.ends_with(run)), "{keys:?}");
        assert!(keys[2..].iter().all(|key| key.contains("from=\"")), "{keys:?}");
        assert!(host.ask(&format!("cat {MARK}")).ends_with(run));
        let found = host.run(&format!(
            "grep -rlF -- '{secret}' /root /home /etc /tmp /var /mnt /opt"
        ));
        assert_eq!(found.out, "", "the user's private key is on {}", host.container);
        let owner = format!("stat -c %U:%a ~{}/.ssh/authorized_keys", host.user);
        assert_eq!(host.ask(&owner), format!("{}:600", host.user));
    }
}

fn belongs_to_one_cluster(bench: &mut Bench, cluster: &str, run: &str, machines: &Machines) {
    let before: Vec<_> = machines.hosts.iter().map(Host::authorized_keys).collect();
    let second = bench.cluster();
    let said = bench.say(&["run", "--cluster", &second]).ended(2);
    said.complains(&[
        "2 of 2 hosts cannot be used",
        "rack1-a",
        &format!("cluster `{cluster}` (run {run})"),
    ]);
    let after: Vec<_> = machines.hosts.iter().map(Host::authorized_keys).collect();
    assert_eq!(before, after);
}

/// Skipped steps are skipped again, and destroy nothing that somebody would have to be asked about. A host that another
/// cluster has taken meanwhile is not touched.
fn replayed(bench: &mut Bench, run: &str, machines: &Machines) {
    let slave = &machines.hosts[1];
    slave.ask(&format!("mv {MARK} /root/owner && echo 'other 01jd3k' > {MARK}"));
    let replay = ["replay", run, "--from", "security-groups", "--to", "await-nodes"];
    let said = bench.say(&replay).ended(1);
    said.complains(&["sanity-check", "slave-1", "cluster `other` (run 01jd3k)"]);
    slave.ask(&format!("mv /root/owner {MARK}"));

    bench.say(&replay).ended(0);
    let status = bench.status(run);
    assert_eq!(status.generation(), 3);
    assert_eq!(status.step("launch-slaves")["state"], "skipped");
    for host in &machines.hosts {
        assert!(host.authorized_keys()[1].ends_with(run));
    }
}

/// Of hosts, daemons alone are stopped, with what they have started; and none comes back with a boot.
fn stopped_and_started(bench: &mut Bench, run: &str, machines: &Machines) {
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    executor(slave);
    bench.start(&["stop", "--yes"]).finish(RUN_LIMIT).ended(0);
    assert_eq!(slave.ask(EXECUTORS), "", "an executor outlives the stop");
    for host in [master, slave] {
        let up = host.ask(
            "cd / && for unit in $(cd /root/mesos-ec2/units && ls) mesos-master.service mesos-slave.service; do
               case $(systemctl is-active $unit)$(systemctl is-enabled $unit) in active*|*enabled) echo $unit ;; esac
             done 2>/dev/null",
        );
        assert_eq!(up, "", "runs, or will after a boot");
    }
    bench.say(&["run-command", "--", "true"]).ended(3);
    bench.say(&["stop", "--yes"]).ended(0);
    bench.start(&["start"]).finish(RUN_LIMIT).ended(0);
    assert_healthy(&machines.nodes(bench, run));
    // Whoever gets the host back has nothing of it running either.
    executor(slave);
}

/// The executors of the slave's agent.
const EXECUTORS: &str = "pgrep -fx 'sleep 4711' || true";

/// Something that the agent has started, and leaves alone when it is stopped.
fn executor(slave: &Host) {
    slave.ask(
        "group=$(systemctl show --property ControlGroup --value mesos-slave.service)
         for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
           [ ! -e $root$group/cgroup.procs ] || procs=$root$group/cgroup.procs
         done
         setsid sleep 4711 > /dev/null 2>&1 & echo $! > $procs",
    );
    assert_ne!(slave.ask(EXECUTORS), "");
}

fn given_back(bench: &mut Bench, run: &str, machines: &Machines) {
    // A host that is away keeps nobody from giving back the others, and is named.
    let [master, slave] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    slave.ask("systemctl stop ssh.socket ssh 2>/dev/null; systemctl stop ssh");
    bench
        .say(&["destroy", run, "--yes"])
        .ended(1)
        .complains(&["cannot give", "slave-1"]);
    assert_eq!(master.authorized_keys(), [machines.public_key()]);
    slave.ask("systemctl start ssh");

    let said = bench.say(&["destroy", run, "--yes"]).ended(0);
    assert!(said.out.contains("the machines stay"), "{}", said.out);
    for host in &machines.hosts {
        assert_eq!(host.authorized_keys(), [machines.public_key()]);
        assert_ne!(host.run(&format!("test -e {MARK}")).code, 0);
        assert_ne!(
            host.run("pgrep -f '[m]esos-(master|agent)|[N]ameNode|[D]ataNode|[g]anesha.nfsd'")
                .code,
            0
        );
        assert_ne!(host.run("mountpoint --quiet /mnt/nfs").code, 0);
        assert_eq!(host.ask(EXECUTORS), "", "an executor outlives the cluster");
        assert_eq!(
            host.run("ls -d /root/.ssh/mesosflow*").out,
            "",
            "keys of nodes are left"
        );
        let kept = host.ask("cat /proc/sys/net/ipv4/ip_local_reserved_ports; ls /etc/sysctl.d");
        assert!(
            kept.starts_with("8888\n") && !kept.contains("mesosflow"),
            "{kept}"
        );
        assert!(
            machines.opens(host),
            "the user's key does not open {} any more",
            host.container
        );
    }
    bench.say(&["destroy", run, "--yes"]).ended(0);
}
