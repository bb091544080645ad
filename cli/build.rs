//! What `--version` says: the version, the commit where this is a clone, and whether EC2's client is built in.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    // Another commit is another HEAD, and says so there.
    for path in ["HEAD", "logs/HEAD"] {
        let place = git(&["rev-parse", "--git-path", path]);
        if let Some(place) = place.filter(|place| Path::new(place).exists()) {
            println!("cargo:rerun-if-changed={place}");
        }
    }
    println!("cargo:rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let ec2 = match env::var_os("CARGO_FEATURE_EC2") {
        Some(_) => "with EC2",
        None => "without EC2",
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    println!(
        "cargo:rustc-env=MESOSFLOW_COMMIT={}",
        commit.as_deref().unwrap_or_default()
    );
    let beside = commit.map_or_else(|| ec2.to_owned(), |commit| format!("{commit}, {ec2}"));
    println!("cargo:rustc-env=MESOSFLOW_VERSION={version} ({beside})");
}

fn git(args: &[&str]) -> Option<String> {
    let said = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| text.trim().to_owned())
}
