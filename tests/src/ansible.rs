//! Ansible itself, from PyPI, installed by `make setup-test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Bench;

const REQUIREMENTS: &str = include_str!("../../fixtures/ansible/requirements.txt");

/// The program `ansible`, in the scenario's folder as its home.
///
/// # Panics
/// It is not installed.
pub fn ansible(bench: &Bench) -> Command {
    let packages = packages();
    assert!(
        packages.is_dir(),
        "{} is missing: `make setup-test` comes before the tests",
        packages.display()
    );
    let mut command = Command::new("python3");
    command
        .arg(packages.join("bin/ansible"))
        .env("PYTHONPATH", &packages)
        .env("HOME", bench.path(""))
        .env("ANSIBLE_NOCOLOR", "1")
        // No connection that stays for a minute.
        .env("ANSIBLE_SSH_ARGS", "-o ControlMaster=no")
        .env("LC_ALL", "C.UTF-8")
        .current_dir(bench.path(""));
    command
}

/// Where `make setup-test` puts it.
fn packages() -> PathBuf {
    let version = REQUIREMENTS
        .lines()
        .find_map(|line| line.strip_prefix("ansible-core=="));
    let version = version.expect("Ansible's version among the requirements");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let cache = cache.map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    cache.join("mesosflow").join(format!("ansible-{version}"))
}
