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
        let output = call("-A", &rule);
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
