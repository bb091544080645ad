//! The masters agree on one that leads, and that one has every slave registered and active.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde::Deserialize;

use super::{Check, What};
use crate::act::ActError;
use crate::cluster::Node;
use crate::mesos::{agents_script, ask_agents_script, view_script};

/// How long an agent may take to answer, seconds: it has nothing to look up for that.
const MOST_PATIENCE_S: u64 = 10;

/// What a master says of itself.
#[derive(Debug, PartialEq, Eq)]
struct View {
    leads: bool,
    /// Where it sends whoever asks for the leading one.
    leader: String,
}

/// The agents of the slaves: their names, by the ids that Mesos gave them.
pub(super) type Agents = BTreeMap<String, String>;

/// What `/slaves` answers, as far as it concerns us.
#[derive(Debug, Deserialize)]
struct Answer {
    slaves: Vec<Agent>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    id: String,
    /// `slave(1)@ADDRESS:PORT`
    pid: String,
    #[serde(default)]
    hostname: String,
    active: bool,
}

impl Check<'_> {
    /// Tells whether a master leads and of each whether it takes that one for the leader, and returns it. Each is asked on its own
    /// node; what they call the leader is compared with what that one calls itself.
    pub(super) async fn masters(&self) -> Option<&Node> {
        let masters = &self.inventory.masters;
        let views = join_all(masters.iter().map(|master| self.view(master))).await;
        let all = || masters.iter().zip(&views);
        let leading: Vec<_> = all()
            .filter_map(|(master, view)| Some((master, view.as_ref().ok().filter(|view| view.leads)?)))
            .collect();
        let name = leading.first().map(|(_, view)| view.leader.clone());
        let outcome = match leading[..] {
            [(leader, _)] => Ok(format!("{} leads", leader.name)),
            [] => Err(ActError::not_yet("no master leads")),
            _ => {
                let names: Vec<_> = leading.iter().map(|(master, _)| master.name.as_str()).collect();
                Err(ActError::not_yet(format!("{} lead at once", names.join(" and "))))
            }
        };
        let leader = outcome
            .is_ok()
            .then(|| leading.first().map(|(master, _)| *master));
        self.tell(What::Leader, None, outcome);
        for (master, view) in masters.iter().zip(views) {
            let outcome = view.and_then(|view| match &name {
                _ if view.leads => Ok("leads".to_owned()),
                Some(name) if *name == view.leader => Ok(format!("follows {name}")),
                Some(name) => Err(ActError::not_yet(format!(
                    "takes {} for the leading master, which is {name}",
                    view.leader
                ))),
                None => Err(ActError::not_yet(format!(
                    "takes {} for the leading master, which does not lead",
                    view.leader
                ))),
            });
            self.tell(What::Master, Some(master), outcome);
        }
        leader.flatten()
    }

    async fn view(&self, master: &Node) -> Result<View, ActError> {
        let said = self.asker.run(master, view_script(master)).await?.stdout_str();
        view(&said).map_err(ActError::not_yet)
    }

    /// Tells of each slave whether it is registered with the leading master and active.
    pub(super) async fn agents(&self, leader: Option<&Node>) -> Agents {
        let slaves = &self.inventory.slaves;
        let asked = match leader {
            Some(leader) => self.agents_at(leader).await,
            None => Err(ActError::not_yet("no master leads that could know it")),
        };
        let (known, silent) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                for slave in slaves {
                    self.tell(What::Agent, Some(slave), Err(again(&error)));
                }
                return Agents::new();
            }
        };
        for agent in strangers(&known, slaves) {
            let told = match silent.contains(&agent.pid) {
                true => Err(ActError::not_yet(
                    "joined, not launched by us, and does not answer the leading master",
                )),
                false => Ok("joined, not launched by us".to_owned()),
            };
            self.tell_of(What::Joined, Some(agent.hostname.clone()), told);
        }
        let mut agents = Agents::new();
        for slave in slaves {
            let outcome = match registered(slave, &known) {
                Ok(agent) if silent.contains(&agent.pid) => {
                    Err("is registered with the leading master, and does not answer it")
                }
                other => other,
            };
            if let Ok(agent) = outcome {
                agents.insert(agent.id.clone(), slave.name.clone());
            }
            let told = outcome.map(|_| "is registered and active".to_owned());
            self.tell(What::Agent, Some(slave), told.map_err(ActError::not_yet));
        }
        agents
    }

    /// The agents that the leading master knows, and those among them that do not answer on its node.
    async fn agents_at(&self, leader: &Node) -> Result<(Vec<Agent>, BTreeSet<String>), ActError> {
        let said = self.asker.run(leader, agents_script(leader)).await?;
        let answer: Answer = serde_json::from_slice(&said.stdout).map_err(|error| {
            ActError::not_yet(format!("{}: cannot understand /slaves: {error}", leader.name))
        })?;
        let active = answer.slaves.iter().filter(|agent| agent.active);
        let pids: Vec<_> = active.map(|agent| agent.pid.as_str()).collect();
        // Another half is left for the answer.
        let seconds = (self.asker.left().as_secs() / 2).clamp(1, MOST_PATIENCE_S);
        let asked = self.asker.run(leader, ask_agents_script(&pids, seconds)).await?;
        let silent = asked.stdout_str().lines().map(str::to_owned).collect();
        Ok((answer.slaves, silent))
    }
}

/// The same for another finding.
pub(super) fn again(error: &ActError) -> ActError {
    match error {
        ActError::Remote(error) => ActError::Remote(error.clone()),
        other => ActError::not_yet(other.to_string()),
    }
}

/// `yes|no STATUS [URL]`
fn view(said: &str) -> Result<View, String> {
    let mut words = said.split_whitespace();
    let (leads, status, url) = (words.next(), words.next(), words.next());
    let leader = url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
    match (leads, leader) {
        (Some(leads), Some(leader)) => Ok(View {
            leads: leads == "yes",
            leader: leader.trim_end_matches('/').to_owned(),
        }),
        _ => Err(format!(
            "knows of no leading master (HTTP {})",
            status.unwrap_or("without a status")
        )),
    }
}

/// Whether an agent is that slave's: by its address or, where the slave has moved, by the name that it keeps.
fn is_of(agent: &Agent, slave: &Node) -> bool {
    agent.pid.contains(&format!("@{}:", slave.private_ip)) || agent.hostname == slave.name
}

/// The active agents of machines that are none of the record's slaves: they came by themselves.
fn strangers<'k>(known: &'k [Agent], slaves: &'k [Node]) -> impl Iterator<Item = &'k Agent> {
    let is_ours = |agent: &Agent| slaves.iter().any(|slave| is_of(agent, slave));
    known.iter().filter(move |agent| agent.active && !is_ours(agent))
}

/// A slave's agent as the leading master knows it, if that takes it for active. One that came back under another id is known twice.
fn registered<'k>(slave: &Node, known: &'k [Agent]) -> Result<&'k Agent, &'static str> {
    let mut its = known.iter().filter(|agent| is_of(agent, slave)).peekable();
    let is_known = its.peek().is_some();
    its.find(|agent| agent.active).ok_or(match is_known {
        true => "is registered with the leading master, and not active",
        false => "is not registered with the leading master",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_understood_and_so_is_none() {
        let seen = view("no 307 http://10.0.0.2:5050/\n").unwrap();
        assert_eq!((seen.leads, seen.leader.as_str()), (false, "10.0.0.2:5050"));
        assert!(
            view("yes 307 http://ip-10-0-0-1.ec2.internal:5050")
                .unwrap()
                .leads
        );
        assert!(view("no 503 ").unwrap_err().contains("503"));
        assert!(view("").is_err());
    }

    #[test]
    fn an_agent_is_known_by_its_address_alone() {
        let slave: Node = serde_json::from_value(serde_json::json!({
            "id": "i-1", "name": "demo-slave-1", "role": "slave", "index": 1, "private_ip": "10.0.0.1", "user": "root", "port": 22,
            "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeX3ESh4aBbC2LCvqgVWgEKhTCYUYHCFqlkGPE1zWPM",
        }))
        .unwrap();
        let agent = |id: &str, address: &str, active| Agent {
            id: id.into(),
            pid: format!("slave(1)@{address}:5051"),
            hostname: id.into(),
            active,
        };
        let twice = [agent("S1", "10.0.0.1", false), agent("S2", "10.0.0.1", true)];
        assert_eq!(registered(&slave, &twice).unwrap().id, "S2");
        let bad = |known: &[Agent]| registered(&slave, known).unwrap_err();
        assert!(bad(&[agent("S1", "10.0.0.1", false)]).contains("not active"));
        assert!(
            bad(&[agent("S1", "10.0.0.11", true), agent("S2", "110.0.0.1", true)]).contains("not registered")
        );
        // Whoever else is there has come by itself; what is not active is on its way out.
        let all = [
            agent("S1", "10.0.0.1", true),
            agent("S2", "10.0.0.11", true),
            agent("S3", "10.0.0.12", false),
        ];
        let came: Vec<_> = strangers(&all, std::slice::from_ref(&slave)).collect();
        assert_eq!(
            came.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(),
            ["S2"]
        );
    }
}
