//! Where the built programs are, and the Mesos tarball that is packed from them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

/// The folder of the profile that this test was built with: `target/debug`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let deps = test.parent().expect("the folder of test binaries");
    deps.parent().expect("the folder of the profile").to_owned()
}

fn built(name: &str, package: &str) -> PathBuf {
    let path = profile_dir().join(name);
    assert!(
        path.is_file(),
        "{} is missing: `cargo build -p {package}` (as `make test` does) comes before the end-to-end tests",
        path.display()
    );
    path
}

/// The program under test.
pub(crate) fn mesosflow() -> PathBuf {
    match std::env::var_os("MESOSFLOW_BIN") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_file(), "MESOSFLOW_BIN: {} is no file", path.display());
            path
        }
        None => built("mesosflow", "mesosflow"),
    }
}

/// The Mesos that the clusters run: the stand-in as a tarball, packed once for each build of it.
/// `MESOSFLOW_MESOS_TARBALL` names another, as for the program itself.
pub(crate) fn mesos_tarball() -> PathBuf {
    if let Some(path) = std::env::var_os("MESOSFLOW_MESOS_TARBALL") {
        return PathBuf::from(path);
    }
    let stamps: Vec<_> = ["mesos-master", "mesos-agent"]
        .map(|name| stamp(&built(name, "mesos-standin")))
        .into();
    let folder = profile_dir().parent().expect("the target folder").join("tmp");
    let tarball = folder.join(format!("mesos-standin-{}.tar.gz", stamps.join("-")));
    if !tarball.is_file() {
        // The script puts the whole archive in place at once, so that two sessions do no harm to each other.
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../fixtures/mesos-standin/package.sh"
        );
        let output = Command::new("bash")
            .arg(script)
            .arg(profile_dir())
            .arg(&tarball)
            .output();
        let output = output.expect("bash packs the stand-in");
        assert!(
            output.status.success(),
            "package.sh: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    tarball
}

/// Tells one build of a program from another.
fn stamp(path: &Path) -> String {
    let modified = path
        .metadata()
        .and_then(|data| data.modified())
        .expect("the time of a built program");
    let since = modified.duration_since(UNIX_EPOCH).expect("a time after 1970");
    format!("{:x}", since.as_nanos())
}
