//! Folders of a node that are to be mesosflow's: claimed, and whatever was there before moved aside, and told.

use crate::aside::FUNCTIONS;
use crate::cluster::Node;
use crate::remote::RemoteError;
use crate::world::{Script, World};

/// Makes way, and lays claim to the folder before anything is put there: what is broken off in the middle is ours.
const CLAIM: &str = r#"make_way "$folder"
mkdir -p "$folder"
is_ours "$folder" || lay_claim "$folder" "$folder""#;

/// Prints what was moved aside since it was last asked.
const TELL: &str = shell!("aside-tell.sh");

/// Sees that a folder on a node is mesosflow's, to be filled or replaced; moves aside what is not.
///
/// # Errors
/// The node cannot be reached, or the folder cannot be moved (it is a mount point, say).
pub(crate) async fn folder(world: &World, node: &Node, folder: &str) -> Result<(), RemoteError> {
    let script = Script::new("make way for a folder", CLAIM).before(FUNCTIONS);
    world.run(node, script.var("folder", folder)).await?;
    tell(world, node).await
}

/// Tells what was moved aside on a node.
///
/// # Errors
/// The node cannot be reached.
pub(crate) async fn tell(world: &World, node: &Node) -> Result<(), RemoteError> {
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

        // An empty one is nobody's, somebody's is not, and neither is a link.
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        run(place.path(), CLAIM, &folder);
        assert_eq!(names().len(), 2);
        std::fs::remove_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(place.path().join(aside), &folder).unwrap();
        run(place.path(), CLAIM, &folder);
        assert_eq!(names().len(), 3);
        assert!(place.path().join(aside).join("theirs").exists());
    }

    #[test]
    fn steps_that_ask_at_once_are_told_each_line_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("mesos");
        let lines = |asked: usize| (0..25).map(move |line| format!("{asked}: {line}"));
        let ask = |asked: usize| {
            let each = lines(asked).map(|line| run(place.path(), &format!("told '{line}'\n{TELL}"), &folder));
            each.collect::<String>()
        };
        let mut told: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..4)
                .map(|asked| {
                    scope.spawn({
                        let ask = &ask;
                        move || ask(asked)
                    })
                })
                .collect();
            let told = asking.into_iter().map(|one| one.join().unwrap());
            let told: String = told.collect();
            told.lines().map(str::to_owned).collect()
        });
        told.sort();
        let mut all: Vec<_> = (0..4).flat_map(lines).collect();
        all.sort();
        assert_eq!(told, all);
    }

    #[test]
    fn a_file_is_replaced_where_it_was_written_here_and_moved_aside_otherwise() {
        let place = tempfile::tempdir().unwrap();
        let unit = place.path().join("mesos-slave.service");
        let source = place.path().join("source");
        let lay = |content: &str| {
            std::fs::write(&source, content).unwrap();
            let script = format!("lay_file '{}' \"$folder\"", source.display());
            run(place.path(), &script, &unit);
            assert_eq!(std::fs::read_to_string(&unit).unwrap(), content);
            run(place.path(), TELL, &unit)
        };
        assert_eq!(lay("ours"), "");
        assert_eq!(lay("ours, changed"), "");
        assert_eq!(lay("ours"), "");
        std::fs::write(&unit, "theirs").unwrap();
        let told = lay("ours");
        let aside = told.trim_end().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "theirs");
        // What masks a unit is a link.
        std::fs::remove_file(&unit).unwrap();
        std::os::unix::fs::symlink("/dev/null", &unit).unwrap();
        let told = lay("ours");
        let aside = told.trim_end().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(std::fs::read_link(aside).unwrap(), Path::new("/dev/null"));
    }

    #[test]
    fn a_line_of_somebodys_in_the_table_of_mounts_becomes_a_comment() {
        let place = tempfile::tempdir().unwrap();
        let table = place.path().join("fstab");
        let others = "UUID=1 / ext4 defaults 0 1\n# x /mnt y\n";
        let text = format!("{others}/dev/xvdb\t/mnt\tauto\tnofail 0 2\nUUID=2 /mnt ext4 noatime 0 0\n");
        std::fs::write(&table, text).unwrap();
        let script = "mounts_without /mnt ' /mnt ext4 noatime 0 0$'";
        let functions = FUNCTIONS
            .replace("/var/lib/mesosflow", &place.path().display().to_string())
            .replace("    /etc/fstab", "    \"$table\"")
            .replace("}' /etc/fstab", "}' \"$table\"");
        let output = Command::new("sh")
            .args(["-euc", &format!("table=$1\n{functions}{script}\n{TELL}"), "sh"])
            .arg(&table)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = "/dev/xvdb\t/mnt\tauto\tnofail 0 2";
        assert_eq!(
            said,
            format!("{others}# before mesosflow: {line}\n/etc/fstab: `{line}` is a comment now\n")
        );
    }
}
