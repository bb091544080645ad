//! One session per node for the whole run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mesosflow_workflow::FencingToken;

use super::fence::{DEFAULT_FENCE_DIR, Lineage};
use super::session::Settings;
use super::{RemoteError, Session, Target};

/// Where the files of remote jobs live on a node.
pub const DEFAULT_JOBS_DIR: &str = "/var/lib/mesosflow/jobs";

/// Hands out sessions. Everyone who asks for the same target gets the same one.
#[derive(Debug)]
pub struct Pool {
    settings: Settings,
    sessions: Mutex<HashMap<Target, Arc<Session>>>,
}

impl Pool {
    /// A pool that logs in with this private key, an unencrypted file. Its sessions are outside the fence: for everyday
    /// commands, and for machines that are nobody's yet.
    pub fn new(private_key: impl Into<PathBuf>) -> Self {
        Self::with(private_key.into(), None)
    }

    /// A pool for a run: whatever its sessions do carries `token`, and nodes refuse it once they have seen a newer one, or one
    /// by whom the run's journal knows nothing.
    pub fn fenced(private_key: impl Into<PathBuf>, token: FencingToken, lineage: Lineage) -> Self {
        Self::with(private_key.into(), Some((token, lineage)))
    }

    fn with(private_key: PathBuf, token: Option<(FencingToken, Lineage)>) -> Self {
        Self {
            settings: Settings {
                private_key,
                jobs_dir: DEFAULT_JOBS_DIR.to_owned(),
                fence_dir: DEFAULT_FENCE_DIR.to_owned(),
                token,
                contact: Arc::default(),
            },
            sessions: Mutex::default(),
        }
    }

    /// The same pool with the files of jobs in another folder of the nodes.
    #[must_use]
    pub fn with_jobs_dir(mut self, dir: impl Into<String>) -> Self {
        self.settings.jobs_dir = dir.into();
        self
    }

    /// The same pool with the fences of clusters in another folder of the nodes.
    #[must_use]
    pub fn with_fence_dir(mut self, dir: impl Into<String>) -> Self {
        self.settings.fence_dir = dir.into();
        self
    }

    /// The private key that sessions log in with.
    pub fn private_key(&self) -> &Path {
        &self.settings.private_key
    }

    /// Where somebody should have answered, if nobody did who was asked directly.
    pub fn unanswered(&self) -> Option<String> {
        self.settings.contact.unanswered()
    }

    /// The token of the run that this pool is for.
    pub fn token(&self) -> Option<FencingToken> {
        self.settings.token.as_ref().map(|(token, _)| *token)
    }

    /// The session to `target`, connected. Whoever asks while it is connecting waits for the same handshake.
    pub async fn session(&self, target: &Target) -> Result<Arc<Session>, RemoteError> {
        let session = self.handle(target);
        session.ready().await?;
        Ok(session)
    }

    /// The session to `target`, which connects when it is first used.
    pub fn handle(&self, target: &Target) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        self.find_or_make(&mut sessions, target)
    }

    fn find_or_make(&self, sessions: &mut HashMap<Target, Arc<Session>>, target: &Target) -> Arc<Session> {
        if let Some(session) = sessions.get(target) {
            return Arc::clone(session);
        }
        let jump = target.via.as_ref().map(|via| self.find_or_make(sessions, via));
        let session = Arc::new(Session::new(target.clone(), &self.settings, jump));
        sessions.insert(target.clone(), Arc::clone(&session));
        session
    }

    /// Lets go of the session to `target`, as when the node is gone. Its connection ends with its last user.
    pub fn forget(&self, target: &Target) {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(target);
    }
}
