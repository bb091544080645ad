//! The fence that reaches the nodes: a node refuses who may no longer act on its cluster.
//!
//! Every command of a run carries the run's [`FencingToken`] in the request that starts it. The node keeps the newest one
//! that it has seen in a folder of root's, `/var/lib/mesosflow/fence/<cluster>/`:
//!
//! | file | says |
//! |---|---|
//! | `epoch` | `EPOCH NONCE`, or `EPOCH NONCE raising` while the commands of older epochs are being ended; replaced whole |
//! | `lock` | held with `flock` by whoever changes `epoch` |
//!
//! What may be raised is a matter of descent, and not of the number alone: a driver takes over from one whom its journal knows
//! ([`Lineage`]). An epoch by somebody else is refused however low it is, since only a copied or restored journal can bring
//! that about, and a copy that tries often enough has a higher number too.
//!
//! A command begins only where `epoch` is exactly its own token: one read by the wrapper in front of the script, without a
//! lock and without another program. Otherwise nothing of it is run, and the answer says what the node has. Is that newer,
//! or of the same epoch with another nonce, the command is [refused](super::RemoteError::Fenced). Is it older, the fence is
//! raised in a request of its own, once per node and take-over, and the command is sent again.
//!
//! # Why no older command acts once a newer one has begun
//!
//! A command is known to the node before it looks at the fence: its token is among the arguments of its wrapper, for all to
//! see in `/proc`, and in the environment of what the wrapper starts. Raising the fence, under the lock,
//!
//! 1. writes `raising`: from here on every older command that looks is refused;
//! 2. looks through `/proc` for older tokens, kills the whole sessions and process groups of those that carry them, and
//!    looks again until none is left: who had looked before 1 is found here;
//! 3. writes the epoch: only now may newer commands begin.
//!
//! Killed at any point, it leaves an `epoch` that refuses the older and makes the newer do it again.
//!
//! A process id that was used again is not taken for what it was: the mark names the process group and when its leader
//! began, and a process counts only as long as it is in that group or session. What has moved to a session of its own is
//! not ended: [jobs](super::job), which are adopted, and services of the node's init.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesosflow_workflow::{ClusterId, Driver, Epoch, FencingToken};

use super::fence_scripts::{MEMBERS, RAISE, SEEN};
use super::output::{FENCED_STATUS, Output};
use super::quote::{QuoteError, with_variables};

/// Where the fences of clusters lie on a node.
pub const DEFAULT_FENCE_DIR: &str = "/var/lib/mesosflow/fence";

/// What the arguments of a command's wrapper, and the environment of its script, carry. The scripts below know it.
const VARIABLE: &str = "MESOSFLOW_FENCE";

/// The drivers that a journal knows of one cluster: from those, and from nobody else, its next one takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage(Arc<BTreeSet<Driver>>);

impl Lineage {
    /// Whether the journal knows this driver.
    pub fn knows(&self, driver: &Driver) -> bool {
        self.0.contains(driver)
    }
}

impl FromIterator<Driver> for Lineage {
    fn from_iter<I: IntoIterator<Item = Driver>>(drivers: I) -> Self {
        Self(Arc::new(drivers.into_iter().collect()))
    }
}

/// A run's token, whom it takes over from, and where nodes keep theirs.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    token: FencingToken,
    lineage: Lineage,
    folder: String,
}

/// What a node says of its fence, seen from one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stand {
    /// It is this token's.
    Ours,
    /// It has seen nobody, or somebody whom this token takes over from; or it is in the middle of taking this token in. What
    /// it has, literally.
    Behind(String),
    /// It has seen what excludes this token.
    Beyond(Epoch),
    /// It cannot be understood.
    Unknown,
}

impl Fence {
    /// The fence of `token`, kept in a folder of its cluster's below `dir`.
    pub(super) fn new(token: FencingToken, lineage: Lineage, dir: &str) -> Self {
        Self {
            token,
            lineage,
            folder: folder(dir, token.cluster),
        }
    }

    pub(super) const fn token(&self) -> FencingToken {
        self.token
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// By which a command of this token is known on its node.
    pub(super) fn mark(&self) -> String {
        let FencingToken {
            cluster,
            epoch,
            nonce,
        } = self.token;
        format!("{VARIABLE}={cluster} {epoch} {nonce}")
    }

    /// What the node has, if that kept the command from beginning; `None` if the output is the script's own.
    pub(super) fn refusal(&self, output: &Output) -> Option<Stand> {
        if output.status != FENCED_STATUS {
            return None;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let held = said
            .lines()
            .next_back()?
            .strip_prefix(&format!("mesosflow-fence {} ", self.token.nonce))?;
        Some(self.stand(held))
    }

    /// What `EPOCH NONCE [raising]` means for this token.
    fn stand(&self, held: &str) -> Stand {
        let mut words = held.split_ascii_whitespace();
        let Some(epoch) = words.next() else {
            return Stand::Behind(String::new());
        };
        let Ok(epoch) = epoch.parse().map(Epoch) else {
            return Stand::Unknown;
        };
        let driver = words.next().and_then(|nonce| nonce.parse().ok());
        let Some(driver) = driver.map(|nonce| Driver { epoch, nonce }) else {
            return Stand::Beyond(epoch);
        };
        let is_raising = words.next().is_some();
        if driver == self.token.driver() && !is_raising {
            return Stand::Ours;
        }
        let is_ours = driver == self.token.driver();
        if is_ours || (epoch < self.token.epoch && self.lineage.knows(&driver)) {
            return Stand::Behind(held.trim().to_owned());
        }
        Stand::Beyond(epoch)
    }

    /// The script that raises the node's fence to this token, if it still has what was seen there.
    pub(super) fn raise(&self, from: &str) -> Result<String, QuoteError> {
        let FencingToken {
            cluster,
            epoch,
            nonce,
        } = self.token;
        let variables = [
            ("dir", self.folder.as_str()),
            ("cluster", &cluster.to_string()),
            ("epoch", &epoch.to_string()),
            ("nonce", &nonce.to_string()),
            ("from", from),
            ("members", MEMBERS),
        ];
        with_variables(&variables, RAISE)
    }

    /// Reads the answer of [`Fence::raise`].
    pub(super) fn raised(&self, answer: &str) -> Raised {
        match answer.split_once(' ') {
            Some(("held", held)) => Raised::Stands(self.stand(held)),
            Some(("busy", reason)) => Raised::Busy(reason.to_owned()),
            Some(("unsafe", reason)) => Raised::Unusable(reason.to_owned()),
            _ => Raised::Stands(Stand::Unknown),
        }
    }
}

/// What came of raising a fence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Stands(Stand),
    /// Not now.
    Busy(String),
    /// Not before somebody has looked after the node.
    Unusable(String),
}

fn folder(dir: &str, cluster: ClusterId) -> String {
    format!("{dir}/{cluster}")
}

/// The script that prints the newest driver of `cluster` that the node has seen.
pub(super) fn seen(dir: &str, cluster: ClusterId) -> Result<String, QuoteError> {
    with_variables(&[("dir", &folder(dir, cluster))], SEEN)
}

#[cfg(test)]
mod tests {
    use mesosflow_workflow::{Nonce, RunId};

    use super::*;

    fn fence(epoch: u64) -> Fence {
        let token = FencingToken {
            cluster: ClusterId::of_run(RunId::generate()),
            epoch: Epoch(epoch),
            nonce: Nonce::generate(),
        };
        let before = Driver {
            epoch: Epoch(4),
            nonce: "00000000000000aa".parse().unwrap(),
        };
        Fence::new(token, Lineage::from_iter([before]), DEFAULT_FENCE_DIR)
    }

    #[test]
    fn what_a_node_has_is_compared_with_the_token_and_its_descent() {
        let fence = fence(5);
        let nonce = fence.token.nonce;
        let behind = |held: &str| Stand::Behind(held.to_owned());
        assert_eq!(fence.stand(""), behind(""));
        assert_eq!(fence.stand("4 00000000000000aa"), behind("4 00000000000000aa"));
        assert_eq!(
            fence.stand("4 00000000000000aa raising"),
            behind("4 00000000000000aa raising")
        );
        // Lower, and nobody whom this journal knows.
        assert_eq!(fence.stand("4 00000000000000bb"), Stand::Beyond(Epoch(4)));
        assert_eq!(fence.stand("3 00000000000000aa"), Stand::Beyond(Epoch(3)));
        assert_eq!(fence.stand("4"), Stand::Beyond(Epoch(4)));
        assert_eq!(fence.stand(&format!("5 {nonce}")), Stand::Ours);
        assert_eq!(
            fence.stand(&format!("5 {nonce} raising")),
            behind(&format!("5 {nonce} raising"))
        );
        assert_eq!(fence.stand("5 00000000000000aa"), Stand::Beyond(Epoch(5)));
        assert_eq!(
            fence.stand(&format!("12 {nonce} raising")),
            Stand::Beyond(Epoch(12))
        );
        assert_eq!(fence.stand("nonsense"), Stand::Unknown);
    }

    #[test]
    fn only_the_wrapper_can_refuse() {
        let fence = fence(5);
        let said = |status, stderr: String| Output {
            status,
            stdout: Vec::new(),
            stderr: stderr.into_bytes(),
            truncated: false,
        };
        let nonce = fence.token.nonce;
        let mark = format!("\nmesosflow-fence {nonce} 7 00000000000000aa\n");
        assert_eq!(
            fence.refusal(&said(97, mark.clone())),
            Some(Stand::Beyond(Epoch(7)))
        );
        assert_eq!(fence.refusal(&said(1, mark.clone())), None);
        assert_eq!(fence.refusal(&said(97, String::new())), None);
        // A login shell talks before it.
        assert_eq!(
            fence.refusal(&said(97, format!("cannot rehash{mark}"))),
            Some(Stand::Beyond(Epoch(7)))
        );
        assert_eq!(fence.refusal(&said(97, format!("{mark}and after"))), None);
        assert_eq!(self::fence(5).refusal(&said(97, mark)), None);
    }
}
