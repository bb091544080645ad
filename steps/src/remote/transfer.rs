//! Files to a node and back. A file is replaced whole or not at all; a folder is staged beside its place first.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::RemoteError;
use super::command::{Command, DEFAULT_DEADLINE, DEFAULT_MAX_OUTPUT, DEFAULT_SILENCE};
use super::exec::{Exec, Input};
use super::output::Output;
use super::quote::with_variables;
use super::session::Session;
use crate::file_digest;

/// How long a transfer may go without a byte moving. After the last byte the node still has to write everything to its
/// disk and read it again.
const TRANSFER_SILENCE: Duration = Duration::from_secs(180);
/// A transfer that makes progress may take as long as it needs; this only ends one that crawls.
const TRANSFER_DEADLINE: Duration = Duration::from_secs(12 * 3600);

const PUT: &str = shell!("put-file.sh");

const PUT_TREE: &str = shell!("put-tree.sh");
const DIGEST: &str = shell!("digest-file.sh");

/// What becomes of the permissions of the files of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModePolicy {
    /// 0755 for folders and for files that anyone may execute, 0644 for the rest: independent of the user's umask.
    #[default]
    Normal,
    /// As they are here.
    Keep,
    /// 0700 and 0600: for trees that hold secrets.
    Private,
}

impl ModePolicy {
    fn apply(self, mode: u32, folder: bool) -> u32 {
        let executable = folder || mode & 0o111 != 0;
        match self {
            Self::Keep => mode & 0o7777,
            Self::Normal if executable => 0o755,
            Self::Normal => 0o644,
            Self::Private if executable => 0o700,
            Self::Private => 0o600,
        }
    }
}

/// How a tree is laid out on the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreeOptions {
    /// Whether what the tree does not have is deleted from the target folder.
    pub delete: bool,
    /// The permissions.
    pub modes: ModePolicy,
}

/// A local file as it is now, for any number of nodes.
#[derive(Debug, Clone)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it has.
    pub len: u64,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// Its permissions.
    pub mode: u32,
}

impl LocalFile {
    /// Reads the file through.
    ///
    /// # Errors
    /// It cannot be read, or is something else than a file.
    pub async fn open(path: &Path) -> Result<Self, RemoteError> {
        let source = path.to_owned();
        blocking("reading", path, move || {
            let metadata = source.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
            }
            let (len, digest) = file_digest::of(&source)?;
            Ok(Self {
                mode: metadata.permissions().mode() & 0o7777,
                path: source,
                len,
                digest,
            })
        })
        .await
    }
}

impl Session {
    /// Writes `bytes` to `path` on the node, owned by root, replacing what is there in one step. Missing folders are made.
    pub async fn upload_bytes(
        &self,
        path: &str,
        bytes: impl Into<Vec<u8>>,
        mode: u32,
    ) -> Result<(), RemoteError> {
        let bytes = Arc::new(bytes.into());
        let digest = hex::encode(Sha256::digest(bytes.as_slice()));
        self.put(path, Input::Bytes(bytes), &digest, mode).await
    }

    /// Copies a local file, of any size, to `path` on the node, and compares the digests there before it takes its place.
    pub async fn upload_file(&self, local: &Path, path: &str, mode: u32) -> Result<(), RemoteError> {
        let source = local.to_owned();
        let (len, digest) = blocking("reading", local, move || file_digest::of(&source)).await?;
        self.put(
            path,
            Input::File {
                path: local.to_owned(),
                len,
                sent: Arc::default(),
            },
            &digest,
            mode,
        )
        .await
    }

    async fn put(&self, path: &str, input: Input, digest: &str, mode: u32) -> Result<(), RemoteError> {
        let title = format!("write {path}");
        let mode = format!("{mode:o}");
        let variables = [("target", path), ("digest", digest), ("mode", &mode)];
        self.transfer(&title, &variables, PUT, input).await
    }

    /// Makes the folder `remote` like the local one: packed here, unpacked beside its place, then brought over by checksum.
    pub async fn upload_tree(
        &self,
        local: &Path,
        remote: &str,
        options: TreeOptions,
    ) -> Result<(), RemoteError> {
        let source = local.to_owned();
        let packed = blocking("packing", local, move || pack(&source, options.modes)).await?;
        let len = packed
            .as_file()
            .metadata()
            .map_err(|error| RemoteError::local("packing", local, error))?
            .len();
        let input = Input::File {
            path: packed.path().to_owned(),
            len,
            sent: Arc::default(),
        };
        let mode = if options.modes == ModePolicy::Private {
            "700"
        } else {
            "755"
        };
        let variables = [
            ("target", remote),
            ("delete", if options.delete { "yes" } else { "no" }),
            ("mode", mode),
        ];
        self.transfer(&format!("write the tree {remote}"), &variables, PUT_TREE, input)
            .await
    }

    /// Runs a script on the node whose input is a local file, and counts in `sent` how much of it is on its way.
    pub(crate) async fn feed_file(
        &self,
        title: &str,
        script: &str,
        local: &LocalFile,
        sent: Arc<AtomicU64>,
    ) -> Result<Output, RemoteError> {
        let exec = Exec {
            title,
            script,
            input: Input::File {
                path: local.path.clone(),
                len: local.len,
                sent,
            },
            deadline: TRANSFER_DEADLINE,
            silence: TRANSFER_SILENCE,
            max_output: (DEFAULT_MAX_OUTPUT, DEFAULT_MAX_OUTPUT),
            taker: None,
        };
        let output = self.exec(exec).await?;
        self.successful(title, output)
    }

    async fn transfer(
        &self,
        title: &str,
        variables: &[(&str, &str)],
        body: &str,
        input: Input,
    ) -> Result<(), RemoteError> {
        let script = with_variables(variables, body)
            .map_err(|error| RemoteError::unquotable(&self.target().node, title, error))?;
        let exec = Exec {
            title,
            script: &script,
            input,
            deadline: TRANSFER_DEADLINE,
            silence: TRANSFER_SILENCE,
            max_output: (DEFAULT_MAX_OUTPUT, DEFAULT_MAX_OUTPUT),
            taker: None,
        };
        let output = self.exec(exec).await?;
        self.successful(title, output).map(drop)
    }

    /// Fetches the file `path` of at most `limit` bytes.
    pub async fn download(&self, path: &str, limit: usize) -> Result<Vec<u8>, RemoteError> {
        let title = format!("read {path}");
        let script = with_variables(&[("source", path)], r#"exec cat -- "$source""#)
            .map_err(|error| RemoteError::unquotable(&self.target().node, &title, error))?;
        let exec = Exec {
            title: &title,
            script: &script,
            input: Input::Bytes(Arc::default()),
            deadline: TRANSFER_DEADLINE,
            silence: DEFAULT_SILENCE,
            max_output: (limit, DEFAULT_MAX_OUTPUT),
            taker: None,
        };
        let output = self.exec(exec).await?;
        let output = self.successful(&title, output)?;
        if output.truncated {
            return Err(RemoteError::TooLarge {
                node: self.target().node.clone(),
                path: path.to_owned(),
                limit,
            });
        }
        Ok(output.stdout)
    }

    /// The SHA-256 of the file `path` in hexadecimal; `None` if there is no such file.
    pub async fn file_digest(&self, path: &str) -> Result<Option<String>, RemoteError> {
        let title = format!("digest of {path}");
        let script = with_variables(&[("source", path)], DIGEST)
            .map_err(|error| RemoteError::unquotable(&self.target().node, &title, error))?;
        let command = Command::new(title, script)
            .deadline(DEFAULT_DEADLINE * 10)
            .silence(DEFAULT_DEADLINE * 10);
        let digest = self.run(command).await?.stdout_str();
        Ok(Some(digest).filter(|digest| !digest.is_empty()))
    }
}

/// Runs file work of the controller's side off the executor's threads.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, RemoteError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| RemoteError::local(doing, path, error))
}

/// Packs the content of `folder` into an temporary file, in a fixed order.
fn pack(folder: &Path, modes: ModePolicy) -> io::Result<tempfile::NamedTempFile> {
    let packed = tempfile::NamedTempFile::new()?;
    let mut archive = tar::Builder::new(io::BufWriter::new(packed.as_file()));
    pack_folder(&mut archive, folder, Path::new(""), modes)?;
    io::Write::flush(&mut archive.into_inner()?)?;
    Ok(packed)
}

fn pack_folder<W: io::Write>(
    archive: &mut tar::Builder<W>,
    folder: &Path,
    inside: &Path,
    modes: ModePolicy,
) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), inside.join(entry.file_name()));
        let metadata = std::fs::symlink_metadata(&path)?;
        let mut header = tar::Header::new_gnu();
        header.set_metadata(&metadata);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(modes.apply(metadata.permissions().mode(), metadata.is_dir()));
        if metadata.is_dir() {
            archive.append_data(&mut header, &name, io::empty())?;
            pack_folder(archive, &path, &name, modes)?;
        } else if metadata.is_symlink() {
            header.set_size(0);
            archive.append_link(&mut header, &name, std::fs::read_link(&path)?)?;
        } else if metadata.is_file() {
            archive.append_data(&mut header, &name, File::open(&path)?)?;
        } else {
            let told = format!("{} is neither a file, a folder nor a link", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
        }
    }
    Ok(())
}
