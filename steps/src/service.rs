//! Daemons of a node, as systemd units of the deployed tree: installed, started, stopped and gone.

use std::time::Duration;

use crate::act::ActError;
use crate::cluster::Node;
use crate::mounts::{DOWN, ON_DISK};
use crate::remote::RemoteError;
use crate::world::{Script, World};
use crate::{aside, claim};

/// A stop may have to wait for a daemon's own time-out (20 s in the units) and systemd's.
const STOP_LIMIT: Duration = Duration::from_secs(90);

const STAMP: &str = shell!("service-stamp.sh");
/// `is_loaded UNIT`: systemd goes by the unit's files as they are now.
pub(crate) const IS_LOADED: &str = r#"is_loaded() { [ "$(systemctl show --property NeedDaemonReload --value -- "$1")" != yes ]; }
"#;
const IS_CURRENT: &str = shell!("service-is-current.sh");
const IS_ENABLED: &str = r#"systemctl is-enabled --quiet "$unit" 2>/dev/null || exit 1"#;
/// Since somebody has started it last.
const KEEPS_ENDING: &str =
    r#"[ "$(systemctl show --property NRestarts --value -- "$unit")" -ge 5 ] || exit 1"#;
const START: &str = shell!("service-start.sh");
const STOP: &str = r#"rm -f "/run/mesosflow/$unit.started"
[ -e "/etc/systemd/system/$unit" ] || exit 0
systemctl stop "$unit""#;
const RETIRE: &str = shell!("service-retire.sh");
const IS_RETIRED: &str = shell!("service-is-retired.sh");
const EXPLAIN: &str = shell!("service-explain.sh");

/// The script that prints a line for each daemon of a node that starts by itself and is down: its unit, its state, and the disks that
/// it lacks.
pub(crate) fn down_script() -> Script<'static> {
    Script::new("look for daemons that are down", "down")
        .before(ON_DISK)
        .before(DOWN)
}

/// Where the units of the deployed tree are.
pub(crate) const DEPLOYED_UNITS: &str = "/root/mesos-ec2/units";

/// A daemon: its unit, and the folders whose files configure it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// The unit's file name.
    pub unit: &'static str,
    /// The folder of the file that is laid as its unit.
    pub units: &'static str,
    /// The folders of its configuration, separated by spaces; a change there means a restart.
    pub config: &'static str,
}

impl Service {
    fn script<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        Script::new(title, body)
            .before(ON_DISK)
            .var("unit", self.unit)
            .var("units", self.units)
            .var("config", self.config)
    }

    /// A script that leaves a unit of the user's alone.
    fn of_ours<'a>(&self, title: &'a str, body: &'a str) -> Script<'a> {
        let script = self.script(title, body).before(aside::IS_OUR_UNIT);
        script.before(aside::FUNCTIONS)
    }

    /// Whether the daemon runs, under the deployed unit and configuration, and will after a reboot.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub(crate) async fn is_current(&self, world: &World, node: &Node) -> Result<bool, RemoteError> {
        let title = format!("look at {}", self.unit);
        let body = format!("{IS_LOADED}{STAMP}{IS_CURRENT}");
        world.ask(node, self.script(&title, &body)).await
    }

    /// Whether the node starts it at every boot: one that it never had, or that was retired, is not.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub(crate) async fn is_enabled(&self, world: &World, node: &Node) -> Result<bool, RemoteError> {
        let title = format!("look whether {} is enabled", self.unit);
        world.ask(node, self.script(&title, IS_ENABLED)).await
    }

    /// Whether it has ended by itself, and was started by systemd, again and again since it was started anew: it will not get well so.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub(crate) async fn keeps_ending(&self, world: &World, node: &Node) -> Result<bool, RemoteError> {
        let title = format!("look whether {} keeps ending", self.unit);
        world.ask(node, self.script(&title, KEEPS_ENDING)).await
    }

    /// Installs the unit, enables it for the next boot and starts it anew.
    ///
    /// # Errors
    /// The node cannot be reached, or systemd refuses.
    pub(crate) async fn restart(&self, world: &World, node: &Node) -> Result<(), RemoteError> {
        let title = format!("start {}", self.unit);
        let body = format!("{STAMP}{START}");
        let script = self.script(&title, &body).before(aside::FUNCTIONS);
        world.run(node, script.within(STOP_LIMIT)).await?;
        claim::tell(world, node).await
    }

    /// Starts the daemon unless it runs as it should.
    ///
    /// # Errors
    /// Like [`Service::restart`].
    pub(crate) async fn ensure(&self, world: &World, node: &Node) -> Result<(), RemoteError> {
        if self.is_current(world, node).await? {
            Ok(())
        } else {
            self.restart(world, node).await
        }
    }

    /// Stops the daemon and waits until it is gone; it stays enabled for the next boot.
    ///
    /// # Errors
    /// The node cannot be reached, or systemd refuses.
    pub(crate) async fn stop(&self, world: &World, node: &Node) -> Result<(), RemoteError> {
        let title = format!("stop {}", self.unit);
        world
            .run(node, self.script(&title, STOP).within(STOP_LIMIT))
            .await?;
        Ok(())
    }

    /// Stops the daemon until somebody starts it: it does not come back with the next boot either.
    ///
    /// # Errors
    /// The node cannot be reached, or systemd refuses.
    pub(crate) async fn retire(&self, world: &World, node: &Node) -> Result<(), RemoteError> {
        let title = format!("stop {}", self.unit);
        let script = self.of_ours(&title, RETIRE).within(STOP_LIMIT);
        world.run(node, script).await.map(drop)
    }

    /// Whether it does not run, and will not after a reboot.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub(crate) async fn is_retired(&self, world: &World, node: &Node) -> Result<bool, RemoteError> {
        let title = format!("look whether {} is stopped", self.unit);
        world.ask(node, self.of_ours(&title, IS_RETIRED)).await
    }

    /// Adds what the daemon last said to an error of waiting for it.
    pub(crate) async fn explain(&self, world: &World, node: &Node, error: ActError) -> ActError {
        let ActError::Unmet { what, class, hint } = error else {
            return error;
        };
        let title = format!("ask {} what is wrong", self.unit);
        let said = match world.run(node, self.script(&title, EXPLAIN)).await {
            Ok(output) => output.stdout_str(),
            Err(_) => return ActError::Unmet { what, class, hint },
        };
        let lines: String = said.lines().map(|line| format!("\n    {line}")).collect();
        ActError::Unmet {
            what: format!("{what}; {} says:{lines}", self.unit),
            class,
            hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::EXPLAIN;

    #[test]
    fn what_a_daemon_refuses_is_told_and_its_usage_is_not() {
        let place = tempfile::tempdir().unwrap();
        let log = "Started mesos-slave.service - Mesos.\nFailed to load unknown flag 'x'\n\nUsage: mesos-agent [options]\n\n  --acls=VALUE\n\
                   mesos-slave.service: Main process exited, code=exited, status=1/FAILURE\n";
        for (name, says) in [("journalctl", log), ("systemctl", "failed\n")] {
            let path = place.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\ncat <<'end'\n{says}end\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", place.path().display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-euc", &format!("missing_for() {{ :; }}\n{EXPLAIN}")])
            .env("PATH", path)
            .env("unit", "mesos-slave.service")
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "failed\nStarted mesos-slave.service - Mesos.\nFailed to load unknown flag 'x'\n\
             mesos-slave.service: Main process exited, code=exited, status=1/FAILURE\n"
        );
    }
}
