//! Commands of a session behind its fence, which they raise where it is not up yet.

use std::sync::Arc;
use std::time::Duration;

use mesosflow_workflow::{ClusterId, Driver, Epoch};

use super::RemoteError;
use super::command::DEFAULT_MAX_OUTPUT;
use super::exec::{Exec, Input};
use super::fence::{Fence, Raised, Stand, seen};
use super::output::Output;
use super::session::Session;

/// How long the fence of a node may take to be raised: until the processes of the older driver are gone.
const RAISE_LIMIT: Duration = Duration::from_secs(90);
/// How often a command is sent again because the fence was not where it had just been put.
const RAISES: usize = 3;

/// The status of what was ended with SIGKILL, as a newer driver does.
const KILLED: i32 = 128 + 9;

impl Session {
    /// Runs a command behind the session's fence, if it has one.
    pub(super) async fn exec(&self, exec: Exec<'_>) -> Result<Output, RemoteError> {
        let Some(fence) = &self.fence else {
            return self.exec_outside(&exec).await;
        };
        let line = self.line(&exec, Some(fence))?;
        for _ in 0..RAISES {
            let raises = *self.raises.lock().await;
            let output = self.exec_line(&exec, &line).await?;
            match fence.refusal(&output) {
                None if output.status == KILLED => return self.killed(&exec, fence, output).await,
                None => return Ok(output),
                Some(Stand::Beyond(seen)) => return Err(self.fenced(&exec, fence, seen)),
                Some(Stand::Behind(held)) => self.raise(&exec, fence, &held, raises).await?,
                Some(stand @ (Stand::Ours | Stand::Unknown)) => {
                    tracing::debug!(
                        node = self.node(),
                        ?stand,
                        "the fence moves, and is looked at again"
                    );
                }
            }
        }
        Err(RemoteError::NotStarted {
            node: self.node().to_owned(),
            title: exec.title.to_owned(),
            detail: "its fence does not stay where it is put".to_owned(),
        })
    }

    /// Tells the end that a newer driver has given to a command from any other.
    async fn killed(&self, exec: &Exec<'_>, fence: &Fence, output: Output) -> Result<Output, RemoteError> {
        let token = fence.token();
        match self.newest_fence(token.cluster).await {
            Ok(Some(seen)) if seen.epoch > token.epoch => Err(self.fenced(exec, fence, seen.epoch)),
            _ => Ok(output),
        }
    }

    /// Raises the node's fence, unless that was done since `raises` was read.
    async fn raise(
        &self,
        wanted: &Exec<'_>,
        fence: &Fence,
        from: &str,
        raises: usize,
    ) -> Result<(), RemoteError> {
        let mut done = self.raises.lock().await;
        if *done != raises {
            return Ok(());
        }
        let title = "raise the fence";
        let script = fence
            .raise(from)
            .map_err(|error| RemoteError::unquotable(self.node(), title, error))?;
        let answer = self.answer_outside(title, &script).await?;
        match fence.raised(&answer) {
            Raised::Stands(Stand::Ours) => {
                let epoch = fence.token().epoch;
                tracing::info!(node = self.node(), %epoch, "the node's fence is raised");
                *done += 1;
                Ok(())
            }
            Raised::Stands(Stand::Beyond(seen)) => Err(self.fenced(wanted, fence, seen)),
            // Somebody else was faster: the command is sent again, and meets what is there now.
            Raised::Stands(Stand::Behind(_)) => Ok(()),
            Raised::Stands(Stand::Unknown) => Err(RemoteError::BadAnswer {
                node: self.node().to_owned(),
                title: title.to_owned(),
                answer,
            }),
            Raised::Busy(detail) => Err(RemoteError::NotStarted {
                node: self.node().to_owned(),
                title: wanted.title.to_owned(),
                detail,
            }),
            Raised::Unusable(reason) => Err(RemoteError::FenceUnusable {
                node: self.node().to_owned(),
                reason,
            }),
        }
    }

    fn fenced(&self, exec: &Exec<'_>, fence: &Fence, seen: Epoch) -> RemoteError {
        RemoteError::Fenced {
            node: self.node().to_owned(),
            title: exec.title.to_owned(),
            seen,
            ours: fence.token().epoch,
        }
    }

    /// The newest driver of a cluster that the node has seen. It is read outside the fence, and changes nothing.
    ///
    /// # Errors
    /// The node cannot be reached, or has something else where the epoch should be.
    pub async fn newest_fence(&self, cluster: ClusterId) -> Result<Option<Driver>, RemoteError> {
        let title = "look at the fence";
        let script = seen(&self.fence_dir, cluster)
            .map_err(|error| RemoteError::unquotable(self.node(), title, error))?;
        let answer = self.answer_outside(title, &script).await?;
        if answer == "none" {
            return Ok(None);
        }
        let driver = answer.split_once(' ').and_then(|(epoch, nonce)| {
            Some(Driver {
                epoch: Epoch(epoch.parse().ok()?),
                nonce: nonce.parse().ok()?,
            })
        });
        driver.map(Some).ok_or_else(|| RemoteError::BadAnswer {
            node: self.node().to_owned(),
            title: title.to_owned(),
            answer,
        })
    }

    /// The last line of what a script prints that concerns the fence itself.
    async fn answer_outside(&self, title: &str, script: &str) -> Result<String, RemoteError> {
        let exec = Exec {
            title,
            script,
            input: Input::Bytes(Arc::default()),
            deadline: RAISE_LIMIT,
            silence: RAISE_LIMIT,
            max_output: (DEFAULT_MAX_OUTPUT, DEFAULT_MAX_OUTPUT),
            taker: None,
        };
        let output = self.exec_outside(&exec).await?;
        let said = self.successful(title, output)?.stdout_str();
        // What a login shell says comes before it.
        Ok(said.lines().next_back().unwrap_or_default().to_owned())
    }

    async fn exec_outside(&self, exec: &Exec<'_>) -> Result<Output, RemoteError> {
        let line = self.line(exec, None)?;
        self.exec_line(exec, &line).await
    }
}
