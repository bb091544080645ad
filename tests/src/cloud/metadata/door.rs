//! The way to the service: on this machine's side of the machines' network, so that it is there whatever becomes of a machine's
//! own. What goes to the service's address comes to a port here, with the address that it came from.

use std::net::SocketAddr;
use std::process::Command;

/// The address that every machine on EC2 asks.
const ADDRESS: &str = "169.254.169.254/32";

/// The rule that leads there. Dropped, it is taken away; should the test be killed, the guard takes it away.
#[derive(Debug)]
pub(super) struct Door {
    rule: Vec<String>,
}

impl Door {
    /// Leads what comes in by that interface to `to`. The guard knows the rule by the label.
    ///
    /// # Panics
    /// The packet filter does not take it.
    pub(super) fn open(bridge: &str, label: &str, to: SocketAddr) -> Self {
        let comment = format!("mesosflow-test-{label}");
        let to = to.to_string();
        let rule = [
            "PREROUTING",
            "-i",
            bridge,
            "-d",
            ADDRESS,
            "-p",
            "tcp",
            "--dport",
            "80",
            "-m",
            "comment",
            "--comment",
            &comment,
            "-j",
            "DNAT",
            "--to-destination",
            &to,
        ];
        let rule = rule.map(str::to_owned).to_vec();
        // Before all others: one that a killed guard has left leads nowhere.
        let output = call("-I", &rule);
        let output = output.expect("iptables starts");
        assert!(
            output.status.success(),
            "iptables: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { rule }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _gone = call("-D", &self.rule);
    }
}

fn call(act: &str, rule: &[String]) -> std::io::Result<std::process::Output> {
    Command::new("iptables")
        .args(["-w", "-t", "nat", act])
        .args(rule)
        .output()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_on_an_interface_is_in_nobodys_way() {
        let label = |number| format!("door-{}-{number}", std::process::id());
        let to = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let bridge = "mf-no-bridge";
        let _left = Door::open(bridge, &label(1), to(1));
        let _door = Door::open(bridge, &label(2), to(2));
        let rules = Command::new("iptables")
            .args(["-w", "-t", "nat", "-S", "PREROUTING"])
            .output();
        let rules = String::from_utf8(rules.unwrap().stdout).unwrap();
        let at = |number| {
            let comment = format!("mesosflow-test-{} ", label(number));
            rules.lines().position(|rule| rule.contains(&comment)).unwrap()
        };
        assert!(at(2) < at(1), "{rules}");
    }
}
