//! All that a step may touch: the provider, the nodes, the cluster's key and folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesosflow_workflow::{ClusterId, Driver, Effect, EffectKey, FencingToken, RunId, Settled, StepCx};

use crate::act::ActError;
use crate::cluster::{ClusterSpec, Instance, Node};
use crate::guard::Guard;
use crate::key::{ClusterKey, KeyExpected};
use crate::memory::Memory;
use crate::provider::{Launcher, Owner, Provider, ProviderError, Verified, not_launched, open_provider};
use crate::reach::{LockedOut, address, target};
use crate::remote::fence::Lineage;
use crate::remote::job::JobIdError;
use crate::remote::{
    HostKey, Job, JobId, JobLimits, JobOutput, JobSettled, Output, Pool, RemoteError, Session, Target,
};
pub use crate::script::Script;
pub use crate::world_error::WorldError;

/// How often a condition on a node is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The world of a run.
pub struct World {
    spec: ClusterSpec,
    owner: Owner,
    provider: Box<dyn Provider>,
    key: ClusterKey,
    pool: Pool,
    folder: PathBuf,
    guard: Guard,
    memory: Memory,
    /// Whom the run's journal knows as drivers; none outside the fence.
    lineage: Option<Lineage>,
    /// What a long wait is for, in words, for who interrupts it.
    waits_for: Mutex<Option<String>>,
}

impl World {
    /// Opens the world of a run: its provider, and its cluster's key in `folder` (made, 0700, if it is missing). Whatever it does on a
    /// node carries the token of `driver`; without one it is outside the fence. A key is made only where `expected` says so.
    ///
    /// # Errors
    /// The provider does not answer, the folder cannot be used, or the key that the nodes have is lost.
    pub async fn open(
        spec: Verified,
        run: RunId,
        folder: &Path,
        driver: Option<(FencingToken, Lineage)>,
        expected: &KeyExpected,
    ) -> Result<Self, WorldError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let spec = spec.into_spec();
        let failed = |source| WorldError::Folder {
            path: folder.to_owned(),
            source,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let comment = format!("mesosflow {} {run}", spec.cluster);
        let key = ClusterKey::open(folder, &comment, expected).map_err(|source| WorldError::Key {
            cluster: spec.cluster.clone(),
            source,
        })?;
        let provider = open_provider(&spec, Some((folder, &key))).await?;
        let owner = Owner {
            cluster: spec.cluster.clone(),
            run,
            driver: driver.as_ref().map(|(token, _)| *token),
            made_by: spec.made_by.clone(),
        };
        let (pool, lineage) = match driver {
            Some((token, lineage)) => (Pool::fenced(key.path(), token, lineage.clone()), Some(lineage)),
            None => (Pool::new(key.path()), None),
        };
        Ok(Self {
            spec,
            owner,
            provider,
            key,
            pool,
            folder: folder.to_owned(),
            guard: Guard::default(),
            memory: Memory::default(),
            lineage,
            waits_for: Mutex::default(),
        })
    }

    /// A world of this provider, whichever the spec names, in a folder that exists.
    #[cfg(test)]
    pub(crate) fn with_provider(
        spec: ClusterSpec,
        run: RunId,
        folder: &Path,
        provider: Box<dyn Provider>,
        expected: &KeyExpected,
    ) -> Result<Self, WorldError> {
        let cluster = spec.cluster.clone();
        let key = ClusterKey::open(folder, "", expected);
        let key = key.map_err(|source| WorldError::Key {
            cluster: cluster.clone(),
            source,
        })?;
        Ok(Self {
            spec,
            owner: Owner {
                cluster,
                run,
                driver: None,
                made_by: None,
            },
            provider,
            pool: Pool::new(key.path()),
            key,
            folder: folder.to_owned(),
            guard: Guard::default(),
            memory: Memory::default(),
            lineage: None,
            waits_for: Mutex::default(),
        })
    }

    /// The same with the nodes that the history knows, the first master first: they are asked before anything is destroyed.
    #[must_use]
    pub fn guarded_by(mut self, nodes: Vec<Node>) -> Self {
        self.guard = Guard::of(nodes);
        self
    }

    /// The same with what the record of its cluster says of machines and nodes.
    #[must_use]
    pub fn remembering(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// What all runs of the cluster know of its machines.
    pub(crate) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What the user asked for.
    pub const fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    /// Whose everything is.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Where nodes come from.
    pub fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// What makes machines: for the steps that have no place in a cluster of machines that are there already.
    ///
    /// # Errors
    /// The provider makes none.
    pub(crate) fn launcher(&self) -> Result<&dyn Launcher, ProviderError> {
        let launcher = self.provider.launcher();
        launcher.ok_or_else(|| not_launched(self.provider.kind()))
    }

    /// The cluster's own key.
    pub const fn key(&self) -> &ClusterKey {
        &self.key
    }

    /// The cluster's folder on this machine.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The node's session; it connects when it is first used.
    pub fn session(&self, node: &Node) -> Arc<Session> {
        self.pool.handle(&target(node))
    }

    /// The host key that a machine shows to whoever asks; for a user who chose to trust the first one seen.
    ///
    /// # Errors
    /// No SSH server answers there.
    pub async fn presented_host_key(
        &self,
        instance: &Instance,
        user: &str,
        via: Option<&Node>,
    ) -> Result<HostKey, RemoteError> {
        let asked = Target::new(&instance.name, address(instance, via).to_string(), user);
        let asked = match via {
            Some(jump) => asked.via(target(jump)),
            None => asked,
        };
        let session = self.pool.handle(&asked);
        let presented = session.presented_host_key().await;
        self.pool.forget(&asked);
        presented
    }

    /// The drivers whom the nodes of a cluster obey; a look outside the fence. Nodes that cannot be asked keep nobody from
    /// asking the others: the fence itself refuses later.
    ///
    /// # Errors
    /// None of the nodes could be asked; the first one's error.
    pub async fn drivers_of(
        &self,
        cluster: ClusterId,
        nodes: &[Node],
    ) -> Result<BTreeSet<Driver>, RemoteError> {
        let asked = nodes.iter().map(|node| async move {
            let seen = self.session(node).newest_fence(cluster).await;
            seen.inspect_err(
                |error| tracing::warn!(node = %node.name, %error, "cannot be asked for its driver"),
            )
        });
        let (mut drivers, mut failed) = (BTreeSet::new(), None);
        let mut answered = nodes.is_empty();
        for seen in futures_util::future::join_all(asked).await {
            match seen {
                Ok(seen) => {
                    drivers.extend(seen);
                    answered = true;
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if !answered => Err(error),
            _ => Ok(drivers),
        }
    }

    /// The drivers that made what exists of the run, as its tags say. Of machines that nobody made, their fences tell.
    ///
    /// # Errors
    /// The provider does not answer.
    pub async fn makers(&self) -> Result<BTreeSet<Driver>, ProviderError> {
        if self.provider.launcher().is_none() {
            return Ok(BTreeSet::new());
        }
        let run = self.owner.run.to_string();
        let tagged = self.provider.tagged().await?.into_iter();
        let ours = tagged.filter(|tagged| tagged.run == run);
        Ok(ours.filter_map(|tagged| tagged.driver).collect())
    }

    /// Makes sure that the run may act on a node: raises the fence there, and ends what older drivers have running.
    ///
    /// # Errors
    /// Somebody newer has been there, or the node cannot be reached.
    pub async fn hold_fence(&self, node: &Node) -> Result<(), RemoteError> {
        self.run(node, Script::new("hold the fence", ":")).await.map(drop)
    }

    /// Refuses where somebody else drives the cluster, as its nodes say: the first master, and where that cannot be asked all
    /// the others. To be asked before each thing that is destroyed, which no node can protect; an answer counts for two
    /// seconds. Nodes that cannot be asked protect nothing: they may be what is to be destroyed. That is said.
    ///
    /// # Errors
    /// Somebody else has been there.
    pub async fn guard(&self) -> Result<(), RemoteError> {
        let nodes = self.guard.due();
        let Some((first, others)) = nodes.split_first() else {
            return Ok(());
        };
        let mut answers = vec![self.hold_fence(first).await];
        if answers.iter().all(Result::is_err) {
            answers.extend(on_all(others, |node| self.hold_fence(node)).await);
        }
        let mut is_held = false;
        for (answer, node) in answers.into_iter().zip(&nodes) {
            match answer {
                Ok(()) => is_held = true,
                Err(error @ RemoteError::Fenced { .. }) => return Err(error),
                Err(error) => tracing::info!(node = %node.name, %error, "cannot be asked for its driver"),
            }
        }
        if is_held {
            self.guard.held();
        } else if self.guard.warns() {
            tracing::warn!(
                target: "mesosflow::progress",
                "no node of the cluster can be asked whether somebody else drives it; what was to be done to its machines is done all the same"
            );
            self.locked_out().iter().for_each(LockedOut::warn);
        }
        Ok(())
    }

    /// Holds the fence on every node that the history knows, at once: what an older driver left running is ended there before
    /// this one acts anywhere. A node that cannot be reached now is held when it is first acted on.
    ///
    /// # Errors
    /// Somebody else drives the cluster.
    pub async fn hold_all(&self) -> Result<(), RemoteError> {
        let nodes = self.guard.due();
        for (held, node) in on_all(&nodes, |node| self.hold_fence(node))
            .await
            .into_iter()
            .zip(&nodes)
        {
            match held {
                Err(error @ RemoteError::Fenced { .. }) => return Err(error),
                Err(error) => tracing::info!(node = %node.name, %error, "is not held yet"),
                Ok(()) => self.guard.held(),
            }
        }
        self.locked_out().iter().for_each(LockedOut::warn);
        Ok(())
    }

    /// Why nobody answers, where everybody was asked in vain and the cluster lets in only some.
    pub fn locked_out(&self) -> Option<LockedOut> {
        LockedOut::guess(&self.pool.unanswered()?, &self.spec)
    }

    /// Tells the guard that an instance is deleted.
    pub fn gone(&self, instance: &str) {
        self.guard.gone(instance);
    }

    /// From now on, this is waited for; none for nothing.
    pub(crate) fn wait_for(&self, what: Option<String>) {
        *self.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What is waited for at the moment, in words.
    pub fn waits_for(&self) -> Option<String> {
        self.waits_for
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the journal knows this driver of the cluster: what another one made is not this one's.
    pub fn knows(&self, driver: &Driver) -> bool {
        self.lineage.as_ref().is_none_or(|lineage| lineage.knows(driver))
    }

    /// Settles the job of an older effect of the step that is about to act: it is awaited where it works on the same input and
    /// nobody has asked for the step by name; otherwise it is ended.
    ///
    /// # Errors
    /// As [`World::settle_job`].
    pub async fn settle(
        cx: &StepCx<Self>,
        node: &Node,
        effect: &Effect,
        limits: JobLimits,
    ) -> Result<Settled, RemoteError> {
        let serves = cx.has_input_of(effect) && !cx.named_by_replay();
        let settled = cx.world().settle_job(node, &effect.key, serves, limits).await?;
        Ok(match settled {
            JobSettled::Nothing => Settled::Gone,
            JobSettled::Awaited => Settled::Awaited,
            JobSettled::Ended => Settled::Ended,
        })
    }

    /// Runs a script on a node as root and returns what it printed.
    ///
    /// # Errors
    /// The node cannot be reached, or the script fails.
    pub async fn run(&self, node: &Node, script: Script<'_>) -> Result<Output, RemoteError> {
        let command = script.command(node)?;
        self.session(node).run(command).await
    }

    /// Runs a script that answers with what it prints, or with exit status 1 that there is no answer.
    ///
    /// # Errors
    /// The node cannot be reached, or the script ends with another status.
    pub async fn answer(&self, node: &Node, script: Script<'_>) -> Result<Option<String>, RemoteError> {
        match self.run(node, script).await {
            Ok(output) => Ok(Some(output.stdout_str())),
            Err(error) if error.exit_status() == Some(1) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Runs a script whose exit status answers a question: 0 yes, 1 no.
    ///
    /// # Errors
    /// Like [`World::answer`].
    pub async fn ask(&self, node: &Node, script: Script<'_>) -> Result<bool, RemoteError> {
        Ok(self.answer(node, script).await?.is_some())
    }

    /// Asks until the answer is yes.
    ///
    /// # Errors
    /// It was still no after `limit`; then `what` says what was waited for. Or the asking itself failed.
    pub async fn wait_until(
        &self,
        node: &Node,
        limit: Duration,
        what: &str,
        script: Script<'_>,
    ) -> Result<(), ActError> {
        let give_up = tokio::time::Instant::now() + limit;
        loop {
            if self.ask(node, script.clone()).await? {
                return Ok(());
            }
            if tokio::time::Instant::now() >= give_up {
                let what = format!("{}: {what}: not so after {} s", node.name, limit.as_secs());
                return Err(ActError::not_yet(what));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Runs a script as a durable job named by the step's effect key: found again after a crash, never started twice.
    /// Its result is taken once. Whatever that is, the next try under this key begins it again: it would not be made if
    /// what the job had left were there.
    ///
    /// # Errors
    /// The node cannot be reached, the job fails, or it passes a limit (and goes on).
    pub async fn job(
        &self,
        node: &Node,
        key: &EffectKey,
        script: Script<'_>,
        limits: JobLimits,
    ) -> Result<JobOutput, RemoteError> {
        let unsendable = |reason: String| RemoteError::Unsendable {
            node: node.name.clone(),
            title: script.title.to_owned(),
            reason,
        };
        let job = Job {
            id: job_id(key).map_err(|error| unsendable(error.to_string()))?,
            title: script.title.to_owned(),
            script: script.text().map_err(|error| unsendable(error.to_string()))?,
        };
        let session = self.session(node);
        let result = session.run_job(&job, limits).await;
        if let Err(RemoteError::JobLost { .. }) = &result {
            session.job_forget(&job.id).await?;
        }
        result
    }

    /// Settles the job of an effect in doubt, which an older generation may have left running under `key`: waits for it if
    /// it can `serve`, ends it otherwise or when a limit passes. Afterwards nothing of it runs, and nothing is known of it.
    ///
    /// # Errors
    /// The node cannot be reached, or processes of the job cannot be ended.
    pub async fn settle_job(
        &self,
        node: &Node,
        key: &EffectKey,
        serve: bool,
        limits: JobLimits,
    ) -> Result<JobSettled, RemoteError> {
        // No job could be named by a key that is no id of one.
        let Ok(id) = job_id(key) else {
            return Ok(JobSettled::Nothing);
        };
        self.session(node).job_settle(&id, serve, limits).await
    }
}

/// A step's job is named by its effect key and nothing else, so that it is found by whoever knows the key.
fn job_id(key: &EffectKey) -> Result<JobId, JobIdError> {
    key.as_str().parse()
}

/// Acts on several nodes at once and waits for all of them: what came of it, in the order of the nodes.
async fn on_all<'n, T, F>(nodes: &'n [Node], act: impl Fn(&'n Node) -> F) -> Vec<T>
where
    F: Future<Output = T>,
{
    futures_util::future::join_all(nodes.iter().map(act)).await
}

/// Acts on several nodes at once and waits for all of them; the first failure in the order of the nodes counts.
///
/// # Errors
/// What acting on one of the nodes gave.
pub async fn on_each<'n, T, E, F>(
    nodes: impl IntoIterator<Item = &'n Node>,
    act: impl Fn(&'n Node) -> F,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    futures_util::future::join_all(nodes.into_iter().map(act))
        .await
        .into_iter()
        .collect()
}
