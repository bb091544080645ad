//! A file of this machine onto nodes, outside of any run: straight to each, or once to the first master and from there on.
//!
//! - A node has the file whole or not at all, on its disk, with the digest that it has here.
//! - Twice is safe: it is replaced by itself.
//! - Not undone.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use mesosflow_workflow::Nonce;

use crate::cluster::Node;
use crate::on_node::SSH_CONFIG_PATH;
use crate::outside::Outside;
use crate::remote::quote::{QuoteError, join, with_variables};
use crate::remote::{Command, LocalFile, RemoteError};

const PUT: &str = shell!("copy-file.sh");
const CLEAN: &str = shell!("copy-clean.sh");

/// Where a file lies on the first master while it goes on to the others; a folder of root's.
const STAGE: &str = "/var/lib/mesosflow/copies";
/// `$line` is the other node's part, quoted already.
const HAND_ON: &str = r#"exec ssh -F "$config" -p "$port" -- "$user@$address" "$line" <"$stage""#;
/// The first master's part is done by the network of the nodes; this only ends one that crawls.
const HAND_ON_LIMIT: Duration = Duration::from_secs(12 * 3600);
/// How long the tidying up after an interruption may take.
const CLEAN_LIMIT: Duration = Duration::from_secs(5);

/// A file on its way to a place that is the same on every node.
#[derive(Debug)]
pub struct Copy {
    file: LocalFile,
    /// The file's own name.
    name: String,
    target: String,
    into: bool,
    nonce: String,
}

impl Copy {
    /// `file`, called `name`, to the absolute path `target` of nodes: into it if it is a folder there, or to be one.
    pub fn new(file: LocalFile, name: String, target: String, into: bool) -> Self {
        Self {
            file,
            name,
            target,
            into,
            nonce: Nonce::generate().to_string(),
        }
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.file.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.file.len == 0
    }

    /// Copies it straight to a node; `sent` counts what is on its way.
    ///
    /// # Errors
    /// The node cannot be reached, or cannot take the file.
    pub async fn straight(
        &self,
        outside: &Outside,
        node: &Node,
        sent: &Arc<AtomicU64>,
    ) -> Result<(), RemoteError> {
        let script = self.put().map_err(|error| self.unquotable(node, error))?;
        let (session, sent) = (outside.session(node), Arc::clone(sent));
        let fed = session.feed_file(&self.title(), &script, &self.file, sent).await;
        fed.map(drop)
    }

    /// Lays it on the first master, from where [`Copy::onward`] takes it.
    ///
    /// # Errors
    /// The first master cannot be reached, or cannot take the file.
    pub async fn stage(
        &self,
        outside: &Outside,
        hub: &Node,
        sent: &Arc<AtomicU64>,
    ) -> Result<(), RemoteError> {
        let variables = self.variables(&self.staged(), false, "600");
        let script =
            with_variables(&as_words(&variables), PUT).map_err(|error| self.unquotable(hub, error))?;
        let (session, sent) = (outside.session(hub), Arc::clone(sent));
        let fed = session.feed_file(&self.title(), &script, &self.file, sent).await;
        fed.map(drop)
    }

    /// Copies it from the first master, where it is staged, to a node: over the private network, by the first master's own key.
    ///
    /// # Errors
    /// The first master cannot be reached, or cannot reach the node, or that cannot take the file.
    pub async fn onward(&self, outside: &Outside, hub: &Node, node: &Node) -> Result<(), RemoteError> {
        let script = self
            .hand_on(hub, node)
            .map_err(|error| self.unquotable(hub, error))?;
        let command = Command::new(format!("{} of {}", self.title(), node.name), script)
            .deadline(HAND_ON_LIMIT)
            .silence(HAND_ON_LIMIT);
        outside.session(hub).run(command).await.map(drop)
    }

    /// Takes what was staged off the first master.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn unstage(&self, outside: &Outside, hub: &Node) -> Result<(), RemoteError> {
        let variables = [("stage", self.staged())];
        let script = with_variables(&as_words(&variables), r#"rm -f -- "$stage""#);
        let script = script.map_err(|error| self.unquotable(hub, error))?;
        let command = Command::new("take the staged file away", script).deadline(CLEAN_LIMIT);
        outside.session(hub).run(command).await.map(drop)
    }

    /// Takes away what a copy that was interrupted has left on a node.
    ///
    /// # Errors
    /// The node cannot be reached.
    pub async fn clean(&self, outside: &Outside, node: &Node) -> Result<(), RemoteError> {
        let variables = self.variables(&self.target, self.into, "");
        let script = with_variables(&as_words(&variables), CLEAN);
        let script = script.map_err(|error| self.unquotable(node, error))?;
        let command = Command::new("take away half a file", script).deadline(CLEAN_LIMIT);
        outside.session(node).run(command).await.map(drop)
    }

    fn title(&self) -> String {
        format!("write {}", self.target)
    }

    fn staged(&self) -> String {
        format!("{STAGE}/{}", self.nonce)
    }

    fn put(&self) -> Result<String, QuoteError> {
        let mode = format!("{:o}", self.file.mode);
        with_variables(&as_words(&self.variables(&self.target, self.into, &mode)), PUT)
    }

    fn variables(&self, target: &str, into: bool, mode: &str) -> [(&'static str, String); 6] {
        [
            ("target", target.to_owned()),
            ("into", if into { "yes" } else { "no" }.to_owned()),
            ("name", self.name.clone()),
            ("digest", self.file.digest.clone()),
            ("mode", mode.to_owned()),
            ("nonce", self.nonce.clone()),
        ]
    }

    fn hand_on(&self, hub: &Node, node: &Node) -> Result<String, QuoteError> {
        let put = self.put()?;
        if hub.id == node.id {
            // Its own copy is a copy of the staged one.
            return with_variables(
                &[("put", &put), ("stage", &self.staged())],
                r#"exec sh -c "$put" <"$stage""#,
            );
        }
        let root: &[&str] = if node.user == "root" {
            &[]
        } else {
            &["sudo", "-n", "--"]
        };
        let line = join(root.iter().copied().chain(["sh", "-c", &put]))?;
        let variables = [
            ("config", SSH_CONFIG_PATH.to_owned()),
            ("port", node.port.to_string()),
            ("user", node.user.clone()),
            ("address", node.private_ip.to_string()),
            ("line", line),
            ("stage", self.staged()),
        ];
        with_variables(&as_words(&variables), HAND_ON)
    }

    fn unquotable(&self, node: &Node, error: QuoteError) -> RemoteError {
        RemoteError::unquotable(&node.name, &self.title(), error)
    }
}

fn as_words<'v>(variables: &'v [(&'static str, String)]) -> Vec<(&'static str, &'v str)> {
    variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
