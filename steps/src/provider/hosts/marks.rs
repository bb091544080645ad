//! What is left on a host, as scripts: the mark that says whose it is, and the line of the cluster's key.
//!
//! The mark comes before the line and goes before it, so that a host whose door the key opens either has the mark or is
//! being given back. Each script looks first and can be repeated after having been cut off anywhere.

use std::time::Duration;

use crate::aside;
use crate::on_node;
use crate::on_node::{KEPT_PORTS, ROLES_FOLDER, SSH_FOLDER};
use crate::provider::{Owner, driver_tag};
use crate::remote::quote::{self, QuoteError};
use crate::remote::{Command, RemoteError, Session};
use crate::system::{INSTALLED, System};

/// The file that says which cluster and run a host belongs to.
pub const MARK_PATH: &str = "/etc/mesosflow/owner";

/// Stopping daemons takes as long as their own limits let it.
const LEAVE_LIMIT: Duration = Duration::from_secs(180);

const LOOK: &str = shell!("host-look.sh");

const LACKS: &str = shell!("host-lacks.sh");

/// The host's system, its processors, its memory and what is free on its root file system (KiB), a line each.
const AROUND: &str = shell!("host-around.sh");

/// What the scripts of the first steps call.
const BASE: &str = "awk find findmnt sed sha256sum ssh";

const ADMIT: &str = shell!("host-admit.sh");

const LEAVE: &str = shell!("host-leave.sh");

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// Whose it is, as its mark says.
    pub(super) owner: Option<Held>,
    /// Whether the line of the cluster's key is there.
    pub(super) has_key: bool,
}

/// Whose a host is, as its mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// The cluster.
    pub(super) cluster: String,
    /// The run.
    pub(super) run: String,
}

impl Held {
    /// The mark of an owner.
    pub(super) fn by(owner: &Owner) -> Self {
        Self {
            cluster: owner.cluster.clone(),
            run: owner.run.to_string(),
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.cluster, self.run)
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cluster `{}` (run {})", self.cluster, self.run)
    }
}

impl Marks {
    fn parse(text: &str) -> Self {
        let mut marks = Self::default();
        for line in text.lines() {
            if let Some(owner) = line.strip_prefix("owner ") {
                let (cluster, run) = owner.split_once(' ').unwrap_or((owner, "unknown"));
                marks.owner = Some(Held {
                    cluster: cluster.to_owned(),
                    run: run.to_owned(),
                });
            }
            marks.has_key |= line == "key";
        }
        marks
    }
}

/// Looks whose a host is, and for the line of a key.
pub(super) async fn look(session: &Session, line: &str) -> Result<Marks, RemoteError> {
    let user = session.target().user.as_str();
    let variables = [("mark", MARK_PATH), ("user", user), ("line", line)];
    Ok(Marks::parse(
        &run(session, "look whose it is", LOOK, &variables).await?,
    ))
}

/// What a host lacks that the set-up cannot do without, and does not install by itself on its system.
pub(super) async fn lacks(session: &Session, firewall: bool) -> Result<Vec<String>, RemoteError> {
    let mut installed = INSTALLED.join(" ");
    if firewall {
        installed.push_str(" nft");
    }
    let firewall = if firewall { "yes" } else { "no" };
    let variables = [
        ("base", BASE),
        ("installed", installed.as_str()),
        ("firewall", firewall),
    ];
    let said = run(session, "look what it has", LACKS, &variables).await?;
    Ok(parse_lacks(&said))
}

/// A host, as far as who builds a cluster on it wants to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Around {
    /// Its system, for people.
    pub(super) system: String,
    /// How many processors it has; 0 where it does not tell.
    pub(super) processors: u32,
    /// Its memory, MiB.
    pub(super) memory_mib: u64,
    /// What is free on its root file system, MiB; none where it does not tell.
    pub(super) free_mib: Option<u64>,
}

/// Looks around on a host.
pub(super) async fn around(session: &Session) -> Result<Around, RemoteError> {
    Ok(parse_around(&run(session, "look around", AROUND, &[]).await?))
}

fn parse_around(said: &str) -> Around {
    let mut lines = said.lines().map(str::trim);
    let system = lines.next().unwrap_or("unknown").to_owned();
    let mut number = || lines.next()?.parse::<u64>().ok();
    let processors = number().and_then(|count| u32::try_from(count).ok());
    let (memory, free) = (number(), number());
    Around {
        system,
        processors: processors.unwrap_or_default(),
        memory_mib: memory.unwrap_or_default() / 1024,
        free_mib: free.map(|kib| kib / 1024),
    }
}

/// Whether Mesos lies where every node of a cluster has it.
pub(super) async fn has_mesos(session: &Session) -> Result<bool, RemoteError> {
    let script = "if [ -x /root/mesos/sbin/mesos-master ]; then echo yes; fi";
    Ok(run(session, "look for Mesos", script, &[]).await? == "yes")
}

fn parse_lacks(said: &str) -> Vec<String> {
    let mut lines = said.lines();
    let is_known = lines
        .next()
        .is_some_and(|system| system.parse::<System>().is_ok());
    let lacks = lines.filter_map(|line| match line.split_once(' ')? {
        ("base", what) => Some(what),
        ("installed", what) if !is_known => Some(what),
        _ => None,
    });
    lacks.map(str::to_owned).collect()
}

/// Marks a host as its owner's and, if `line` is given, lets that key in. Says whose it is already, if another's.
pub(super) async fn admit(
    session: &Session,
    owner: &Owner,
    line: Option<&str>,
) -> Result<Option<Held>, RemoteError> {
    let mark = Held::by(owner).line();
    let variables = [
        ("mark", MARK_PATH),
        ("owner", &mark),
        ("maker", &maker(owner)),
        ("user", &session.target().user),
        ("add", if line.is_some() { "yes" } else { "no" }),
        ("line", line.unwrap_or_default()),
    ];
    let said = run(session, "let the cluster's key in", ADMIT, &variables).await?;
    Ok(Marks::parse(&said).owner)
}

/// Who marks a host, for people: what refuses other drivers is the host's fence.
fn maker(owner: &Owner) -> String {
    match &owner.driver {
        Some(token) => {
            let (driver, cluster) = (driver_tag(&token.driver()), token.cluster);
            let of = owner
                .made_by
                .as_ref()
                .map(|by| format!(", journal {}", by.journal));
            format!(
                "Marked by driver {driver} of cluster {cluster}{}.",
                of.unwrap_or_default()
            )
        }
        None => "Marked outside the fence.".to_owned(),
    }
}

/// Stops what the owner's cluster runs there, and takes its mark and its key away.
pub(super) async fn leave(session: &Session, owner: &Owner, line: &str) -> Result<(), RemoteError> {
    let variables = [
        ("mark", MARK_PATH),
        ("owner", &Held::by(owner).line()),
        ("user", &session.target().user),
        ("units", &on_node::units()),
        ("role", on_node::ROLE_COMMAND),
        ("files", &[on_node::CLUSTER_FILE, on_node::NAMES_LIST].join(" ")),
        ("keys", &format!("{SSH_FOLDER} {ROLES_FOLDER}")),
        ("firewall", on_node::FIREWALL_UNIT),
        ("addition", on_node::FIREWALL_ADDITION),
        ("rules", on_node::FIREWALL_FILE),
        ("kept_ports", KEPT_PORTS),
        ("line", line),
    ];
    run(
        session,
        "take the cluster's key away",
        &leave_script(),
        &variables,
    )
    .await?;
    Ok(())
}

/// Only units of ours are stopped: a user's own of that name was moved aside, or is there still.
fn leave_script() -> String {
    format!("{}{}{LEAVE}", aside::FUNCTIONS, aside::IS_OUR_UNIT)
}

async fn run(
    session: &Session,
    title: &str,
    body: &str,
    variables: &[(&str, &str)],
) -> Result<String, RemoteError> {
    let script = script(body, variables).map_err(|error| RemoteError::Unsendable {
        node: session.node().to_owned(),
        title: title.to_owned(),
        reason: error.to_string(),
    })?;
    let command = Command::new(title, script)
        .deadline(LEAVE_LIMIT)
        .silence(LEAVE_LIMIT);
    Ok(session.run(command).await?.stdout_str())
}

fn script(body: &str, variables: &[(&str, &str)]) -> Result<String, QuoteError> {
    Ok(format!("set -eu\n{}", quote::with_variables(variables, body)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use mesosflow_workflow::RunId;

    use super::*;

    #[test]
    fn what_a_host_tells_of_itself_is_read() {
        let output = std::process::Command::new("sh")
            .args(["-c", AROUND])
            .output()
            .unwrap();
        let own = parse_around(&String::from_utf8_lossy(&output.stdout));
        assert!(
            own.processors > 0 && own.memory_mib > 0 && own.free_mib.is_some(),
            "{own:?}"
        );
        let poor = parse_around("Alpine Linux v3.20\n0\n\n");
        assert_eq!(
            (poor.system.as_str(), poor.processors, poor.free_mib),
            ("Alpine Linux v3.20", 0, None)
        );
    }

    const LINE: &str = "ssh-ed25519 AAAAnew mesosflow demo";

    /// Runs a script with `home` as the home folder of whoever runs the tests, and a mark in it.
    fn on(home: &Path, body: &str, owner: &str, add: &str) -> String {
        on_with(LINE, home, body, owner, add)
    }

    fn on_with(line: &str, home: &Path, body: &str, owner: &str, add: &str) -> String {
        let mark = home.join("owner").display().to_string();
        let user = String::from_utf8(
            std::process::Command::new("id")
                .arg("-un")
                .output()
                .unwrap()
                .stdout,
        )
        .unwrap();
        let variables = [
            ("mark", mark.as_str()),
            ("owner", owner),
            ("maker", "Marked by driver 3-0123456789abcdef of cluster 1."),
            ("user", user.trim()),
            ("line", line),
            ("add", add),
            ("units", "mesosflow-no-such.service"),
            ("role", "/nonexistent/mesosflow-role"),
            ("files", "/nonexistent/cluster"),
            ("keys", ""),
            ("firewall", "mesosflow-no-firewall.service"),
            ("addition", "/nonexistent/mesosflow.conf"),
            ("rules", "/nonexistent/firewall.nft"),
            ("kept_ports", "/nonexistent/ports.conf"),
        ];
        // The user database says where home is, and nothing of the machine itself is to be touched.
        let stand_in = format!(
            "getent() {{ echo 'x:x:0:0::{}:/bin/sh'; }}\nnft() {{ false; }}\n",
            home.display()
        );
        let body = body
            .replace("mkdir -p -m 755 /etc/mesosflow", ":")
            .replace("/etc/fstab", &home.join("fstab").display().to_string());
        let script = script(&format!("{stand_in}{body}"), &variables).unwrap();
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_let_in_once_and_only_that_line_goes_again() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".ssh/authorized_keys");
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        // The user's last line has no end.
        let theirs = format!("ssh-ed25519 AAAAtheirs me\n# {LINE}\n{LINE} 2");
        std::fs::write(&file, &theirs).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        for _ in 0..2 {
            assert_eq!(on(home.path(), ADMIT, "demo 1", "yes"), "");
            assert_eq!(
                std::fs::read_to_string(&file).unwrap(),
                format!("{theirs}\n{LINE}\n")
            );
        }
        let found = Marks::parse(&on(home.path(), LOOK, "", ""));
        assert!(found.has_key);
        assert_eq!(found.owner.unwrap().to_string(), "cluster `demo` (run 1)");
        for _ in 0..2 {
            on(home.path(), &leave_script(), "demo 1", "");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{theirs}\n"));
            assert_eq!(mode(&file), 0o640);
        }
        assert_eq!(Marks::parse(&on(home.path(), LOOK, "", "")), Marks::default());
    }

    #[test]
    fn the_line_of_a_lost_key_is_found_by_whose_it_is() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".ssh/authorized_keys");
        let theirs = "ssh-ed25519 AAAAtheirs me\n\nssh-ed25519 AAAAother mesosflow demo 11\n";
        let line = "ssh-ed25519 AAAAnew mesosflow demo 1";
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(&file, theirs).unwrap();
        on_with(line, home.path(), ADMIT, "demo 1", "yes");
        for _ in 0..2 {
            on_with("", home.path(), &leave_script(), "demo 1", "");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), theirs);
        }
    }

    #[test]
    fn a_home_without_keys_gets_them_with_the_modes_that_sshd_wants() {
        let home = tempfile::tempdir().unwrap();
        on(home.path(), ADMIT, "demo 1", "yes");
        assert_eq!(mode(&home.path().join(".ssh")), 0o700);
        assert_eq!(mode(&home.path().join(".ssh/authorized_keys")), 0o600);
        assert_eq!(mode(&home.path().join("owner")), 0o644);
        on(home.path(), &leave_script(), "demo 1", "");
        let left = std::fs::read_to_string(home.path().join(".ssh/authorized_keys")).unwrap();
        assert_eq!(left, "");
    }

    #[test]
    fn a_door_that_is_open_already_gets_no_line() {
        let home = tempfile::tempdir().unwrap();
        on(home.path(), ADMIT, "demo 1", "no");
        assert!(!home.path().join(".ssh").exists());
        assert!(home.path().join("owner").exists());
    }

    #[test]
    fn a_host_of_another_cluster_gets_neither_mark_nor_key_and_keeps_its_own() {
        let home = tempfile::tempdir().unwrap();
        on(home.path(), ADMIT, "first 1", "no");
        let said = on(home.path(), ADMIT, "second 2", "yes");
        assert_eq!(Marks::parse(&said).owner.unwrap().cluster, "first");
        assert!(!home.path().join(".ssh").exists());
        on(home.path(), &leave_script(), "second 2", "");
        assert!(home.path().join("owner").exists());
    }

    #[test]
    fn the_mount_of_the_shared_volume_leaves_the_table_of_mounts_and_nothing_else_does() {
        let home = tempfile::tempdir().unwrap();
        let others = "UUID=1 / ext4 defaults 0 1\n# 10.0.0.1:/ /mnt/nfs nfs4 old 0 0\nnas:/export /mnt/nfs nfs4 rw 0 0\n";
        let table = format!("{others}10.0.0.1:/mnt/nfs /mnt/nfs nfs4 nofail 0 0\n");
        std::fs::write(home.path().join("fstab"), table).unwrap();
        on(home.path(), ADMIT, "demo 1", "no");
        // Without systemd the reload fails, and says so by stopping there: then the mark stays, and a second try ends it.
        let body = leave_script().replace("systemctl daemon-reload", ":");
        on(home.path(), &body, "demo 1", "");
        assert_eq!(
            std::fs::read_to_string(home.path().join("fstab")).unwrap(),
            others
        );
    }

    #[test]
    fn a_users_own_unit_of_that_name_is_not_stopped() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path().display();
        let (system, tree) = (home.path().join("system"), home.path().join("tree/units"));
        for folder in [&system, &tree] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let unit = "mesosflow-no-such.service";
        std::fs::write(tree.join(unit), "ours").unwrap();
        let script = leave_script()
            .replace("/etc/systemd/system", &system.display().to_string())
            .replace("/root/mesos-ec2", &format!("{place}/tree"))
            .replace("/var/lib/mesosflow", &format!("{place}/lib"));
        let body = format!("systemctl() {{ echo \"$*\" >> '{place}/calls'; }}\n{script}");
        for (content, is_stopped) in [("theirs", false), ("ours", true)] {
            std::fs::write(system.join(unit), content).unwrap();
            on(home.path(), ADMIT, "demo 1", "no");
            on(home.path(), &body, "demo 1", "");
            let calls = std::fs::read_to_string(home.path().join("calls")).unwrap_or_default();
            assert_eq!(calls.contains(unit), is_stopped, "{content}: {calls}");
        }
    }

    #[test]
    fn what_is_installed_on_a_known_system_is_missed_on_an_unknown_one() {
        let lacks = "base ssh\ninstalled java\ninstalled mkfs.xfs\n";
        assert_eq!(parse_lacks(&format!("debian12\n{lacks}")), ["ssh"]);
        assert_eq!(
            parse_lacks(&format!("gentoo\n{lacks}")),
            ["ssh", "java", "mkfs.xfs"]
        );
        assert_eq!(
            parse_lacks(&format!("unknown\n{lacks}")),
            ["ssh", "java", "mkfs.xfs"]
        );
        assert!(parse_lacks("debian12\n").is_empty());
    }

    #[test]
    fn an_owner_is_read_as_it_was_written() {
        let owner = Owner {
            cluster: "demo".into(),
            run: RunId::generate(),
            driver: None,
            made_by: None,
        };
        let held = Held::by(&owner);
        assert_eq!(
            Marks::parse(&format!("owner {}\n", held.line())).owner,
            Some(held)
        );
    }
}
