//! The roles for those who keep their playbooks: a folder of Ansible roles, made of the same files that a deploy lays.
//!
//! An export may be repeated into the same folder: a list there says what was written, so that what is ours is brought to today's
//! state, and what somebody has changed is seen and left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use rust_embed::RustEmbed;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::of_roles;

#[derive(RustEmbed)]
#[folder = "roles/ansible"]
struct Embedded;

/// What was written, as `sha256sum --check` reads it: the mark of an export.
const LIST: &str = ".mesosflow-roles";
const LIST_BEGINS: &str = "# What `mesosflow roles export` wrote here.\n";
/// A file on its way to its place; with a number behind it.
const NEW: &str = ".mesosflow-new.";

/// A folder of roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Every file by its path in the folder.
    files: BTreeMap<String, String>,
}

/// What was done to a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Files that were not there, or were others.
    pub written: Vec<String>,
    /// Files of an earlier export that are in it no more.
    pub removed: Vec<String>,
    /// How many files were as they are meant to be.
    pub unchanged: usize,
}

/// Why nothing was exported, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder is somebody's.
    #[error("{} is not empty, and is no earlier export", .folder.display())]
    Folder {
        /// It.
        folder: PathBuf,
    },
    /// Files in it are somebody's. Nothing was touched.
    #[error("{} {} somebody's own by now", .paths.join(", "), if .paths.len() == 1 { "is" } else { "are" })]
    Theirs {
        /// Their paths in the folder.
        paths: Vec<String>,
    },
    /// The folder cannot be read or written to.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Which digests were written under a path; several where an export was cut off.
type List = BTreeMap<String, BTreeSet<String>>;

impl Export {
    /// The roles, with a playbook, an example of an inventory and a page about them.
    pub fn ansible() -> Self {
        let text = |path: &str| Some(String::from_utf8_lossy(&Embedded::get(path)?.data).into_owned());
        let mut files: BTreeMap<_, _> = Embedded::iter()
            .filter_map(|path| Some((path.to_string(), text(&path)?)))
            .collect();
        for (role, of_role) in of_roles() {
            for (path, text) in of_role {
                files.insert(format!("roles/{role}/files/{}", place(&role, &path, &text)), text);
            }
        }
        Self { files }
    }

    /// With one more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: String) -> Self {
        self.files.insert(path.to_owned(), text);
        self
    }

    /// Brings a folder to this state. With `force`, also what somebody has changed in it.
    ///
    /// # Errors
    /// The folder, or a file in it, is somebody's; it cannot be read or written to.
    pub fn write(&self, folder: &Path, force: bool) -> Result<Exported, ExportError> {
        let listed = look(folder)?;
        let mut exported = Exported::default();
        let mut theirs = Vec::new();
        for path in self
            .files
            .keys()
            .chain(listed.keys().filter(|path| !self.files.contains_key(*path)))
        {
            let wanted = self.files.get(path).map(digest);
            match Standing::of(folder, path)? {
                Standing::Has(found) if wanted.as_ref() == Some(&found) => exported.unchanged += 1,
                Standing::Has(found) if !force && !is_listed(&listed, path, &found) => {
                    theirs.push(path.clone())
                }
                Standing::Other if !force => theirs.push(path.clone()),
                Standing::Absent if wanted.is_none() => {}
                _ if wanted.is_some() => exported.written.push(path.clone()),
                _ => exported.removed.push(path.clone()),
            }
        }
        if !theirs.is_empty() {
            return Err(ExportError::Theirs { paths: theirs });
        }
        let mut list = List::new();
        for (path, text) in &self.files {
            list.entry(path.clone()).or_default().insert(digest(text));
        }
        // The list first, with what it says already: a file that is there without its line would be somebody's.
        let mut both = listed;
        for (path, digests) in &list {
            both.entry(path.clone())
                .or_default()
                .extend(digests.iter().cloned());
        }
        put(folder, LIST, &told(&both))?;
        for path in &exported.written {
            put(folder, path, &self.files[path])?;
        }
        for path in &exported.removed {
            remove(folder, path)?;
        }
        put(folder, LIST, &told(&list))?;
        Ok(exported)
    }
}

/// What an earlier export wrote into a folder, which is made where it is missing.
fn look(folder: &Path) -> Result<List, ExportError> {
    io("make", folder, fs::create_dir_all(folder))?;
    let (mut halves, mut is_empty) = (Vec::new(), true);
    for entry in io("look into", folder, fs::read_dir(folder))? {
        let entry = io("look into", folder, entry)?;
        match entry.file_name().to_string_lossy().starts_with(NEW) {
            true => halves.push(entry.path()),
            false => is_empty = false,
        }
    }
    let list = match fs::read_to_string(folder.join(LIST)) {
        Ok(text) if text.starts_with(LIST_BEGINS) => read(&text),
        Err(error) if is_empty && error.kind() == io::ErrorKind::NotFound => List::new(),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return io("read", &folder.join(LIST), Err(error));
        }
        _ => {
            return Err(ExportError::Folder {
                folder: folder.to_owned(),
            });
        }
    };
    for half in halves {
        io("remove", &half, fs::remove_file(&half))?;
    }
    Ok(list)
}

/// Where a role's file is among its `files`: the common role copies whole folders.
fn place(role: &str, path: &str, text: &str) -> String {
    match (role, path.strip_prefix("units/"), text.starts_with("#!")) {
        ("mesos", Some(_), _) => path.to_owned(),
        ("mesos", None, true) => format!("scripts/{path}"),
        (_, Some(unit), _) => unit.to_owned(),
        _ => path.to_owned(),
    }
}

fn is_listed(list: &List, path: &str, found: &str) -> bool {
    list.get(path).is_some_and(|digests| digests.contains(found))
}

/// How a path of the folder stands.
enum Standing {
    Absent,
    /// A file with that digest.
    Has(String),
    /// No file, or one that is reached through a link.
    Other,
}

impl Standing {
    fn of(folder: &Path, path: &str) -> Result<Self, ExportError> {
        let mut at = folder.to_owned();
        let mut above = Path::new(path).components().peekable();
        while let Some(part) = above.next() {
            at.push(part);
            let found = match fs::symlink_metadata(&at) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Absent),
                found => io("look at", &at, found)?,
            };
            let is_last = above.peek().is_none();
            if (is_last && !found.is_file()) || (!is_last && !found.is_dir()) {
                return Ok(Self::Other);
            }
        }
        Ok(Self::Has(digest(io("read", &at, fs::read(&at))?)))
    }
}

fn digest(text: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn told(list: &List) -> String {
    let lines = list
        .iter()
        .flat_map(|(path, digests)| digests.iter().map(move |digest| format!("{digest}  {path}\n")));
    std::iter::once(LIST_BEGINS.to_owned()).chain(lines).collect()
}

/// Nothing outside the folder, whatever the list says.
fn read(text: &str) -> List {
    let mut list = List::new();
    for (digest, path) in text.lines().filter_map(|line| line.split_once("  ")) {
        let mut parts = Path::new(path).components();
        if !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
            list.entry(path.to_owned()).or_default().insert(digest.to_owned());
        }
    }
    list
}

/// Whole or not at all, in one move.
fn put(folder: &Path, path: &str, text: &str) -> Result<(), ExportError> {
    let file = folder.join(path);
    let parent = file.parent().unwrap_or(folder);
    io("make", parent, fs::create_dir_all(parent))?;
    let new = folder.join(format!("{NEW}{}", std::process::id()));
    let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
    let written = fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&new, &file));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    io("write", &file, written)
}

/// With the folders above it that are empty then.
fn remove(folder: &Path, path: &str) -> Result<(), ExportError> {
    let file = folder.join(path);
    io("remove", &file, fs::remove_file(&file))?;
    let above = Path::new(path)
        .ancestors()
        .skip(1)
        .filter(|path| path.parent().is_some());
    for path in above {
        if fs::remove_dir(folder.join(path)).is_err() {
            break;
        }
    }
    Ok(())
}

fn io<T>(doing: &str, path: &Path, result: io::Result<T>) -> Result<T, ExportError> {
    result.map_err(|source| ExportError::Io {
        doing: format!("{doing} {}", path.display()),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ClusterFile;
    use super::*;
    use crate::cluster::ProviderKind;

    fn two() -> Export {
        Export {
            files: BTreeMap::new(),
        }
        .with("a/b.sh", "#!/bin/sh\n".to_owned())
        .with("c", "c\n".to_owned())
    }

    #[track_caller]
    fn theirs(result: Result<Exported, ExportError>) -> Vec<String> {
        match result {
            Err(ExportError::Theirs { paths }) => paths,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn it_is_brought_to_todays_state_and_what_somebody_changed_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("new/folder");
        let first = two().write(&at, false).unwrap();
        assert_eq!(first.written, ["a/b.sh", "c"]);
        let mode = fs::metadata(at.join("a/b.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(
            two().write(&at, false).unwrap(),
            Exported {
                unchanged: 2,
                ..Exported::default()
            }
        );

        // Another version, without the one file and with another.
        let mut other = two().with("d", "d\n".to_owned());
        other.files.remove("a/b.sh");
        fs::write(at.join("own"), "mine").unwrap();
        let second = other.write(&at, false).unwrap();
        assert_eq!(
            (second.written, second.removed),
            (vec!["d".to_owned()], vec!["a/b.sh".to_owned()])
        );
        assert!(!at.join("a").exists());

        fs::write(at.join("c"), "changed\n").unwrap();
        fs::remove_file(at.join("d")).unwrap();
        assert_eq!(theirs(other.write(&at, false)), ["c"]);
        assert!(!at.join("d").exists(), "something was touched");
        assert_eq!(other.write(&at, true).unwrap().written, ["c", "d"]);
        assert_eq!(fs::read_to_string(at.join("c")).unwrap(), "c\n");
        assert_eq!(fs::read_to_string(at.join("own")).unwrap(), "mine");
    }

    #[test]
    fn a_folder_that_is_somebodys_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("own"), "mine").unwrap();
        for force in [false, true] {
            let refused = two().write(folder.path(), force).unwrap_err();
            assert!(matches!(refused, ExportError::Folder { .. }), "{refused:?}");
        }
        fs::remove_file(folder.path().join("own")).unwrap();
        two().write(folder.path(), false).unwrap();
        // Nor is anything reached through a link.
        fs::remove_dir_all(folder.path().join("a")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("a")).unwrap();
        assert_eq!(theirs(two().write(folder.path(), false)), ["a/b.sh"]);
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    /// As it is after the list was written, and before all files were.
    #[test]
    fn one_that_was_cut_off_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".mesosflow-new.1"), "half").unwrap();
        two().write(folder.path(), false).unwrap();
        let list = fs::read_to_string(folder.path().join(LIST)).unwrap();
        let newer = two().with("c", "newer\n".to_owned());
        let both = format!("{list}{}  c\n", digest("newer\n"));
        fs::write(folder.path().join(LIST), both).unwrap();
        for _ in 0..2 {
            newer.write(folder.path(), false).unwrap();
            let list = fs::read_to_string(folder.path().join(LIST)).unwrap();
            assert_eq!(list.lines().count(), 3, "{list}");
        }
        two().write(folder.path(), false).unwrap();
    }

    #[test]
    fn nothing_outside_the_folder_is_ever_listed() {
        let list = read(&format!(
            "{LIST_BEGINS}1  ../x\n1  /etc/x\n1  a/../../x\n1  \nx\n1  a/b\n"
        ));
        assert_eq!(list.keys().collect::<Vec<_>>(), ["a/b"]);
    }

    /// What a deploy lays is what the roles lay: a new file of a role's has to be a script or a unit, or to have a task of its own.
    #[test]
    fn every_file_of_a_deploy_is_in_a_role_that_lays_it() {
        let export = Export::ansible();
        let (scripts, units) = ("roles/mesos/files/scripts", "roles/mesos/files/units");
        for (path, text) in super::super::files() {
            let name = path.strip_prefix("units/").unwrap_or(&path);
            let places = match name {
                "mesos-master.service" => "roles/mesos-master/files",
                "mesos-slave.service" => "roles/mesos-slave/files",
                _ if path.starts_with("units/") => units,
                _ => scripts,
            };
            assert_eq!(
                export.files.get(&format!("{places}/{name}")),
                Some(&text),
                "{path}"
            );
        }
        let laid = export
            .files
            .keys()
            .filter(|path| path.contains("/files/"))
            .count();
        assert_eq!(laid, super::super::files().len());
        assert!(super::super::files().keys().all(|path| !path.contains("yml")));
    }

    /// One format, written by a driver and by Ansible.
    #[test]
    fn the_template_has_the_keys_of_the_cluster_file_in_their_order() {
        let word = || "x".to_owned();
        let file = ClusterFile {
            cluster: word(),
            provider: ProviderKind::Hosts,
            role: "mesos-slave",
            name: Some(word()),
            ip: Some(word()),
            public: Some(word()),
            masters: 1,
            zookeepers: word(),
            master: Some(word()),
            first_master: word(),
            first_master_name: word(),
            java_home: word(),
            folders: word(),
            flags: vec![word()],
            dns: crate::roles::Dns {
                domain: Some(word()),
                name: Some(word()),
            },
        };
        let (text, export) = (file.text(mesosflow_workflow::Epoch(1)), Export::ansible());
        let template = &export.files["roles/mesos/templates/cluster.j2"];
        let keys = |text: &str| -> Vec<String> {
            let keys = text.lines().filter_map(|line| line.split_once('='));
            let is_key = |key: &&str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            keys.map(|(key, _)| key)
                .filter(is_key)
                .map(str::to_owned)
                .collect()
        };
        // Of Ansible alone: a deploy has one place for Mesos.
        let (own, shared): (Vec<_>, Vec<_>) = keys(template).into_iter().partition(|key| key == "mesos_home");
        let mut expected = keys(&text);
        assert_eq!(expected.pop().unwrap(), "agent_flag");
        assert_eq!(shared, expected);
        assert_eq!(own.len(), 1);
        assert!(template.contains("'master_flag' if mesos_role == 'mesos-master' else 'agent_flag'"));
        for key in keys(template) {
            let script = &super::super::files()[super::super::BOOT_SCRIPT];
            assert!(
                script.contains(&format!("key == \"{key}\"")),
                "the boot script does not know {key}"
            );
        }
        let first = text.lines().next().unwrap();
        assert!(template.contains(&format!("\n{first}\n")) && template.ends_with("\n# end\n"));
    }
}
