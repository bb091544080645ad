//! Who opens the door of a host: the cluster's own key once it is let in, the user's before.

use std::sync::Arc;

use mesosflow_workflow::{ErrorClass, StepError as _};

use super::marks::{Held, MARK_PATH};
use crate::cluster::{HostSpec, Instance};
use crate::provider::{Answer, Need, ProviderError};
use crate::remote::{Pool, RemoteError, Session, Target};

/// A host of the list, and the machine that the cluster sees in it.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// The machine.
    pub(super) instance: Instance,
    /// Where it is, who logs in there, and how it proves to be that host.
    pub(super) target: Target,
}

impl Host {
    pub(super) fn new(instance: Instance, spec: &HostSpec) -> Self {
        let target = Target::new(&instance.name, spec.address.to_string(), &spec.user)
            .port(spec.port)
            .host_key(spec.host_key.clone());
        Self { instance, target }
    }
}

/// A host of another cluster.
pub(super) fn taken(held: &Held) -> Trouble {
    Trouble::new(
        format!("belongs to {held}"),
        format!(
            "`mesosflow destroy` that cluster first; if nobody has its journal any more, remove {MARK_PATH} there"
        ),
    )
}

/// The keys that may open a door.
#[derive(Debug)]
pub(super) struct Logins {
    /// The cluster's own; none before there is a run.
    pub(super) own: Option<Pool>,
    /// The user's. No host ever gets it.
    pub(super) identity: Pool,
}

/// An open door.
pub(super) struct Entry {
    /// The session.
    pub(super) session: Arc<Session>,
    /// Whether the cluster's own key opened it.
    pub(super) by_own_key: bool,
}

impl Logins {
    /// Logs in with the cluster's own key or, where that is not let in, with the user's.
    pub(super) async fn enter(&self, host: &Host) -> Result<Entry, RemoteError> {
        if let Some(own) = &self.own {
            match own.session(&host.target).await {
                Ok(session) => {
                    return Ok(Entry {
                        session,
                        by_own_key: true,
                    });
                }
                Err(RemoteError::AuthRefused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let session = self.identity.session(&host.target).await?;
        Ok(Entry {
            session,
            by_own_key: false,
        })
    }

    /// Ends the connections to a host: from now on the run has its own.
    pub(super) fn leave(&self, host: &Host) {
        self.identity.forget(&host.target);
        if let Some(own) = &self.own {
            own.forget(&host.target);
        }
    }
}

/// Why a host cannot be used, and what to do.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    what: String,
    hint: Option<String>,
    class: ErrorClass,
}

impl Trouble {
    /// Something that a person has to mend.
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: Some(hint.into()),
            class: ErrorClass::Operator,
        }
    }

    /// The same as what was found of `what`.
    pub(super) fn finding(self, what: String) -> Need {
        Need {
            hint: self.hint,
            ..Need::failed(what, self.what)
        }
    }

    /// With the host's name, unless it is told already, and what to do on a line of its own.
    fn told(&self, host: &Host) -> String {
        let name = &host.instance.name;
        let mut text = match self.what.contains(name.as_str()) {
            true => self.what.clone(),
            false => format!("{name} ({}) {}", host.target, self.what),
        };
        if let Some(hint) = &self.hint {
            text = format!("{text}\n  {hint}");
        }
        text
    }
}

impl From<RemoteError> for Trouble {
    fn from(error: RemoteError) -> Self {
        let mut what = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(deeper) = source {
            what = format!("{what}: {deeper}");
            source = deeper.source();
        }
        let hint = match &error {
            RemoteError::Connect { .. } | RemoteError::ConnectTimeout { .. } => Some(
                "see that it runs and has an SSH server, and that `address` and `port` are right".to_owned(),
            ),
            RemoteError::Handshake { .. } => Some(
                "see that an SSH server answers there which has the key of `host_key` (a line of /etc/ssh/ssh_host_*_key.pub)"
                    .to_owned(),
            ),
            other => other.hint(),
        };
        Self {
            what,
            hint,
            class: error.class(),
        }
    }
}

/// The trouble of one host as an error.
pub(super) fn failed(doing: impl Into<String>, trouble: impl Into<Trouble>) -> ProviderError {
    let trouble = trouble.into();
    ProviderError {
        doing: doing.into(),
        class: trouble.class,
        hint: trouble.hint,
        source: Answer(trouble.what),
    }
}

/// The trouble of any number of hosts as one error that names each; transient only if all of it is.
pub(super) fn together(troubles: Vec<(&Host, Trouble)>, all: usize) -> ProviderError {
    let class = troubles
        .iter()
        .map(|(_, trouble)| trouble.class)
        .find(|class| !class.is_retryable())
        .unwrap_or(ErrorClass::Transient);
    let told: Vec<_> = troubles
        .iter()
        .map(|(host, trouble)| trouble.told(host))
        .collect();
    ProviderError {
        doing: format!("{} of {all} hosts cannot be used", troubles.len()),
        class,
        hint: None,
        source: Answer(told.join("\n")),
    }
}
