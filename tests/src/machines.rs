//! Machines as a user has them: they run, let the user's own key in, and know nothing of mesosflow.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mesosflow_steps::provider::local::image::image_name;

use crate::bench::Bench;
use crate::engine::{Engine, Ran};
use crate::nodes::Nodes;
use crate::wait::until;

/// A container boots in a second or two; the machine may be busy.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// One machine.
#[derive(Debug, Clone)]
pub struct Host {
    engine: Engine,
    /// Its container.
    pub container: String,
    /// Its address.
    pub ip: String,
    /// Who may log in.
    pub user: String,
    /// The port of its SSH server.
    pub port: u16,
    /// Its host key: the line of a public key.
    pub host_key: String,
}

impl Host {
    /// Runs a shell script on it as root, through the engine.
    pub fn run(&self, script: &str) -> Ran {
        self.engine.exec(&self.container, script)
    }

    /// What such a script prints that has to work.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn ask(&self, script: &str) -> String {
        self.run(script).ok()
    }

    /// The keys that may log in.
    ///
    /// # Panics
    /// They cannot be read.
    #[track_caller]
    pub fn authorized_keys(&self) -> Vec<String> {
        let keys = self.ask(&format!("cat ~{}/.ssh/authorized_keys", self.user));
        keys.lines().map(str::to_owned).collect()
    }
}

/// Machines of one network, and the key that opens them.
#[derive(Debug)]
pub struct Machines {
    engine: Engine,
    network: String,
    /// The network's addresses but for their last number: those of machines outlive their reboots.
    prefix: String,
    label: String,
    key: PathBuf,
    /// In the order in which they were started.
    pub hosts: Vec<Host>,
}

impl Machines {
    /// A network for machines, and a key of the user's. Both go with the scenario's `cluster`.
    ///
    /// # Panics
    /// They cannot be made.
    #[track_caller]
    pub fn new(bench: &Bench, cluster: &str) -> Self {
        let key = bench.path("id_ed25519");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "the user", "-f"])
            .arg(&key)
            .status();
        assert!(made.expect("ssh-keygen starts").success(), "no key was made");
        let engine = bench.engine().clone();
        let (network, label) = (
            format!("{cluster}-rack"),
            format!("org.mesosflow.cluster={cluster}"),
        );
        engine
            .run(&["network", "create", "--label", &label, &network])
            .ok();
        let inspected = engine.run(&["network", "inspect", &network]).ok();
        // podman: subnets[].subnet; docker: IPAM.Config[].Subnet.
        let (_, subnet) = inspected
            .split_once("\"subnet\": \"")
            .or_else(|| inspected.split_once("\"Subnet\": \""))
            .expect("a subnet");
        let prefix = subnet.split('/').next().and_then(|net| net.rsplit_once('.'));
        let prefix = prefix.expect("an IPv4 network").0.to_owned();
        Self {
            engine,
            network,
            prefix,
            label,
            key,
            hosts: Vec::new(),
        }
    }

    /// The user's private key.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// Its public half, as `authorized_keys` has it.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn public_key(&self) -> String {
        let text = std::fs::read_to_string(self.key.with_extension("pub")).expect("the public key");
        text.trim().to_owned()
    }

    /// Starts a machine where `user` may log in on `port` with the user's key and, if not root, use sudo.
    ///
    /// # Panics
    /// It does not come up.
    #[track_caller]
    pub fn start(&mut self, user: &str, port: u16) -> &Host {
        let container = format!("{}-{}", self.network, self.hosts.len() + 1);
        let mut args = vec![
            "create",
            "--name",
            &container,
            "--privileged",
            "--network",
            &self.network,
        ];
        let ip = format!("{}.{}", self.prefix, 10 + self.hosts.len());
        args.extend(["--label", &self.label, "--ip", &ip]);
        args.extend(self.engine.run_args().iter().map(String::as_str));
        let image = image_name();
        args.extend([image.as_str(), "/sbin/init"]);
        self.engine.run(&args).ok();
        self.engine.run(&["start", &container]).ok();
        let exec = |script: &str| self.engine.exec(&container, script);
        until("sshd on a machine", BOOT_LIMIT, || {
            (exec("systemctl is-active ssh && test -s /etc/ssh/ssh_host_ed25519_key.pub").code == 0)
                .then_some(())
        });
        exec(&format!(
            "echo 'Port {port}' > /etc/ssh/sshd_config.d/port.conf && systemctl restart ssh"
        ))
        .ok();
        if user != "root" {
            exec(&format!(
                "useradd --create-home --shell /bin/bash {user} &&
                echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}"
            ))
            .ok();
        }
        exec(&format!(
            "install -d -m 700 -o {user} -g {user} ~{user}/.ssh &&
            echo '{}' > ~{user}/.ssh/authorized_keys &&
            chown {user}:{user} ~{user}/.ssh/authorized_keys && chmod 600 ~{user}/.ssh/authorized_keys",
            self.public_key()
        ))
        .ok();
        let host = Host {
            engine: self.engine.clone(),
            ip,
            user: user.to_owned(),
            port,
            host_key: exec("cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub").ok(),
            container,
        };
        self.hosts.push(host);
        &self.hosts[self.hosts.len() - 1]
    }

    /// Switches a machine off and on again, and waits for its SSH server. Its `/etc/hosts` stays as on a machine that is none
    /// of an engine's, which writes that file anew.
    ///
    /// # Panics
    /// It does not come back.
    #[track_caller]
    pub fn reboot(&self, host: &Host) {
        let names = host.ask("cat /etc/hosts");
        self.engine
            .run(&["restart", "--time", "20", &host.container])
            .ok();
        host.ask(&format!("cat > /etc/hosts <<'END'\n{names}\nEND"));
        until("sshd on a machine that was rebooted", BOOT_LIMIT, || {
            (host.run("systemctl is-active ssh").code == 0).then_some(())
        });
    }

    /// The nodes of a run on these machines, as `status --json` says.
    pub fn nodes(&self, bench: &Bench, run: &str) -> Nodes {
        let mut nodes = bench.nodes(run);
        nodes.enter_by(|address| {
            let host = self.hosts.iter().find(|host| host.ip == address);
            host.map(|host| host.container.clone())
        });
        nodes
    }

    /// Whether the user's own key opens a machine still.
    ///
    /// # Panics
    /// `ssh` cannot be started.
    pub fn opens(&self, host: &Host) -> bool {
        let known = self.key.with_extension("known_hosts");
        std::fs::write(
            &known,
            format!("[{}]:{} {}\n{0} {2}\n", host.ip, host.port, host.host_key),
        )
        .expect("known hosts are written");
        let status = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
            ])
            .arg(format!("UserKnownHostsFile={}", known.display()))
            .args(["-p", &host.port.to_string(), "-i"])
            .arg(&self.key)
            .arg(format!("{}@{}", host.user, host.ip))
            .arg("true")
            .status();
        status.expect("ssh starts").success()
    }
}
