//! Files that go through the cluster: one through each HDFS, one through the shared volume. Each has a name that is used once.
//!
//! On the first master a marker says that the check goes on, and one for each HDFS that a file may be there. The *janitor* is a process of
//! a session of its own on that node: once the marker is gone, or the check's time is up, it removes what is left. What stays when that
//! node goes down in between, or an HDFS takes no removal, is `/mesosflow-check.*` there and `/mnt/nfs/.mesosflow-check.*`.

use std::time::Duration;

use futures_util::future::{join_all, select_ok};

use super::asker::Asker;
use super::masters::again;
use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::hdfs::Hdfs;
use crate::mounts::ON_DISK;
use crate::world::Script;

const JANITOR: &str = shell!("check-janitor.sh");
const SHARE: &str = shell!("check-share.sh");

/// What tells the files of a job from the others.
const OF_JOB: &str = "-spark";
/// How much longer than the check the janitor waits, and how long the end of a check may take.
const GRACE: Duration = Duration::from_secs(15);
const END_LIMIT: Duration = Duration::from_secs(3);

/// The janitor outlives this command and whoever sends it: it has no part in its session, and carries no mark of a driver, since what it
/// removes is nobody else's.
const BEGIN: &str = r#"mkdir -p /run/mesosflow
: > "/run/mesosflow/check.$nonce"
env -i PATH="$PATH" HOME=/root nonce="$nonce" limit="$limit" setsid sh -c "$janitor" mesosflow-check-janitor </dev/null >/dev/null 2>&1 &"#;
const END: &str = r#"rm -f -- "/run/mesosflow/check.$nonce" "/mnt/nfs/.mesosflow-check.$nonce""#;

const WRITE: &str = r#": > "/run/mesosflow/check.$nonce.$kind"
printf '%s\n' "$nonce" | "/root/$kind-hdfs/bin/hdfs" dfs -put - "/mesosflow-check.$nonce""#;
const READ: &str = r#"said=$("/root/$kind-hdfs/bin/hdfs" dfs -cat "/mesosflow-check.$nonce")
[ "$said" = "$nonce" ] || { echo 'what was read is not what was written' >&2; exit 4; }"#;
const REMOVE: &str = r#""/root/$kind-hdfs/bin/hdfs" dfs -rm -f -skipTrash "/mesosflow-check.$nonce"
rm -f -- "/run/mesosflow/check.$nonce.$kind""#;

/// A dead server hangs whoever asks it.
const SEE_SHARED: &str = r#"mountpoint --quiet /mnt/nfs || { echo '/mnt/nfs is not mounted' >&2; exit 4; }
said=$(timeout -s KILL 20 cat "/mnt/nfs/.mesosflow-check.$nonce") || exit 4
[ "$said" = "$nonce" ] || { echo 'what was read is not what the first master wrote' >&2; exit 4; }"#;

impl Check<'_> {
    /// Tells of both HDFS and of the shared volume, each by a file that goes through it.
    pub(super) async fn files(&self) {
        let hub = self.inventory.first_master();
        if let Err(error) = self.begin(&self.asker, hub, &self.nonce).await {
            for what in [
                What::File(Hdfs::Ephemeral),
                What::File(Hdfs::Persistent),
                What::SharedVolume,
            ] {
                self.tell(what, Some(hub), Err(again(&error)));
            }
            return;
        }
        tokio::join!(
            self.file(Hdfs::Ephemeral, hub),
            self.file(Hdfs::Persistent, hub),
            self.shared(hub),
        );
        self.end_of(&self.nonce).await;
    }

    /// Has the janitor of the files that are called so begin to wait.
    pub(super) async fn begin(&self, asker: &Asker<'_>, hub: &Node, nonce: &str) -> Result<(), ActError> {
        let limit = (asker.left() + GRACE).as_secs();
        let begin = Script::new("begin to check", BEGIN).var("nonce", nonce);
        let begin = begin.var("janitor", JANITOR).var("limit", limit);
        asker.run(hub, begin).await.map(drop)
    }

    /// Ends the look, however far it has come: what it has left goes. Whoever breaks it off calls this; [`Check::all`] does so itself.
    pub async fn end(&self) {
        let job = self.nonce_of_job();
        tokio::join!(self.end_of(&self.nonce), self.end_of(&job));
    }

    /// What the files of a job are called by: they are not those that go while it still runs.
    pub(super) fn nonce_of_job(&self) -> String {
        format!("{}{OF_JOB}", self.nonce)
    }

    /// The same for the files that are called so.
    pub(super) async fn end_of(&self, nonce: &str) {
        let hub = self.inventory.first_master();
        let end = async {
            let script = Script::new("end the check", END).var("nonce", nonce);
            let command = self.asker.command(hub, script)?;
            self.asker.session(hub).run(command).await.map(drop)
        };
        // The janitor does the same a little later.
        match tokio::time::timeout(END_LIMIT, end).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(%error, "the check's files are left to its janitor"),
            Err(_) => tracing::info!("the check's files are left to its janitor"),
        }
    }

    /// Written on the first master, read on a slave that answers: the block has crossed the network.
    async fn file(&self, hdfs: Hdfs, hub: &Node) {
        let [write, read, remove] = match hdfs {
            Hdfs::Ephemeral => [
                "write a file to the ephemeral HDFS",
                "read the file from the ephemeral HDFS",
                "remove the file from the ephemeral HDFS",
            ],
            Hdfs::Persistent => [
                "write a file to the persistent HDFS",
                "read the file from the persistent HDFS",
                "remove the file from the persistent HDFS",
            ],
        };
        let of = |title, body| self.script(title, body).var("kind", hdfs.as_str());
        let (written, reader) = tokio::join!(self.asker.run(hub, of(write, WRITE)), self.reader());
        let reader = reader.unwrap_or(hub);
        let (node, outcome) = match written {
            Err(error) => (hub, Err(error)),
            Ok(_) => match self.asker.run(reader, of(read, READ)).await {
                Err(error) => (reader, Err(error)),
                Ok(_) => (hub, self.asker.run(hub, of(remove, REMOVE)).await),
            },
        };
        let outcome = outcome.map(|_| format!("was written, read on {} and removed", reader.name));
        self.tell(What::File(hdfs), Some(node), outcome);
    }

    /// The slave that answers first.
    async fn reader(&self) -> Option<&Node> {
        let asked = self.inventory.slaves.iter().map(|slave| {
            Box::pin(async move {
                let session = self.asker.session(slave);
                let answers = self.asker.in_time(slave, "log in", session.ready()).await;
                answers.map(|()| slave)
            })
        });
        let asked: Vec<_> = asked.collect();
        match asked.is_empty() {
            true => None,
            false => select_ok(asked).await.ok().map(|(slave, _)| slave),
        }
    }

    /// The first master writes a token, each slave reads it.
    async fn shared(&self, hub: &Node) {
        let share = self.script("put a token into /mnt/nfs", SHARE).before(ON_DISK);
        if let Err(error) = self.asker.run(hub, share).await {
            return self.tell(What::SharedVolume, Some(hub), Err(error));
        }
        let seen = self.inventory.slaves.iter().map(|slave| async move {
            let see = self.script("read the token through /mnt/nfs", SEE_SHARED);
            let seen = self.asker.run(slave, see).await;
            let outcome = seen.map(|_| format!("sees what {} wrote", hub.name));
            self.tell(What::SharedVolume, Some(slave), outcome);
        });
        join_all(seen).await;
    }

    fn script<'s>(&self, title: &'s str, body: &'s str) -> Script<'s> {
        Script::new(title, body).var("nonce", &self.nonce)
    }
}
