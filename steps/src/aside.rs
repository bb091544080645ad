//! Folders of root's that mesosflow lays down on a node, and what was there before: somebody's, which is moved aside under a
//! dated name, told, and never removed.

use crate::cluster::Node;
use crate::remote::RemoteError;
use crate::world::{Script, World};

/// For scripts that put a folder in its place. A folder is ours if it says where it came from, or if it is the very one that was
/// laid claim to, by its number in the file system. What is moved is written down until it has been told.
pub const FUNCTIONS: &str = r#"laid=/var/lib/mesosflow/laid
claim_of() { echo "$laid/$(basename "$1")"; }
is_ours() {
  [ -e "$1/.mesosflow-source" ] && return 0
  claim=$(cat "$(claim_of "$1")" 2>/dev/null) || return 1
  [ "$claim" = "$(stat -c %d:%i "$1")" ]
}
make_way() {
  [ -e "$1" ] || [ -h "$1" ] || return 0
  if is_ours "$1"; then return 0; fi
  to=$1.$(date -u +%Y%m%d-%H%M%S)
  while [ -e "$to" ] || [ -h "$to" ]; do to=$to.1; done
  mkdir -p "$laid"
  mv -T "$1" "$to"
  echo "$1 is now $to" >> "$laid/aside"
}
"#;

/// Makes way, and lays claim to the folder before anything is put there: what is broken off in the middle is ours.
const CLAIM: &str = r#"make_way "$folder"
mkdir -p "$folder" "$laid"
stat -c %d:%i "$folder" > "$(claim_of "$folder").new"
mv "$(claim_of "$folder").new" "$(claim_of "$folder")""#;

/// What was moved since it was last told.
const TELL: &str = r#"[ -s "$laid/aside" ] || exit 0
cat "$laid/aside"
cat "$laid/aside" >> "$laid/aside.told"
rm "$laid/aside""#;

/// Sees that a folder on a node is mesosflow's, to be filled or replaced; moves aside what is not.
///
/// # Errors
/// The node cannot be reached, or the folder cannot be moved (it is a mount point, say).
pub async fn claim(world: &World, node: &Node, folder: &str) -> Result<(), RemoteError> {
    let script = Script::new("make way for a folder", CLAIM).before(FUNCTIONS);
    world.run(node, script.var("folder", folder)).await?;
    tell(world, node).await
}

/// Tells what was moved aside on a node.
///
/// # Errors
/// The node cannot be reached.
pub async fn tell(world: &World, node: &Node) -> Result<(), RemoteError> {
    let script = Script::new("ask what was moved aside", TELL).before(FUNCTIONS);
    for line in world.run(node, script).await?.stdout_str().lines() {
        tracing::warn!(
            target: "mesosflow::progress",
            "{}: {line}: mesosflow had not put it there, and removes nothing of yours", node.name
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Runs a script on a folder, in a place of its own.
    fn run(place: &Path, script: &str, folder: &Path) -> String {
        let functions = FUNCTIONS.replace("/var/lib/mesosflow", &place.display().to_string());
        let output = Command::new("sh")
            .args(["-euc", &format!("folder=$1\n{functions}{script}"), "sh"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn what_is_somebodys_is_moved_aside_once_and_what_is_ours_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mesos");
        let names = || {
            let entries = std::fs::read_dir(place.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| name.starts_with("mesos")).collect();
            names.sort();
            names
        };
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("theirs"), "").unwrap();
        run(place.path(), CLAIM, &folder);
        let [ours, aside] = &names()[..] else {
            panic!("{:?}", names())
        };
        assert_eq!(ours, "mesos");
        assert!(place.path().join(aside).join("theirs").exists());
        let told = run(place.path(), TELL, &folder);
        assert!(told.ends_with(&format!("{aside}\n")), "{told}");
        assert_eq!(run(place.path(), TELL, &folder), "");

        // It is ours by now, and what was built elsewhere and says so is, too.
        run(place.path(), CLAIM, &folder);
        std::fs::remove_dir(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(".mesosflow-source"), "git").unwrap();
        run(place.path(), CLAIM, &folder);
        assert_eq!(names().len(), 2);

        // Somebody puts another one there, or a link.
        std::fs::remove_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(place.path().join(aside), &folder).unwrap();
        run(place.path(), CLAIM, &folder);
        assert_eq!(names().len(), 3);
        assert!(place.path().join(aside).join("theirs").exists());
    }
}
