//! Rendering the deployed tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use tera::{Context, Tera};

use super::DeployVars;
use crate::on_node::{MOVED_HINT, MOVED_TO_ROLES};

/// Templates by the path that they have on the node, without the leading slash; below `parts/` what several of them include.
#[derive(RustEmbed)]
#[folder = "deploy"]
struct Embedded;

/// One file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RenderedFile {
    /// Its text.
    pub text: String,
    /// Whether it is a script.
    pub executable: bool,
}

/// The whole tree, by paths without the leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RenderedTree {
    files: BTreeMap<String, RenderedFile>,
}

/// The tree cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A template is malformed, or names an unknown variable.
    #[error("the deployed tree cannot be rendered: {detail}")]
    Render {
        /// Which template, where in it, and what is wrong.
        detail: String,
    },
    /// A file of the overlay cannot be read, or the tree not be written.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file of the overlay stands for one that is not of the tree any more, and would have no effect.
    #[error("{path} is not of the deployed tree any more: it would have no effect")]
    Moved {
        /// The path within the overlay.
        path: String,
    },
    /// A file of the overlay is not where the tree may reach.
    #[error("{path} is outside of root/, where the deployed tree lives")]
    Outside {
        /// The path within the overlay.
        path: String,
    },
}

impl TemplateError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Render { .. } => "correct the template; docs/nodes.md lists the variables".into(),
            Self::File { .. } => "check the folder of `deploy_dir` and its permissions".into(),
            Self::Moved { .. } => MOVED_HINT.into(),
            Self::Outside { .. } => "put the file under root/ in the folder of `deploy_dir`".into(),
        }
    }
}

/// Renders the embedded templates and those of `overlay`, which replace or add to them by path. Strict: an unknown
/// variable anywhere is an error, and nothing is half rendered.
///
/// # Errors
/// A template is malformed or names an unknown variable; the overlay cannot be read or leaves `root/`.
pub(crate) fn render(vars: &DeployVars, overlay: Option<&Path>) -> Result<RenderedTree, TemplateError> {
    let mut sources = BTreeMap::new();
    for path in Embedded::iter() {
        if let Some(file) = Embedded::get(&path) {
            sources.insert(path.to_string(), String::from_utf8_lossy(&file.data).into_owned());
        }
    }
    if let Some(folder) = overlay {
        read_overlay(folder, folder, &mut sources)?;
    }
    let failed = |error: tera::Error| TemplateError::Render {
        detail: describe(&error),
    };
    let mut tera = Tera::new();
    // Configuration files are not HTML.
    tera.autoescape_on(Vec::<String>::new());
    tera.add_raw_templates(sources.iter().map(|(path, text)| (path.clone(), text.clone())))
        .map_err(failed)?;
    let context = Context::from_serialize(vars).map_err(failed)?;
    let mut texts = Vec::new();
    for path in sources.keys().filter(|path| path.starts_with("root/")) {
        texts.push((path.clone(), tera.render(path, &context).map_err(failed)?));
    }
    Ok(RenderedTree::of(texts))
}

fn describe(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn read_overlay(
    root: &Path,
    folder: &Path,
    into: &mut BTreeMap<String, String>,
) -> Result<(), TemplateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TemplateError::File {
            doing: "read",
            path,
            source,
        }
    };
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() {
            read_overlay(root, &path, into)?;
            continue;
        }
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        if MOVED_TO_ROLES.contains(&name.as_str()) {
            return Err(TemplateError::Moved { path: name });
        }
        if !name.starts_with("root/") {
            return Err(TemplateError::Outside { path: name });
        }
        into.insert(name, fs::read_to_string(&path).map_err(unreadable(&path))?);
    }
    Ok(())
}

impl RenderedTree {
    /// A tree of files that need no rendering, by their paths; what begins like a script is one.
    pub(crate) fn of(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let file = |(path, text): (String, String)| {
            let executable = text.starts_with("#!");
            (path, RenderedFile { text, executable })
        };
        Self {
            files: texts.into_iter().map(file).collect(),
        }
    }

    /// How many files it has.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// The files by path.
    pub(crate) fn files(&self) -> &BTreeMap<String, RenderedFile> {
        &self.files
    }

    /// What `sha256sum` prints for the files, run in `/` of the node.
    pub(crate) fn manifest(&self) -> String {
        let line = |(path, file): (&String, &RenderedFile)| {
            format!("{}  {path}\n", hex::encode(Sha256::digest(file.text.as_bytes())))
        };
        self.files.iter().map(line).collect()
    }

    /// SHA-256 of the manifest, hex.
    pub(crate) fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.manifest().as_bytes()))
    }

    /// The text of a file; `None` where the tree has none at that path.
    #[cfg(test)]
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Writes the tree below `folder`, scripts executable.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write_to(&self, folder: &Path) -> Result<(), TemplateError> {
        for (name, file) in &self.files {
            let path = folder.join(name);
            let failed = |source| TemplateError::File {
                doing: "write",
                path: path.clone(),
                source,
            };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            let mode = if file.executable { 0o755 } else { 0o644 };
            let options = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(mode)
                .clone();
            std::io::Write::write_all(&mut options.open(&path).map_err(failed)?, file.text.as_bytes())
                .map_err(failed)?;
            // The mode at creation is cut by the umask.
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterSpec, Inventory, Node};

    fn node(role: &str, index: u16, host: u8) -> Node {
        let json = serde_json::json!({
            "id": format!("{role}-{index}"), "name": format!("demo-{role}-{index}"), "role": role, "index": index,
            "private_ip": format!("10.89.0.{host}"), "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
        });
        serde_json::from_value(json).unwrap()
    }

    fn vars(masters: u16) -> DeployVars {
        let zookeepers = if masters > 1 { 3 } else { 0 };
        let nodes = (1..=masters)
            .map(|i| node("master", i, 19 + i as u8))
            .chain((1..=2).map(|i| node("slave", i, 99 + i as u8)))
            .chain((1..=zookeepers).map(|i| node("zookeeper", i, 9 + i as u8)));
        let mut spec = ClusterSpec {
            masters,
            ..ClusterSpec::default()
        };
        spec.mesos.master_flags.push("--authenticate_agents=false".into());
        DeployVars::new(&spec, &Inventory::new(nodes).unwrap(), 0, None)
    }

    /// The whole tree in one text: a change anywhere in it is seen.
    fn text(tree: &RenderedTree) -> String {
        let file = |(path, file): (&String, &RenderedFile)| {
            format!(
                "==> {path}{}\n{}\n",
                if file.executable { " (executable)" } else { "" },
                file.text
            )
        };
        tree.files().iter().map(file).collect()
    }

    #[test]
    fn the_tree_of_three_masters() {
        insta::assert_snapshot!(text(&render(&vars(3), None).unwrap()));
    }

    #[test]
    fn the_tree_of_one_master_differs_where_zookeeper_was() {
        let (one, three) = (render(&vars(1), None).unwrap(), render(&vars(3), None).unwrap());
        let differing: Vec<_> = one
            .files()
            .iter()
            .filter(|(path, file)| three.text(path) != Some(&file.text))
            .map(|(path, file)| format!("==> {path}\n{}\n", file.text))
            .collect();
        insta::assert_snapshot!(differing.concat());
    }

    #[test]
    fn the_tree_with_a_history_of_jobs_differs_in_sparks_settings_alone() {
        let mut with = vars(3);
        with.spark_history = true;
        let (with, without) = (render(&with, None).unwrap(), render(&vars(3), None).unwrap());
        let path = "root/spark/conf/spark-defaults.conf";
        for (other, file) in with.files().iter().filter(|(other, _)| *other != path) {
            assert_eq!(without.text(other), Some(file.text.as_str()), "{other}");
        }
        let before = without.text(path).unwrap().trim_end();
        let further = with.text(path).unwrap().strip_prefix(before).unwrap();
        assert!(further.starts_with("\n# What jobs have done"), "{further}");
        let settings = further.lines().filter(|line| line.starts_with("spark."));
        assert_eq!(settings.count(), 7, "{further}");
    }

    #[test]
    fn nothing_in_the_tree_is_escaped_as_html() {
        for (path, file) in render(&vars(3), None).unwrap().files() {
            assert!(
                !file.text.contains("&#x2F;") && !file.text.contains("&quot;"),
                "{path}:\n{}",
                file.text
            );
        }
    }

    #[test]
    fn an_overlay_replaces_and_adds_and_may_not_leave_root() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("root/mesos-ec2/slaves", "mine {{ cluster }}\n");
        put("root/mesos-ec2/scripts/own", "#!/bin/sh\necho {{ quorum }}\n");
        let tree = render(&vars(3), Some(folder.path())).unwrap();
        assert_eq!(tree.text("root/mesos-ec2/slaves"), Some("mine demo\n"));
        assert!(tree.files()["root/mesos-ec2/scripts/own"].executable);
        assert_eq!(tree.len(), render(&vars(3), None).unwrap().len() + 1);

        put("etc/passwd", "root::0:0::/:/bin/sh\n");
        assert!(matches!(
            render(&vars(3), Some(folder.path())),
            Err(TemplateError::Outside { .. })
        ));
    }

    #[test]
    fn an_unknown_variable_is_an_error_that_names_it_and_its_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("root/own.conf"), "x\ny {{ clutser }}\n").unwrap();
        let error = render(&vars(3), Some(folder.path())).unwrap_err().to_string();
        assert!(
            error.contains("clutser") && error.contains("root/own.conf"),
            "{error}"
        );
    }

    #[test]
    fn what_is_written_is_what_the_manifest_says() {
        let folder = tempfile::tempdir().unwrap();
        let tree = render(&vars(3), None).unwrap();
        tree.write_to(folder.path()).unwrap();
        let mut check = std::process::Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "-"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut check.stdin.take().unwrap(), tree.manifest().as_bytes()).unwrap();
        assert!(check.wait().unwrap().success());
        let script = folder.path().join("root/mesos-ec2/scripts/cluster");
        assert_eq!(fs::metadata(script).unwrap().permissions().mode() & 0o777, 0o755);
    }
}
