//! What the agent's unit does before the agent, on this machine: under another name than before, it begins anew.

use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/deploy/root/mesos-ec2/scripts/agent-identity"
);

fn boot_as(work: &Path, name: &str) {
    let status = Command::new("sh")
        .args([SCRIPT.as_ref(), work.as_os_str(), name.as_ref()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn an_agent_is_forgotten_when_its_machine_has_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("mesos work");
    let latest = work.join("meta/slaves/latest");
    fs::create_dir_all(latest.parent().unwrap()).unwrap();
    boot_as(&work, "198.51.100.7");
    std::os::unix::fs::symlink("an agent", &latest).unwrap();
    // Its executors live on, and it takes them up again.
    boot_as(&work, "198.51.100.7");
    assert!(latest.is_symlink());
    boot_as(&work, "198.51.100.8");
    assert!(!latest.is_symlink());
    std::os::unix::fs::symlink("another agent", &latest).unwrap();
    boot_as(&work, "198.51.100.8");
    assert!(latest.is_symlink());
}
