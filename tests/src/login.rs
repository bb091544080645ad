//! Logging in as somebody would who has a key, with OpenSSH's own client.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// What the client says when root logs in with a key and asks who that is: `uid=0` where it may, an error otherwise. Any host key
/// is taken.
///
/// # Panics
/// There is no client, or no such key.
pub fn log_in(key: &Path, address: &str) -> String {
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(key, private).expect("a key");
    let output = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(key)
        .args([&format!("root@{address}"), "id"])
        .output()
        .expect("ssh starts");
    [output.stdout, output.stderr]
        .map(|said| String::from_utf8_lossy(&said).into_owned())
        .concat()
}
