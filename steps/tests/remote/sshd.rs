//! An OpenSSH server of its own for each test, which does not outlive it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mesosflow_steps::remote::{Command, HostKey, Pool, Session, Target};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A command that moves megabytes, which on a busy machine takes longer than an ordinary one may.
pub(crate) fn heavy(title: &str, script: impl Into<String>) -> Command {
    Command::new(title, script).deadline(5 * LIMIT).silence(5 * LIMIT)
}

pub(crate) struct Sshd {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    /// Bound, and never listens: while no server runs, the port is given to nobody else.
    _port: Socket,
}

/// Waits until `condition` gives something, and fails the test if it does not.
pub(crate) async fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < LIMIT, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with_options("")
    }

    /// A server with these lines at the head of its configuration.
    pub(crate) fn with_options(options: &str) -> Self {
        // The server's own requirement on Debian.
        fs::create_dir_all("/run/sshd").unwrap();
        let dir = TempDir::new().unwrap();
        for key in ["host_ed25519", "host_rsa", "user"] {
            let kind = if key == "host_rsa" { "rsa" } else { "ed25519" };
            let made = process::Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-f"])
                .arg(dir.path().join(key))
                .status()
                .unwrap();
            assert!(made.success());
        }
        fs::copy(dir.path().join("user.pub"), dir.path().join("authorized_keys")).unwrap();
        let held = held_port();
        let port = held.local_addr().unwrap().as_socket().unwrap().port();
        let mut server = Self {
            dir,
            port,
            child: None,
            _port: held,
        };
        let path = server.dir.path().display();
        // A home of its own: what the user's `.bashrc` prints would be taken for the command's output.
        let config = format!(
            "{options}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {path}/host_ed25519\nHostKey {path}/host_rsa\n\
             SetEnv HOME={path}\n\
             AuthorizedKeysFile {path}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nLogLevel VERBOSE\n"
        );
        fs::write(server.path("sshd_config"), config).unwrap();
        server.launch();
        server
    }

    /// Starts the server (again), on its port, and waits until it listens.
    pub(crate) fn launch(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        // It says so itself: a connection alone might be to somebody else.
        let launches = |server: &Self| server.log().matches("Server listening on").count();
        let before = launches(self);
        let mut child = process::Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "/usr/sbin/sshd", "-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let started = Instant::now();
        while launches(self) == before {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none() && started.elapsed() < LIMIT,
                "no server ({ended:?}): {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(2));
        }
        self.child = Some(child);
    }

    /// Kills the server and every connection, and nothing that runs in them.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let family = descendants(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        for (pid, name) in family {
            if name == "sshd" {
                let _ = process::Command::new("kill")
                    .args(["-KILL", &pid.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How often somebody logged in.
    pub(crate) fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    pub(crate) fn host_key(&self) -> HostKey {
        read_key(&self.path("host_ed25519.pub"))
    }

    pub(crate) fn target(&self) -> Target {
        Target::new("node-1", "127.0.0.1", "root")
            .port(self.port)
            .host_key(self.host_key())
    }

    pub(crate) fn pool(&self) -> Pool {
        Pool::new(self.path("user")).with_jobs_dir(self.text("jobs"))
    }

    pub(crate) async fn session(&self) -> Arc<Session> {
        self.pool().session(&self.target()).await.unwrap()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
        // Jobs outlive everything, also a test that failed before it ended them.
        for job in fs::read_dir(self.path("jobs")).into_iter().flatten().flatten() {
            let text = fs::read_to_string(job.path().join("pid")).unwrap_or_default();
            if let Some(pid) = text.split_whitespace().next().and_then(|word| word.parse().ok())
                && is_alive(pid)
            {
                let group = format!("-{pid}");
                let _ = process::Command::new("kill")
                    .args(["-KILL", "--", &group])
                    .stderr(Stdio::null())
                    .status();
            }
        }
    }
}

/// A port of this machine that belongs to whoever names it, and that nobody who asks for any is given.
fn held_port() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // The server that listens there says the same.
    socket.set_reuse_address(true).unwrap();
    socket
        .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    socket
}

pub(crate) fn read_key(path: &Path) -> HostKey {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// All processes below `root`, with their names.
fn descendants(root: u32) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else {
            continue;
        };
        let pid: u32 = stat[..open].trim().parse().unwrap_or(0);
        let parent: u32 = stat[close + 1..]
            .split_whitespace()
            .nth(1)
            .and_then(|p| p.parse().ok())
            .unwrap_or(0);
        all.push((pid, parent, stat[open + 1..close].to_owned()));
    }
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, _, name) in all.iter().filter(|(_, of, _)| *of == parent) {
            found.push((*pid, name.clone()));
            parents.push(*pid);
        }
    }
    found
}

/// Whether a process exists and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| !rest.trim_start().starts_with('Z'))
    })
}
