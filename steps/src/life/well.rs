//! When Mesos is well again after a daemon of it was started anew: a master leads, this one's copy of the registry is recovered, and all
//! agents that run are registered; or this agent is.

use std::time::Duration;

use mesosflow_workflow::{ErrorClass, StepError as _};
use tokio::time::Instant;

use crate::act::ActError;
use crate::cluster::{MESOS_MASTER_PORT, Node, Role};
use crate::mesos;
use crate::operator::{Ground as _, Mode, Operator, Sight, Standing, standings};
use crate::remote::RemoteError;
use crate::service::Service;
use crate::world::{World, on_each};

/// How long a daemon may take until all is well: a session of ten seconds ends, the registry is recovered, and agents back off up to a
/// minute before they register.
const WELL_LIMIT: Duration = Duration::from_secs(240);
/// How long a daemon may end and be started again, as where its quorum is away for a moment.
const ENDS_AFTER: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Where agents listen.
const AGENT_PORT: u16 = 5051;

/// What a daemon that was started anew has to be well among.
#[derive(Debug, Clone, Copy)]
pub(super) struct Among<'a> {
    /// The daemon's node.
    pub(super) node: &'a Node,
    /// Those of whom one leads.
    pub(super) masters: &'a [Node],
    /// Whose agents have to be registered: all, or that of this node.
    pub(super) slaves: &'a [Node],
}

/// What the daemon of Mesos on a node lacks by its own word; none where it is well.
///
/// # Errors
/// The node cannot be reached.
pub(super) async fn lacks(world: &World, node: &Node) -> Result<Option<String>, RemoteError> {
    let asked = match node.role {
        Role::Slave => (AGENT_PORT, "slave registered"),
        Role::Master | Role::Zookeeper => (MESOS_MASTER_PORT, "registrar log recovered"),
    };
    mesos::wanting(world, node, asked).await
}

/// Which of these masters has not its copy of the registry, and what it says; none where all have.
///
/// # Errors
/// One of them cannot be reached.
pub(super) async fn lacking(world: &World, masters: &[Node]) -> Result<Option<String>, RemoteError> {
    let lacks = on_each(masters, |node| lacks(world, node)).await?;
    let mut lacking = masters.iter().zip(lacks);
    Ok(lacking.find_map(|(node, lacks)| Some(format!("{}: its master {}", node.name, lacks?))))
}

/// The same once it has been waited for so long.
///
/// # Errors
/// One of them cannot be reached.
pub(super) async fn still_lacking(
    world: &World,
    masters: &[Node],
    limit: Duration,
) -> Result<Option<String>, RemoteError> {
    let begun = Instant::now();
    loop {
        let lacking = lacking(world, masters).await?;
        if lacking.is_none() || begun.elapsed() >= limit {
            return Ok(lacking);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Among<'_> {
    /// What is not well yet, in words.
    pub(super) async fn wanting(self, world: &World) -> Result<Option<String>, ActError> {
        let Self {
            node,
            masters,
            slaves,
        } = self;
        let operator = Operator::new(world, masters);
        if node.role == Role::Slave
            && let Mode::Down { .. } = Sight::of(&operator, node).await?.mode
        {
            // Nobody may register from there before its maintenance has ended.
            return Ok(None);
        }
        if let Some(said) = lacks(world, node).await? {
            let what = match node.role {
                Role::Slave => "its agent",
                Role::Master | Role::Zookeeper => "its master",
            };
            return Ok(Some(format!("{what} {said}")));
        }
        for (slave, standing) in slaves.iter().zip(standings(&operator, slaves).await?) {
            let is_own = slave.name == node.name;
            if !is_registered(&standing) && (is_own || runs_there(world, slave).await?) {
                return Ok(Some(format!(
                    "the agent of {} is not registered with the leading master",
                    slave.name
                )));
            }
        }
        Ok(None)
    }

    /// Waits until all is well, and says why, whenever that is another reason.
    pub(super) async fn until_well(self, world: &World, service: &Service) -> Result<(), ActError> {
        let name = &self.node.name;
        let (begun, mut said) = (Instant::now(), String::new());
        loop {
            let wanting = match self.wanting(world).await {
                Ok(None) => return Ok(()),
                Ok(Some(wanting)) => wanting,
                Err(error) if error.class() == ErrorClass::Fenced => return Err(error),
                // Nobody leads for a while, and a master that has just begun refuses what it answers a moment later.
                Err(error) => error.to_string(),
            };
            let ends = begun.elapsed() >= ENDS_AFTER && service.keeps_ending(world, self.node).await?;
            if ends || begun.elapsed() >= WELL_LIMIT {
                let waited = begun.elapsed().as_secs();
                let what = format!("{name}: {wanting}: not well after {waited} s");
                let log = format!(
                    "what it says of itself, on {name}: `journalctl --unit {}`",
                    service.unit
                );
                return Err(ActError::not_yet(what).hinted(log));
            }
            if wanting != said {
                tracing::info!(target: "mesosflow::progress", "{name}: waiting, since {wanting}");
                said = wanting;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether it is heard of. One that an operator has taken out of work is none the worse.
pub(super) const fn is_registered(standing: &Standing) -> bool {
    matches!(standing, Standing::Registered(agent) if agent.is_active || agent.is_deactivated)
}

/// Whether another slave's agent runs. One whose node does not answer is not waited for.
async fn runs_there(world: &World, slave: &Node) -> Result<bool, ActError> {
    match world.has_agent(slave).await {
        Err(error) if error.class() == ErrorClass::Transient => Ok(false),
        asked => asked,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::process::Command;

    use crate::mesos::WELL;

    /// What a daemon is taken for that answers so, once.
    fn said(answer: Option<&str>, metric: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = answer.map(|answer| {
            let body = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _request = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(body.as_bytes()).unwrap();
            })
        });
        let output = Command::new("sh")
            .args(["-euc", WELL])
            .env("address", "127.0.0.1")
            .env("port", port.to_string())
            .env("metric", metric)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        if let Some(answering) = answering {
            answering.join().unwrap();
        }
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_daemon_is_well_by_its_own_word() {
        let (log, agent) = ("registrar log recovered", "slave registered");
        assert_eq!(said(Some(r#"{"registrar\/log\/recovered":1.0,"x":0}"#), log), "");
        assert_eq!(said(Some(r#"{"x":0,"registrar/log/recovered":1}"#), log), "");
        assert_eq!(
            said(Some(r#"{"registrar/log/recovered":0.0}"#), log),
            "says registrar/log/recovered=0.0"
        );
        assert_eq!(
            said(Some(r#"{"slave\/registered":0}"#), agent),
            "says slave/registered=0"
        );
        // An older one has no such word.
        assert_eq!(said(Some(r#"{"master/elected":1}"#), log), "");
        assert_eq!(said(None, log), "does not answer");
    }
}
