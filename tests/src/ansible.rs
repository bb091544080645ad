//! Ansible itself and its lint, from PyPI, installed by `make setup-test`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::Bench;

const REQUIREMENTS: &str = include_str!("../../fixtures/ansible/requirements.txt");
const LINT: &str = include_str!("../../fixtures/ansible/lint.txt");

/// The program `ansible`, in the scenario's folder as its home.
///
/// # Panics
/// It is not installed.
pub fn ansible(bench: &Bench) -> Command {
    program(
        bench,
        &packages(REQUIREMENTS, "ansible-core", "ansible"),
        "ansible",
    )
}

/// The program `ansible-playbook`, likewise.
///
/// # Panics
/// It is not installed.
pub fn ansible_playbook(bench: &Bench) -> Command {
    program(
        bench,
        &packages(REQUIREMENTS, "ansible-core", "ansible"),
        "ansible-playbook",
    )
}

/// The programs `ansible-lint` and `yamllint`, likewise; they ask nothing of the network.
///
/// # Panics
/// They are not installed.
pub fn ansible_lint(bench: &Bench) -> [Command; 2] {
    let packages = packages(LINT, "ansible-lint", "ansible-lint");
    let mut lint = program(bench, &packages, "ansible-lint");
    // It calls Ansible by name.
    let search = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(packages.join("bin")).chain(std::env::split_paths(&search));
    lint.env("PATH", std::env::join_paths(folders).expect("a search path"));
    lint.args(["--offline", "--nocolor"]);
    [lint, program(bench, &packages, "yamllint")]
}

fn program(bench: &Bench, packages: &Path, name: &str) -> Command {
    assert!(
        packages.is_dir(),
        "{} is missing: `make setup-test` comes before the tests",
        packages.display()
    );
    let mut command = Command::new("python3");
    command
        .arg(packages.join("bin").join(name))
        .env("PYTHONPATH", packages)
        .env("HOME", bench.path(""))
        .env("ANSIBLE_NOCOLOR", "1")
        // One connection per node and play, which is gone soon after.
        .env("ANSIBLE_PIPELINING", "1")
        .env("ANSIBLE_SSH_ARGS", "-o ControlMaster=auto -o ControlPersist=5s")
        .env("LC_ALL", "C.UTF-8")
        .current_dir(bench.path(""));
    command
}

/// Where `make setup-test` puts them: a folder for each list, after the version of what it is for.
fn packages(requirements: &str, package: &str, name: &str) -> PathBuf {
    let begins = format!("{package}==");
    let version = requirements.lines().find_map(|line| line.strip_prefix(&begins));
    let version = version.expect("its version among the requirements");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let cache = cache.map_or_else(
        || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    cache.join("mesosflow").join(format!("{name}-{version}"))
}
