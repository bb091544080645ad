//! Another Mesos beside the one that runs on a node, on its way into its place.

use crate::act::ActError;
use crate::aside;
use crate::cluster::Node;
use crate::hub;
use crate::on_node::{FORMER_MESOS, MESOS, NEXT_MESOS};
use crate::world::{Script, World};

const LAY: &str = shell!("mesos-lay.sh");
const KEEP: &str = shell!("mesos-keep.sh");

/// Whether the Mesos with that digest has its place on the node.
pub(crate) async fn is_laid(world: &World, node: &Node, digest: &str) -> Result<bool, ActError> {
    Ok(hub::digest(world, node, MESOS).await?.as_deref() == Some(digest))
}

/// Whether it waits beside that place.
pub(crate) async fn is_beside(world: &World, node: &Node, digest: &str) -> Result<bool, ActError> {
    Ok(hub::digest(world, node, NEXT_MESOS).await?.as_deref() == Some(digest))
}

/// The folder of a node that has the Mesos with that digest.
pub(crate) async fn found(
    world: &World,
    node: &Node,
    digest: &str,
) -> Result<Option<&'static str>, ActError> {
    for folder in [NEXT_MESOS, MESOS, FORMER_MESOS] {
        if hub::digest(world, node, folder).await?.as_deref() == Some(digest) {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// Makes a folder of the node that which waits: a copy, since the folder may have to stay.
pub(crate) async fn keep(world: &World, node: &Node, folder: &str) -> Result<(), ActError> {
    if folder == NEXT_MESOS {
        return Ok(());
    }
    let keep = Script::new("copy a Mesos beside the one that runs", KEEP)
        .var("folder", folder)
        .var("next", NEXT_MESOS);
    world.run(node, keep.within(hub::COPY_LIMIT)).await?;
    Ok(())
}

/// Copies it from the first master to another node.
pub(crate) async fn bring(world: &World, hub: &Node, node: &Node, digest: &str) -> Result<(), ActError> {
    if is_beside(world, node, digest).await? {
        return Ok(());
    }
    let Some(folder) = found(world, hub, digest).await? else {
        return Err(ActError::wrong(format!(
            "{} has the Mesos no more that {} is to get",
            hub.name, node.name
        ))
        .hinted("`mesosflow close` ends the run; `mesosflow redeploy` brings a Mesos to every node then"));
    };
    if hub.name == node.name {
        return keep(world, node, folder).await;
    }
    hub::copy_to(world, hub, node, folder, NEXT_MESOS).await
}

/// Puts what waits in its place. The one of before is kept, and the daemon of that unit counts as one of before from now on.
pub(crate) async fn lay(world: &World, node: &Node, unit: &str) -> Result<(), ActError> {
    let lay = Script::new("put another Mesos in its place", LAY)
        .before(aside::FUNCTIONS)
        .var("unit", unit)
        .var("place", MESOS)
        .var("next", NEXT_MESOS)
        .var("former", FORMER_MESOS);
    world.run(node, lay).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    fn lay_in(folder: &Path) {
        let text = format!("{}{LAY}", aside::FUNCTIONS)
            .replace("/var/lib/mesosflow", &folder.join("var").display().to_string())
            .replace("/run/mesosflow", &folder.join("run").display().to_string());
        let output = Command::new("sh")
            .args(["-euc", &text])
            .current_dir(folder)
            .env("unit", "mesos-slave.service")
            .env("place", folder.join("mesos"))
            .env("next", folder.join("next"))
            .env("former", folder.join("former"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn make(folder: &Path, name: &str, says: &str) {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(".mesosflow-source"), says).unwrap();
    }

    fn says(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join(name).join(".mesosflow-source")).ok()
    }

    /// It may have died between any two of its commands.
    #[test]
    fn what_waits_gets_its_place_and_the_one_of_before_is_kept() {
        for (place, next, former) in [
            (Some("old"), Some("new"), Some("older")),
            (None, Some("new"), Some("old")),
            (Some("new"), None, Some("old")),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            for (name, what) in [("mesos", place), ("next", next), ("former", former)] {
                if let Some(what) = what {
                    make(folder, name, what);
                }
            }
            fs::create_dir(folder.join("run")).unwrap();
            fs::write(folder.join("run/mesos-slave.service.started"), "stamp").unwrap();
            lay_in(folder);
            assert_eq!(says(folder, "mesos").as_deref(), Some("new"), "{place:?}");
            assert_eq!(says(folder, "former").as_deref(), Some("old"), "{place:?}");
            assert_eq!(says(folder, "next"), None);
            let stamp = fs::read_to_string(folder.join("run/mesos-slave.service.started")).unwrap();
            assert_ne!(stamp, "stamp", "it counts as started with what is there now");
        }
    }

    #[test]
    fn what_is_somebody_elses_is_moved_aside_and_not_taken_for_the_one_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        make(folder, "next", "new");
        fs::create_dir(folder.join("mesos")).unwrap();
        fs::write(folder.join("mesos/own"), "").unwrap();
        lay_in(folder);
        assert_eq!(says(folder, "mesos").as_deref(), Some("new"));
        assert!(!folder.join("former").exists());
    }
}
