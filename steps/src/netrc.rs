//! A password on its way to the program on a node that fetches with it: over the session's standard input into a file of root's in
//! the node's memory, gone once the program has fetched. It stands in no command line, and so in no list of processes and no
//! log of `sudo`, in no journal, and in no script of a job.

use mesosflow_workflow::{EffectKey, ErrorClass};

use crate::act::ActError;
use crate::cluster::{MesosSpec, Node};
use crate::remote::RemoteError;
use crate::world::{Script, World};

/// Where such files are, each in a folder of its own that is a home folder to git. Its place is emptied by a reboot.
pub(crate) const PLACE: &str = "/run/mesosflow-netrc";

const HOLD: &str = shell!("netrc-hold.sh");

const END: &str = r#"rm -rf -- "$folder""#;

/// What the user gave to log in with, read now: the spec names only where it is.
///
/// # Errors
/// It cannot be had any more.
pub(crate) fn read(spec: &MesosSpec) -> Result<Option<Vec<u8>>, ActError> {
    let gone = |what: String, hint: String| ActError::Unmet {
        what,
        class: ErrorClass::Operator,
        hint: Some(hint),
    };
    if let Some(path) = &spec.netrc {
        let read = std::fs::read(path).map_err(|error| {
            gone(
                format!(
                    "`mesos.netrc` is {}, which cannot be read: {error}",
                    path.display()
                ),
                "put it there again, then resume".to_owned(),
            )
        });
        return read.map(Some);
    }
    let Some(name) = &spec.netrc_env else {
        return Ok(None);
    };
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => Ok(Some(text.into_bytes())),
        _ => Err(gone(
            format!("`mesos.netrc_env` names {name}, which is not set"),
            format!("set {name} to what a netrc file would hold, then resume"),
        )),
    }
}

/// The folder of an effect's netrc.
pub(crate) fn folder(key: &EffectKey) -> String {
    format!("{PLACE}/{key}")
}

/// Hands a netrc over for the program of this effect. The folder with `.netrc` in it; empty where there is none.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn hold(
    world: &World,
    node: &Node,
    key: &EffectKey,
    netrc: Option<Vec<u8>>,
) -> Result<String, RemoteError> {
    let Some(netrc) = netrc else {
        return Ok(String::new());
    };
    let folder = folder(key);
    let script = Script::new("hand over what to log in with", HOLD)
        .var("place", PLACE)
        .var("folder", &folder)
        .stdin(netrc);
    world.run(node, script).await?;
    Ok(folder)
}

/// Ends it, whatever became of the program: that does so itself, if it comes so far.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn end(world: &World, node: &Node, folder: &str) -> Result<(), RemoteError> {
    if folder.is_empty() {
        return Ok(());
    }
    let script = Script::new("take away what to log in with", END);
    world.run(node, script.var("folder", folder)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::StepError as _;

    use super::*;

    #[test]
    fn it_is_read_when_it_is_needed_and_its_absence_is_for_a_person() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "machine h").unwrap();
        let mut spec = MesosSpec::default();
        assert!(read(&spec).unwrap().is_none());
        spec.netrc = Some(file.path().to_owned());
        assert_eq!(read(&spec).unwrap().unwrap(), b"machine h");
        file.close().unwrap();
        assert_eq!(read(&spec).unwrap_err().class(), ErrorClass::Operator);
        spec.netrc = None;
        spec.netrc_env = Some("MESOSFLOW_TEST_IS_NOT_SET".into());
        let error = read(&spec).unwrap_err();
        assert!(error.hint().unwrap().contains("MESOSFLOW_TEST_IS_NOT_SET"));
    }
}
