//! Whether anybody has answered at all: where everybody is silent, it is the way to them that is shut.

use std::io::ErrorKind;
use std::sync::{Mutex, PoisonError};

use super::{RemoteError, Target};

/// What came of all attempts to connect directly; those through another node tell of that one's way.
#[derive(Debug, Default)]
pub(super) struct Contact(Mutex<Attempts>);

#[derive(Debug, Default)]
struct Attempts {
    answered: bool,
    unanswered: Option<String>,
}

impl Contact {
    /// Takes note of an attempt. A refusal is an answer, too.
    pub(super) fn note(&self, target: &Target, failed: Option<&RemoteError>) {
        if target.via.is_some() {
            return;
        }
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            Some(error) if is_silence(error) => attempts.unanswered = Some(target.host.clone()),
            // This side's own trouble says nothing of the other.
            Some(RemoteError::Local { .. } | RemoteError::NoHostKey { .. }) => {}
            Some(RemoteError::Connect { source, .. }) if source.kind() == ErrorKind::NetworkUnreachable => {}
            _ => attempts.answered = true,
        }
    }

    /// A host that did not answer, where none has.
    pub(super) fn unanswered(&self) -> Option<String> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unanswered = attempts.unanswered.as_ref();
        unanswered.filter(|_| !attempts.answered).cloned()
    }
}

fn is_silence(error: &RemoteError) -> bool {
    match error {
        RemoteError::ConnectTimeout { doing, .. } => *doing == "connecting",
        RemoteError::Connect { source, .. } => {
            matches!(source.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    fn failed(kind: ErrorKind) -> RemoteError {
        RemoteError::Connect {
            node: "n".into(),
            address: "a".into(),
            source: Arc::new(io::Error::from(kind)),
        }
    }

    #[test]
    fn only_silence_of_all_is_a_shut_door() {
        let target = Target::new("n", "192.0.2.7", "root");
        let beyond = Target::new("m", "10.0.0.7", "root").via(target.clone());
        let contact = Contact::default();
        assert_eq!(contact.unanswered(), None);
        contact.note(&target, Some(&failed(ErrorKind::NetworkUnreachable)));
        contact.note(&beyond, Some(&failed(ErrorKind::TimedOut)));
        assert_eq!(contact.unanswered(), None);
        contact.note(&target, Some(&failed(ErrorKind::TimedOut)));
        contact.note(&beyond, None);
        assert_eq!(contact.unanswered().as_deref(), Some("192.0.2.7"));
        contact.note(&target, Some(&failed(ErrorKind::ConnectionRefused)));
        assert_eq!(contact.unanswered(), None);
    }
}
