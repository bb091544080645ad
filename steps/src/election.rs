//! Which master leads, as everyday commands ask it: ZooKeeper says so, or the only master itself where there is no ZooKeeper.
//!
//! Each master that takes part has a node there which goes with its session, and the one with the lowest number leads. One that
//! has died is named until its session ends.

use std::net::IpAddr;

use serde::Deserialize;

use crate::cluster::{MEETING_PLACE, Node};
use crate::mesos;
use crate::outside::Outside;
use crate::remote::RemoteError;
use crate::zookeeper::{self, WireError};

/// What a candidate's node is called before its number.
const CANDIDATE: &str = "json.info_";
/// How often it is asked again who leads, where that one has gone meanwhile.
const ATTEMPTS: u32 = 5;

/// Why it is not known which master leads.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// A node cannot be asked.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A server serves nobody: it is down, or belongs to no quorum.
    #[error("the ZooKeeper of {0} does not answer, or belongs to no quorum")]
    Silent(String),
    /// A server has told something that is no answer.
    #[error("the ZooKeeper of {node} cannot be understood")]
    Unclear {
        /// Its node.
        node: String,
        /// What is wrong.
        #[source]
        source: WireError,
    },
    /// What a master has written there is not what masters write.
    #[error("what leads by the ZooKeeper of {0} does not say where it is")]
    Nameless(String),
}

/// What masters write of themselves, as far as it is needed.
#[derive(Deserialize)]
struct MasterInfo {
    address: Address,
}

#[derive(Deserialize)]
struct Address {
    ip: IpAddr,
}

/// The address of the master that leads; none where no master does. The first server that answers has told: one without a quorum
/// does not answer.
///
/// # Errors
/// No server could be asked: why, of each.
pub async fn by_zookeeper(outside: &Outside, servers: &[Node]) -> Result<Option<IpAddr>, Vec<ElectionError>> {
    let mut failures = Vec::new();
    for server in servers {
        match ask(outside, server).await {
            Ok(leader) => return Ok(leader),
            Err(error) => failures.push(error),
        }
    }
    Err(failures)
}

/// Asks one server, from its own node.
async fn ask(outside: &Outside, server: &Node) -> Result<Option<IpAddr>, ElectionError> {
    let unclear = |source| ElectionError::Unclear {
        node: server.name.clone(),
        source,
    };
    for _ in 0..ATTEMPTS {
        let script = zookeeper::children_script(server, MEETING_PLACE);
        let told = outside.answer(server, script).await?;
        let told = told.ok_or_else(|| ElectionError::Silent(server.name.clone()))?;
        let names = zookeeper::children(&told).map_err(unclear)?.unwrap_or_default();
        let Some(leader) = lowest(&names) else {
            return Ok(None);
        };
        let script = zookeeper::data_script(server, &format!("{MEETING_PLACE}/{leader}"));
        let told = outside.answer(server, script).await?;
        let told = told.ok_or_else(|| ElectionError::Silent(server.name.clone()))?;
        // None where its session has just ended.
        if let Some(data) = zookeeper::data(&told).map_err(unclear)? {
            let leader = address(&data).ok_or_else(|| ElectionError::Nameless(server.name.clone()))?;
            return Ok(Some(leader));
        }
    }
    Ok(None)
}

/// The candidate that leads.
fn lowest(names: &[String]) -> Option<&str> {
    let number = |name: &str| name.strip_prefix(CANDIDATE)?.parse::<u64>().ok();
    let candidates = names.iter().filter_map(|name| Some((number(name)?, name)));
    candidates.min().map(|(_, name)| name.as_str())
}

fn address(data: &[u8]) -> Option<IpAddr> {
    let info: MasterInfo = serde_json::from_slice(data).ok()?;
    Some(info.address.ip)
}

/// The same where there is no ZooKeeper: the master says so itself. From one node the leader may not be seen, so each that does not
/// see one is passed over.
///
/// # Errors
/// No master could be asked: why, of each.
pub async fn by_masters(outside: &Outside, masters: &[Node]) -> Result<Option<IpAddr>, Vec<ElectionError>> {
    let mut failures = Vec::new();
    for master in masters {
        match outside.answer(master, mesos::leader_script(masters)).await {
            Ok(Some(address)) => return Ok(address.trim().parse().ok()),
            Ok(None) => {}
            Err(error) => failures.push(error.into()),
        }
    }
    match failures.len() == masters.len() {
        true => Err(failures),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_number_leads_and_other_nodes_do_not_count() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = names(&[
            "log_replicas",
            "json.info_0000000012",
            "json.info_0000000003",
            "info_0000000001",
            "json.info_x",
        ]);
        assert_eq!(lowest(&all), Some("json.info_0000000003"));
        assert_eq!(lowest(&names(&["log_replicas"])), None);
    }

    #[test]
    fn a_masters_address_is_that_in_its_info() {
        // As Mesos 1.11 writes it.
        let info = br#"{"address":{"hostname":"m2","ip":"10.0.0.2","port":5050},"capabilities":[],"hostname":"m2","id":"x","ip":33554442,"pid":"master@10.0.0.2:5050","port":5050,"version":"1.11.0"}"#;
        assert_eq!(address(info), Some("10.0.0.2".parse().unwrap()));
        for other in [&b"{}"[..], b"", br#"{"address":{"ip":"m2"}}"#] {
            assert_eq!(address(other), None);
        }
    }
}
