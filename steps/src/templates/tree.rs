//! Rendering the deployed tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};
use tera::{Context, Tera};

use super::DeployVars;

/// Templates by the path that they have on the node, without the leading slash.
#[derive(RustEmbed)]
#[folder = "deploy"]
struct Embedded;

/// One file of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Its text.
    pub text: String,
    /// Whether it is a script.
    pub executable: bool,
}

/// The whole tree, by paths without the leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedTree {
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
            Self::Outside { .. } => "put the file under root/ in the folder of `deploy_dir`".into(),
        }
    }
}

/// Renders the embedded templates and those of `overlay`, which replace or add to them by path. Strict: an unknown
/// variable anywhere is an error, and nothing is half rendered.
///
/// # Errors
/// A template is malformed or names an unknown variable; the overlay cannot be read or leaves `root/`.
pub fn render(vars: &DeployVars, overlay: Option<&Path>) -> Result<RenderedTree, TemplateError> {
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
    let mut files = BTreeMap::new();
    for path in sources.keys() {
        let text = tera.render(path, &context).map_err(failed)?;
        let executable = text.starts_with("#!");
        files.insert(path.clone(), RenderedFile { text, executable });
    }
    Ok(RenderedTree { files })
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
        if !name.starts_with("root/") {
            return Err(TemplateError::Outside { path: name });
        }
        into.insert(name, fs::read_to_string(&path).map_err(unreadable(&path))?);
    }
    Ok(())
}

impl RenderedTree {
    /// How many files it has.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files by path.
    pub fn files(&self) -> &BTreeMap<String, RenderedFile> {
        &self.files
    }

    /// What `sha256sum` prints for the files, run in `/` of the node.
    pub fn manifest(&self) -> String {
        let line = |(path, file): (&String, &RenderedFile)| {
            format!("{}  {path}\n", hex::encode(Sha256::digest(file.text.as_bytes())))
        };
        self.files.iter().map(line).collect()
    }

    /// SHA-256 of the manifest, hex.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.manifest().as_bytes()))
    }

    /// The text of a file; `None` where the tree has none at that path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.text.as_str())
    }

    /// Writes the tree below `folder`, scripts executable.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_to(&self, folder: &Path) -> Result<(), TemplateError> {
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
