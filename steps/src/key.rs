//! The cluster's own key: made for it, never the user's.
//!
//! It is on no node, so that nobody who gets hold of a node has it: nodes reach one another with other keys
//! ([`crate::authorized`]).
//!
//! A cluster has one key as long as it lives. Once it may be on a node, a missing file is a lost key and no reason for a new
//! one: that would be refused everywhere.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, LineEnding, PrivateKey};

/// The private key's file in the cluster's folder.
const FILE: &str = "cluster_ed25519";
/// What its mode may have at most.
const PRIVATE: u32 = 0o600;

/// An ed25519 key pair in the cluster's folder.
#[derive(Debug, Clone)]
pub struct ClusterKey {
    path: PathBuf,
    public: String,
    lost: bool,
}

/// What is known of the key before its file is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyExpected {
    /// No node can have it yet: a missing one is made.
    MayBeMade,
    /// Nodes have it. A missing one, or another one than `public`, is an error.
    MustExist {
        /// Its public half as an `authorized_keys` line, where that is known.
        public: Option<String>,
    },
    /// Nodes may have it, and nobody has to log in with it: as for taking the cluster down. None is made.
    MayBeLost {
        /// Its public half as an `authorized_keys` line, where that is known.
        public: Option<String>,
    },
}

impl KeyExpected {
    fn public(&self) -> Option<&String> {
        match self {
            Self::MayBeMade => None,
            Self::MustExist { public, .. } | Self::MayBeLost { public } => public.as_ref(),
        }
    }
}

/// The key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("cannot {doing} the cluster's key {}", path.display())]
    File {
        /// `read`, `write` or `restrict`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file does not hold a key, or none could be made.
    #[error("the cluster's key {} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Whether nodes have the key, so that no other one will do.
        needed: bool,
        /// What is wrong with it.
        #[source]
        source: ssh_key::Error,
    },
    /// The cluster has a key, and its file is gone.
    #[error("the cluster's key {} is lost; its nodes let nobody else in{}", path.display(), half(public.as_ref()))]
    Lost {
        /// Where it belongs.
        path: PathBuf,
        /// Its public half.
        public: Option<String>,
    },
    /// The cluster has a key, and another one is in its place.
    #[error("{} is not the cluster's key, whose public half is `{public}`", path.display())]
    Another {
        /// The file.
        path: PathBuf,
        /// The public half of the cluster's key.
        public: String,
    },
}

impl KeyError {
    /// What can be done about it. The command that it names leaves nothing half made.
    pub fn hint(&self) -> Option<String> {
        let path = match self {
            Self::File { .. } => return None,
            Self::Damaged {
                path, needed: false, ..
            } => {
                return Some(format!(
                    "no node has it yet: remove {}, and a new one is made",
                    path.display()
                ));
            }
            Self::Damaged { path, .. } | Self::Lost { path, .. } | Self::Another { path, .. } => path,
        };
        Some(format!(
            "put it back to {} from a backup (`mesosflow journal backup` holds it): no node has a copy; without it nothing \
             can be done on the nodes, and `mesosflow destroy` still works",
            path.display()
        ))
    }
}

/// Which key it is, if that is known.
fn half(public: Option<&String>) -> String {
    public.map_or_else(String::new, |public| format!(" (its public half is `{public}`)"))
}

/// The kind and the key of a line, without its comment.
fn identity(line: &str) -> Vec<&str> {
    line.split_ascii_whitespace().take(2).collect()
}

impl ClusterKey {
    /// Reads the key of the cluster whose folder this is. If none is expected yet, it is made, mode 0600; the file appears whole
    /// or not at all.
    ///
    /// # Errors
    /// The folder cannot be written, the file in it is no key, or it is not the one that the cluster has.
    pub fn open(folder: &Path, comment: &str, expected: &KeyExpected) -> Result<Self, KeyError> {
        let path = folder.join(FILE);
        let public = expected.public().cloned();
        let text = match read(&path) {
            Ok(text) => text,
            Err(KeyError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                match expected {
                    KeyExpected::MayBeMade => make(&path, comment)?,
                    KeyExpected::MustExist { .. } => {
                        return Err(KeyError::Lost { path, public });
                    }
                    KeyExpected::MayBeLost { .. } => return Ok(Self::lost(path, public)),
                }
            }
            Err(error) => return Err(error),
        };
        let found = PrivateKey::from_openssh(&text).and_then(|key| key.public_key().to_openssh());
        let may_be_lost = matches!(expected, KeyExpected::MayBeLost { .. });
        match (found, public) {
            (Err(_), public) if may_be_lost => Ok(Self::lost(path, public)),
            (Err(source), _) => Err(KeyError::Damaged {
                path,
                needed: matches!(expected, KeyExpected::MustExist { .. }),
                source,
            }),
            (Ok(found), Some(public)) if identity(&found) != identity(&public) => {
                if may_be_lost {
                    return Ok(Self::lost(path, Some(public)));
                }
                Err(KeyError::Another { path, public })
            }
            (Ok(public), _) => Ok(Self {
                path,
                public,
                lost: false,
            }),
        }
    }

    fn lost(path: PathBuf, public: Option<String>) -> Self {
        Self {
            path,
            public: public.unwrap_or_default(),
            lost: true,
        }
    }

    /// Whether nobody can log in with it any more.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The private key's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The public key as an `authorized_keys` line; empty if it is lost and nobody knows it.
    pub fn public(&self) -> &str {
        &self.public
    }
}

/// What the file of a key holds. One that others may use is taken from them first: it may have come from a copy that
/// knew no modes, and ssh would not use it.
fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let failed = |doing| {
        move |source| KeyError::File {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    let mut file = std::fs::File::open(path).map_err(failed("read"))?;
    let mode = file.metadata().map_err(failed("read"))?.permissions().mode() & 0o7777;
    if mode & !PRIVATE != 0 {
        let restricted = std::fs::Permissions::from_mode(mode & PRIVATE);
        file.set_permissions(restricted).map_err(failed("restrict"))?;
        tracing::warn!(
            key = %path.display(),
            mode = %format_args!("{mode:04o}"),
            "the cluster's key was open to others of this machine; from now on it is its owner's alone"
        );
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed("read"))?;
    Ok(bytes)
}

/// Makes a key at `path`; its text.
fn make(path: &Path, comment: &str) -> Result<Vec<u8>, KeyError> {
    let damaged = |source| KeyError::Damaged {
        path: path.to_owned(),
        needed: false,
        source,
    };
    let mut key = PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519).map_err(damaged)?;
    key.set_comment(comment);
    let text = key.to_openssh(LineEnding::LF).map_err(damaged)?;
    write_new(path, text.as_bytes()).map_err(|source| KeyError::File {
        doing: "write",
        path: path.to_owned(),
        source,
    })?;
    Ok(text.as_bytes().to_vec())
}

/// Writes a file of mode 0600 that appears whole or not at all.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let half = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(half, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = ClusterKey::open(folder.path(), "mesosflow demo", &KeyExpected::MayBeMade).unwrap();
        let again = ClusterKey::open(folder.path(), "another", &KeyExpected::MayBeMade).unwrap();
        assert_eq!(made.public(), again.public());
        assert!(made.public().starts_with("ssh-ed25519 ") && made.public().ends_with(" mesosflow demo"));
        assert_eq!(
            std::fs::metadata(made.path()).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::write(made.path(), "nonsense").unwrap();
        assert!(matches!(
            ClusterKey::open(folder.path(), "x", &KeyExpected::MayBeMade),
            Err(KeyError::Damaged { .. })
        ));
    }

    #[test]
    fn a_key_that_nodes_have_is_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let made = ClusterKey::open(folder.path(), "mesosflow demo 1", &KeyExpected::MayBeMade).unwrap();
        let public = Some(made.public().to_owned());
        let must = KeyExpected::MustExist {
            public: public.clone(),
        };
        let may = KeyExpected::MayBeLost {
            public: public.clone(),
        };
        let open = |expected| ClusterKey::open(folder.path(), "x", expected);
        assert_eq!(open(&must).unwrap().public(), made.public());
        assert!(!open(&may).unwrap().is_lost());
        // The comment is nothing of the key.
        let (kind_and_key, _) = made.public().split_at(60);
        let bare = KeyExpected::MustExist {
            public: Some(format!("{} other", identity(made.public()).join(" "))),
        };
        open(&bare).unwrap();

        std::fs::remove_file(made.path()).unwrap();
        let lost = open(&must).unwrap_err();
        assert!(matches!(&lost, KeyError::Lost { .. }), "{lost}");
        assert!(lost.to_string().contains(kind_and_key), "{lost}");
        assert!(matches!(
            open(&KeyExpected::MustExist { public: None }),
            Err(KeyError::Lost { .. })
        ));
        let hint = lost.hint().unwrap();
        for part in ["backup", "no node has a copy", "mesosflow destroy"] {
            assert!(hint.contains(part), "{hint}");
        }
        let gone = open(&may).unwrap();
        assert_eq!((gone.is_lost(), gone.public()), (true, made.public()));
        assert_eq!(
            open(&KeyExpected::MayBeLost { public: None }).unwrap().public(),
            ""
        );
        assert!(!made.path().exists());

        ClusterKey::open(folder.path(), "mesosflow demo 1", &KeyExpected::MayBeMade).unwrap();
        assert!(matches!(open(&must), Err(KeyError::Another { .. })));
        assert!(open(&may).unwrap().is_lost());
    }

    #[test]
    fn what_is_no_key_any_more_has_the_same_way_out_as_a_lost_one() {
        let folder = tempfile::tempdir().unwrap();
        let made = ClusterKey::open(folder.path(), "demo", &KeyExpected::MayBeMade).unwrap();
        let must = KeyExpected::MustExist {
            public: Some(made.public().to_owned()),
        };
        let hint = |expected: &KeyExpected| {
            let error = ClusterKey::open(folder.path(), "x", expected).unwrap_err();
            assert!(matches!(&error, KeyError::Damaged { .. }), "{error}");
            error.hint().unwrap()
        };
        for content in [&b""[..], b"nonsense", &[0xff, 0xfe]] {
            std::fs::write(made.path(), content).unwrap();
            assert!(hint(&must).contains("no node has a copy"));
            assert!(hint(&KeyExpected::MayBeMade).contains("a new one is made"));
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_taken_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let made = ClusterKey::open(folder.path(), "demo", &KeyExpected::MayBeMade).unwrap();
        for (before, after) in [(0o644, 0o600), (0o460, 0o400), (0o400, 0o400)] {
            std::fs::set_permissions(made.path(), std::fs::Permissions::from_mode(before)).unwrap();
            ClusterKey::open(folder.path(), "demo", &KeyExpected::MayBeMade).unwrap();
            let mode = std::fs::metadata(made.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, after, "{before:o}");
        }
    }
}
