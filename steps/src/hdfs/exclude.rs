//! The list of datanodes that leave (`dfs.hosts.exclude`): a file on the namenode's disk, which it reads at its start and when it is told
//! to. Lines that mesosflow writes say so; all others are the operator's, and stay as they are, to the byte.

use std::net::IpAddr;
use std::time::Duration;

use super::Hdfs;
use crate::act::ActError;
use crate::cluster::Node;
use crate::world::{Script, World};

const LOOK: &str = shell!("hdfs-exclude-look.sh");
/// The namenode reads its configuration anew too, so that one which was started before the list existed takes it all the same.
const REFRESH: &str = r#""/root/$kind-hdfs/bin/hdfs" dfsadmin -refreshNodes"#;
/// How long a program of Java may take on a starved machine.
const JAVA_LIMIT: Duration = Duration::from_secs(120);
/// What stands behind the address in a line of ours; the node's name follows.
const MARK: &str = "mesosflow";

/// The list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excluded {
    path: String,
    text: Vec<u8>,
}

impl Excluded {
    /// Whether a line of whomever has the node.
    pub(crate) fn lists(&self, node: &Node) -> bool {
        self.lines().any(|line| names(line, node))
    }

    /// Whether a line of ours has it.
    pub(crate) fn lists_as_ours(&self, node: &Node) -> bool {
        self.lines().any(|line| is_ours(line, node))
    }

    /// With a line of ours for each of the nodes.
    fn with(&self, nodes: &[Node]) -> Vec<u8> {
        let mut text = self.without(nodes);
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        for node in nodes {
            text.extend(format!("{} # {MARK} {}\n", node.private_ip, node.name).bytes());
        }
        text
    }

    /// Without the lines of ours for these nodes, also those that have them at another address.
    fn without(&self, nodes: &[Node]) -> Vec<u8> {
        let stays = |line: &&[u8]| !nodes.iter().any(|node| is_ours(line, node));
        self.lines().filter(stays).flatten().copied().collect()
    }

    /// Puts another text in its place, where it is another.
    async fn write(&self, world: &World, namenode: &Node, text: Vec<u8>) -> Result<(), ActError> {
        if text != self.text {
            let session = world.session(namenode);
            session.upload_bytes(&self.path, text, 0o644).await?;
        }
        Ok(())
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split_inclusive(|byte| *byte == b'\n')
    }
}

/// What a line has before its comment and behind it, as Hadoop reads it.
fn parted(line: &[u8]) -> (String, String) {
    let line = String::from_utf8_lossy(line);
    let (words, comment) = line.split_once('#').unwrap_or((&line, ""));
    (words.to_owned(), comment.trim().to_owned())
}

/// Whether a line names a node: by its address or name, with or without a port.
fn names(line: &[u8], node: &Node) -> bool {
    let (words, _) = parted(line);
    let is_it = |word: &str| {
        let host = word.rsplit_once(':').map_or(word, |(host, _port)| host);
        let host = host.trim_matches(['[', ']']);
        host == node.name
            || host
                .parse::<IpAddr>()
                .is_ok_and(|address| address == node.private_ip)
    };
    words.split_whitespace().any(is_it)
}

fn is_ours(line: &[u8], node: &Node) -> bool {
    let (words, comment) = parted(line);
    match comment.strip_prefix(MARK).map(str::trim) {
        Some(name) => name == node.name || words.trim().parse() == Ok(node.private_ip),
        None => false,
    }
}

impl Hdfs {
    /// The list of the datanodes that leave.
    ///
    /// # Errors
    /// The node cannot be reached, or its configuration names no such list, or one of another form.
    pub(crate) async fn excluded(self, world: &World, namenode: &Node) -> Result<Excluded, ActError> {
        let title = format!("read which datanodes leave the {} HDFS", self.as_str());
        let script = Script::new(&title, LOOK)
            .var("kind", self.as_str())
            .within(JAVA_LIMIT);
        let answer = match world.run(namenode, script).await {
            Ok(answer) => answer.stdout,
            Err(error) if error.exit_status() == Some(1) => return Err(self.without_list(namenode)),
            Err(error) => return Err(error.into()),
        };
        let mut parts = answer.splitn(2, |byte| *byte == b'\n');
        let path = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let text = parts.next().unwrap_or_default().to_vec();
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if first.is_some_and(|first| b"[{".contains(first)) {
            return Err(ActError::wrong(format!(
                "{}: {path} lists hosts as JSON (`dfs.namenode.hosts.provider.classname`)",
                namenode.name
            ))
            .hinted("mesosflow writes lists of plain lines only: take that setting out, or let the datanodes leave by hand"));
        }
        Ok(Excluded { path, text })
    }

    fn without_list(self, namenode: &Node) -> ActError {
        let conf = format!("/root/{}-hdfs/conf/hdfs-site.xml", self.as_str());
        ActError::wrong(format!(
            "{}: {conf} has no `dfs.hosts.exclude`, without which no datanode can leave",
            namenode.name
        ))
        .hinted(
            "a cluster of an older version, or a file of its own in `deploy_dir`: there take the setting over from \
             this version's (docs/nodes.md); `mesosflow replay --from render-config` brings it to the nodes",
        )
    }

    /// Has these datanodes leave: from here on they get no blocks, and what they have is copied.
    ///
    /// # Errors
    /// The node cannot be reached, or its namenode does not answer.
    pub(crate) async fn exclude(
        self,
        world: &World,
        namenode: &Node,
        nodes: &[Node],
    ) -> Result<(), ActError> {
        let now = self.excluded(world, namenode).await?;
        now.write(world, namenode, now.with(nodes)).await?;
        self.refresh(world, namenode).await
    }

    /// Takes the lines of ours for these datanodes out. A namenode that does not run reads the list when it starts.
    ///
    /// # Errors
    /// As [`Hdfs::exclude`].
    pub(crate) async fn readmit(
        self,
        world: &World,
        namenode: &Node,
        nodes: &[Node],
    ) -> Result<(), ActError> {
        let now = self.excluded(world, namenode).await?;
        now.write(world, namenode, now.without(nodes)).await?;
        match self.view_if_any(world, namenode).await? {
            Ok(_) => self.refresh(world, namenode).await,
            Err(_) => Ok(()),
        }
    }

    /// Has the list read, also where it has not changed: who wrote it may have died before that.
    async fn refresh(self, world: &World, namenode: &Node) -> Result<(), ActError> {
        let title = format!("have the {} namenode read which datanodes leave", self.as_str());
        let script = Script::new(&title, REFRESH)
            .var("kind", self.as_str())
            .within(JAVA_LIMIT);
        self.asked(world, namenode, script).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Instance, Role};

    fn node(index: u16, address: &str) -> Node {
        Node {
            instance: Instance {
                id: String::new(),
                name: Role::Slave.node_name("demo", index),
                role: Role::Slave,
                index,
                private_ip: address.parse().unwrap(),
                public_ip: None,
                volume: None,
            },
            user: "root".to_owned(),
            port: 22,
            host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK"
                .parse()
                .unwrap(),
            host_key_source: None,
            via: None,
        }
    }

    fn list(text: &[u8]) -> Excluded {
        Excluded {
            path: "/exclude".to_owned(),
            text: text.to_vec(),
        }
    }

    #[test]
    fn lines_of_the_operators_stay_to_the_byte() {
        let own = b"# of mine\n10.0.0.9 demo-slave-8:50010\n\n 10.0.0.4  # d\xe9fect\n10.0.0.7";
        let (three, four) = (node(3, "10.0.0.5"), node(4, "10.0.0.4"));
        let added = list(own).with(&[three.clone(), four.clone()]);
        let ours = b"\n10.0.0.5 # mesosflow demo-slave-3\n10.0.0.4 # mesosflow demo-slave-4\n";
        assert_eq!(added, [&own[..], ours].concat());
        // Twice is once.
        assert_eq!(list(&added).with(&[three.clone(), four.clone()]), added);
        let without = list(&added).without(std::slice::from_ref(&four));
        let ours = b"\n10.0.0.5 # mesosflow demo-slave-3\n";
        assert_eq!(without, [&own[..], ours].concat());
        assert!(!list(&without).lists_as_ours(&four));
        assert!(list(&without).lists(&four), "the operator's own line");
        assert!(list(&without).lists_as_ours(&three));
        assert_eq!(list(&without).without(&[three]), [&own[..], b"\n"].concat());
    }

    #[test]
    fn a_node_is_known_by_its_name_after_it_has_moved() {
        let was = list(&list(b"").with(&[node(3, "10.0.0.5")]));
        let now = node(3, "10.0.0.77");
        assert!(was.lists_as_ours(&now));
        assert_eq!(was.without(&[now]), b"");
        assert!(!was.lists_as_ours(&node(33, "10.0.0.55")));
    }

    #[test]
    fn nodes_are_listed_by_address_or_name() {
        let of = |line: &str| list(line.as_bytes()).lists(&node(3, "10.0.0.5"));
        for line in [
            "10.0.0.5",
            "x 10.0.0.5:50010",
            "demo-slave-3",
            "demo-slave-3:60010 # later",
        ] {
            assert!(of(line), "{line}");
        }
        for line in [
            "",
            "# 10.0.0.5",
            "10.0.0.55",
            "demo-slave-33",
            "x # mesosflow demo-slave-4",
        ] {
            assert!(!of(line), "{line}");
        }
    }
}
