//! The firewall of listed hosts: strangers reach none of the cluster's ports, people and nodes reach all of them, SSH and a
//! user's own services answer as before; so after whatever the system's own firewall does, after a reboot, and not after
//! `destroy`.

use std::time::Duration;

use mesosflow_tests::{Bench, Host, Machines, RUN_LIMIT, until};

const LIMIT: Duration = Duration::from_secs(180);
/// A port of the slaves on which only the scenario itself listens, and one that is nobody's business.
const SLAVES_OWN: &str = "50060";
const USERS_OWN: &str = "8888";
const MASTER_PORTS: [&str; 4] = ["5050", "9000", "50070", "2049"];
const SLAVE_PORTS: [&str; 4] = ["5051", "50010", "60010", SLAVES_OWN];

/// As a system has it whose owner uses nftables: everything is flushed with each start and reload, and a table is made.
const USERS_TABLE: &str = "flush ruleset\ntable inet mine {\n  chain input {\n    type filter hook input priority 0; policy accept;\n  }\n}\n";

struct Scene {
    machines: Machines,
}

impl Scene {
    fn master(&self) -> &Host {
        &self.machines.hosts[0]
    }

    fn slave(&self) -> &Host {
        &self.machines.hosts[1]
    }

    fn admin(&self) -> &Host {
        &self.machines.hosts[2]
    }

    fn stranger(&self) -> &Host {
        &self.machines.hosts[3]
    }

    /// Strangers are kept out of the cluster's ports and of nothing else; everybody else is let in.
    #[track_caller]
    fn assert_shut(&self, when: &str) {
        let (master, slave) = (self.master().ip.as_str(), self.slave().ip.as_str());
        let clusters = [at(master, &MASTER_PORTS), at(slave, &SLAVE_PORTS)].concat();
        for insider in [self.admin(), self.slave(), self.master()] {
            until("the daemons answer those who may ask", LIMIT, || {
                (reached(insider, &clusters) == clusters).then_some(())
            });
        }
        // Otherwise a way that is only not found yet would look shut: a machine that was rebooted has another link address.
        let ssh = [(master, "22"), (slave, "22")];
        until("SSH answers strangers", LIMIT, || {
            (reached(self.stranger(), &ssh) == ssh).then_some(())
        });
        let slave6 = address6(self.slave());
        until("the user's own service answers over IPv6", LIMIT, || {
            reaches(self.stranger(), &slave6, USERS_OWN).then_some(())
        });
        // The user's own service is open, and the cluster's port over the other protocol is not.
        let others = [(slave, USERS_OWN), (slave6.as_str(), SLAVES_OWN)];
        let open = reached(self.stranger(), &[&clusters[..], &others[..]].concat());
        assert_eq!(open, [(slave, USERS_OWN)], "{when}: what answers strangers");
    }
}

/// A port at an address.
type Door<'a> = (&'a str, &'static str);

fn at<'a>(address: &'a str, ports: &[&'static str]) -> Vec<Door<'a>> {
    ports.iter().map(|port| (address, *port)).collect()
}

/// Those that answer, asked all at once: one that drops says nothing for as long as it is asked.
fn reached<'a>(from: &Host, doors: &[Door<'a>]) -> Vec<Door<'a>> {
    let ask =
        |(address, port): &Door<'_>| format!("(nc -z -w 3 {address} {port} && echo {address} {port}) &");
    let script: Vec<_> = doors.iter().map(ask).collect();
    let said = from.run(&format!("{} wait", script.join(" "))).out;
    let answers = |(address, port): &&Door<'a>| said.lines().any(|line| line == format!("{address} {port}"));
    doors.iter().filter(answers).copied().collect()
}

fn reaches(from: &Host, address: &str, port: &'static str) -> bool {
    reached(from, &[(address, port)]) == [(address, port)]
}

/// Two listeners on a machine that come back after a reboot, for IPv4 and IPv6.
fn listen(host: &Host) {
    for port in [SLAVES_OWN, USERS_OWN] {
        host.ask(&format!(
            "printf '[Service]\\nExecStart=/bin/nc -6 -l -k %s\\nRestart=always\\n[Install]\\nWantedBy=multi-user.target\\n' {port} \
             > /etc/systemd/system/listen-{port}.service && sysctl -q -w net.ipv6.bindv6only=0 &&
             systemctl daemon-reload && systemctl enable --quiet --now listen-{port}"
        ));
    }
}

fn scene(bench: &mut Bench, cluster: &str) -> Scene {
    let mut machines = Machines::new(bench, cluster);
    for _ in 0..4 {
        machines.start("root", 22);
    }
    let [master, slave, admin, _] = &machines.hosts[..] else {
        panic!("{machines:?}")
    };
    master.ask(&format!(
        "cat > /etc/nftables.conf <<'END'\n{USERS_TABLE}END\nsystemctl enable --quiet --now nftables"
    ));
    listen(slave);
    let text = format!(
        "cluster = '{cluster}'\nprovider = 'hosts'\nshared_volume.fallback = 'sshfs'\n\n\
         [hosts]\nidentity_file = '~/id_ed25519'\nadmin_cidr = ['{}/32']\n\n\
         [[hosts.nodes]]\nrole = 'master'\naddress = '{}'\nhost_key = '{}'\n\n\
         [[hosts.nodes]]\nrole = 'slave'\naddress = '{}'\nhost_key = '{}'\n",
        admin.ip, master.ip, master.host_key, slave.ip, slave.host_key,
    );
    bench.config(&text);
    Scene { machines }
}

/// The address that every machine has within its network, by its link; another one after a reboot.
fn address6(host: &Host) -> String {
    let address =
        host.ask("grep -w eth0 /proc/net/if_inet6 | head -n 1 | cut -d ' ' -f 1 | sed 's/..../&:/g; s/:$//'");
    format!("{address}%eth0")
}

#[test]
fn strangers_are_kept_from_the_ports_of_listed_hosts_and_from_nothing_else() {
    let mut bench = Bench::new();
    let cluster = bench.cluster();
    let scene = scene(&mut bench, &cluster);
    let mut live = bench.start(&["run"]);
    let run = live.run();
    live.finish(RUN_LIMIT).ended(0);
    scene.assert_shut("after the run");

    // What is so already is found, and what somebody flushed is put back.
    scene.slave().ask("nft flush ruleset");
    assert!(reaches(scene.stranger(), &scene.slave().ip, SLAVES_OWN));
    bench
        .say(&[
            "replay",
            &run,
            "--from",
            "setup-nodes",
            "--to",
            "setup-nodes",
            "--yes",
        ])
        .ended(0);
    scene.assert_shut("after a replay");

    // People have moved: whoever came from the old address is a stranger now.
    let [_, _, admin, stranger] = &scene.machines.hosts[..] else {
        panic!("{:?}", scene.machines)
    };
    let (ip, port) = (&scene.master().ip, "5050");
    assert!(reaches(admin, ip, port) && !reaches(stranger, ip, port));
    let cidr = format!("{}/32", stranger.ip);
    bench.say(&["resume", &run, "--admin-cidr", &cidr]).ended(0);
    assert!(reaches(stranger, ip, port) && !reaches(admin, ip, port));
    // The file says still where they came from.
    let plan = bench.say(&["plan", "configure", "--json"]).ended(0).json();
    assert!(plan.to_string().contains("hosts.admin_cidr"), "{plan}");
    bench.start(&["configure", "--yes"]).finish(RUN_LIMIT).ended(0);
    scene.assert_shut("after its people came back");

    for act in ["restart", "reload", "stop", "start"] {
        scene.master().ask(&format!("systemctl {act} nftables"));
        scene.assert_shut(&format!("after `systemctl {act} nftables`"));
    }
    for host in [scene.master(), scene.slave()] {
        scene.machines.reboot(host);
    }
    scene.assert_shut("after a reboot");

    bench.say(&["destroy", &run, "--yes"]).ended(0);
    let tables = |host: &Host| host.ask("nft list tables");
    assert_eq!(tables(scene.master()), "table inet mine");
    assert_eq!(tables(scene.slave()), "");
    for host in [scene.master(), scene.slave()] {
        let left = host.run("ls -d /etc/mesosflow/firewall* /etc/systemd/system/*firewall* /etc/systemd/system/nftables.service.d");
        assert_eq!(left.out, "");
    }
    assert!(reaches(scene.stranger(), &scene.slave().ip, SLAVES_OWN));
}
