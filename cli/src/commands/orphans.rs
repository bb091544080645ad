//! `list --orphans`: what exists, carries mesosflow's tags, and belongs to no run of this journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::App;
use crate::args::PlaceArgs;
use crate::error::CliError;
use crate::render::table::table;
use crate::wiring::{self, ClusterSpec, MadeBy, ProviderKind, Tagged};

/// Something that belongs to no run of this journal, or to one that is over.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Orphan {
    #[serde(flatten)]
    pub(super) tagged: Tagged,
    /// Why it is one.
    pub(super) reason: &'static str,
    /// Whose it is.
    pub(super) owner: Whose,
}

/// Whose something is, as its tags say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Whose {
    /// This journal's, and made by this user on this host.
    Ours,
    /// Of a journal of this id, made by another user or on another host: a copy of this one may be in use there.
    OursElsewhere,
    /// Another journal's.
    Others,
    /// No tag says: an older mesosflow made it.
    Unknown,
}

const UNKNOWN: &str = "its run is not in this journal";
const DESTROYED: &str = "its run was destroyed";

/// This journal, as far as it tells whose something is.
pub(super) struct Ownership {
    /// Its id; none where there is no journal.
    pub(super) id: Option<String>,
    /// Its runs, and whether each is over for good: as they are listed, so that a damaged one is known too.
    runs: BTreeMap<String, bool>,
    /// Digest of this user and host.
    here: String,
}

impl Ownership {
    /// The journal of this process, if there is one.
    pub(super) async fn look(app: &App) -> Result<Self, CliError> {
        let (mut id, mut runs) = (None, BTreeMap::new());
        if let Some(journal) = app.existing_journal()? {
            id = Some(journal.id().to_owned());
            for row in journal.runs().await? {
                runs.insert(row.run.to_string(), !row.owns_cluster);
            }
        }
        let here = wiring::made_here();
        Ok(Self { id, runs, here })
    }

    /// What it is to this journal; none where it belongs to a run that is not over.
    pub(super) fn orphan(&self, tagged: Tagged) -> Option<Orphan> {
        let (reason, owner) = match self.runs.get(&tagged.run) {
            Some(false) => return None,
            Some(true) => (DESTROYED, Whose::Ours),
            None => (UNKNOWN, self.whose(tagged.made_by.as_ref())),
        };
        Some(Orphan {
            tagged,
            reason,
            owner,
        })
    }

    /// Of what was an orphan, that which is one still, as the journal is now.
    pub(super) fn still(&self, orphans: Vec<Orphan>) -> Vec<Orphan> {
        let all = orphans.into_iter();
        all.filter_map(|orphan| self.orphan(orphan.tagged)).collect()
    }

    fn whose(&self, made_by: Option<&MadeBy>) -> Whose {
        match made_by {
            None => Whose::Unknown,
            Some(by) if self.id.as_ref() != Some(&by.journal) => Whose::Others,
            Some(by) if self.is_here(by) => Whose::Ours,
            Some(_) => Whose::OursElsewhere,
        }
    }

    /// Whether this user made it on this host.
    pub(super) fn is_here(&self, by: &MadeBy) -> bool {
        by.user == self.here
    }
}

impl Orphan {
    fn owner_in_words(&self) -> String {
        match (self.owner, &self.tagged.made_by) {
            (Whose::Ours, _) => "this journal".to_owned(),
            (Whose::OursElsewhere, _) => "this journal, from another user or host".to_owned(),
            (_, Some(by)) => format!("journal {}", by.journal),
            (_, None) => "unknown".to_owned(),
        }
    }
}

/// What one provider has that carries mesosflow's tags, and what it was asked for.
pub(super) struct Answer {
    pub(super) spec: ClusterSpec,
    pub(super) tagged: Vec<Tagged>,
    pub(super) asked: String,
}

/// Looks at each provider that can be used from here, or at the one that was named.
pub(super) async fn list(app: &App, named: Option<ProviderKind>, place: &PlaceArgs) -> Result<(), CliError> {
    let (answers, ownership) = look(app, named, place).await?;
    let all = answers.into_iter().flat_map(|answer| answer.tagged);
    let orphans: Vec<_> = all.filter_map(|tagged| ownership.orphan(tagged)).collect();
    if app.ui.json {
        return app.ui.document(&orphans);
    }
    if orphans.is_empty() {
        app.ui.note(
            "no orphans: everything that carries mesosflow's tags there belongs to a run of this journal",
        );
        return Ok(());
    }
    let rows = orphans.iter().map(|orphan| {
        let Orphan { tagged, reason, .. } = orphan;
        let place = tagged.place.as_deref().unwrap_or("this machine");
        vec![
            tagged.kind.clone(),
            tagged.id.clone(),
            tagged.name.clone(),
            tagged.cluster.clone(),
            tagged.run.clone(),
            format!("{}, {place}", tagged.provider),
            orphan.owner_in_words(),
            (*reason).to_owned(),
        ]
    });
    app.ui.line(&table(
        &["kind", "id", "name", "cluster", "run", "where", "owner", "why"],
        rows,
    ))?;
    if orphans.iter().any(|orphan| orphan.owner == Whose::Ours) {
        let command = app.places.command(&["destroy", "--orphans"]);
        app.ui.note(&format!("to end what is this journal's: {command}"));
    }
    if orphans
        .iter()
        .any(|orphan| matches!(orphan.owner, Whose::Others | Whose::OursElsewhere))
    {
        let command = app.places.command(&["destroy", "--owner", "JOURNAL-ID"]);
        app.ui
            .note(&format!("to end what is of a journal that was lost: {command}"));
    }
    Ok(())
}

/// What the providers have, and the journal as it is after their answers: a run is in it before its first resource is, so that
/// one which was begun meanwhile is known.
pub(super) async fn look(
    app: &App,
    named: Option<ProviderKind>,
    place: &PlaceArgs,
) -> Result<(Vec<Answer>, Ownership), CliError> {
    let answers = ask(app, named, place).await?;
    let ownership = Ownership::look(app).await?;
    Ok((answers, ownership))
}

/// What the providers have. One that was not named and cannot be used is passed over, and said to be.
async fn ask(app: &App, named: Option<ProviderKind>, place: &PlaceArgs) -> Result<Vec<Answer>, CliError> {
    let of = |provider| {
        let mut spec = ClusterSpec {
            provider,
            ..ClusterSpec::default()
        };
        place.overlay(&mut spec.ec2);
        async move {
            let (tagged, asked) = wiring::tagged(&spec).await?;
            Ok::<_, CliError>(Answer { spec, tagged, asked })
        }
    };
    if let Some(provider) = named {
        return Ok(vec![of(provider).await?]);
    }
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for provider in ProviderKind::ALL.into_iter().filter(|kind| kind.makes_machines()) {
        match of(provider).await {
            Ok(place) => all.push(place),
            Err(error) => failed.push(error),
        }
    }
    if all.is_empty() {
        return Err(CliError::usage("no provider can be used from here").because(
            failed
                .iter()
                .flat_map(|error| error.causes.clone())
                .collect::<Vec<_>>()
                .join("; "),
        ));
    }
    for error in failed {
        app.ui.warn(&format!(
            "not looked at: {}: {}",
            error.message,
            error.causes.join(": ")
        ));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(run: &str, made_by: Option<(&str, &str)>) -> Tagged {
        Tagged {
            provider: ProviderKind::Ec2,
            place: None,
            kind: "instance".into(),
            id: "i-1".into(),
            name: "demo-master-1".into(),
            cluster: "demo".into(),
            run: run.into(),
            driver: None,
            made_by: made_by.map(|(journal, user)| MadeBy {
                journal: journal.into(),
                user: user.into(),
            }),
            made_at: None,
        }
    }

    #[test]
    fn whose_a_thing_is_follows_from_its_run_its_journal_and_who_made_it() {
        let journal = Ownership {
            id: Some("j1".into()),
            runs: [("alive".to_owned(), false), ("over".to_owned(), true)].into(),
            here: "me".into(),
        };
        let owner = |run, by| journal.orphan(tagged(run, by)).map(|orphan| orphan.owner);
        // What belongs to a run that is not over is no orphan, whoever says to have made it.
        assert_eq!(owner("alive", Some(("j2", "you"))), None);
        assert_eq!(owner("over", None), Some(Whose::Ours));
        assert_eq!(owner("lost", Some(("j1", "me"))), Some(Whose::Ours));
        assert_eq!(owner("lost", Some(("j1", "you"))), Some(Whose::OursElsewhere));
        assert_eq!(owner("lost", Some(("j2", "me"))), Some(Whose::Others));
        assert_eq!(owner("lost", None), Some(Whose::Unknown));
        // What was none of its runs' may have come to be.
        let lost = |run| journal.orphan(tagged(run, Some(("j1", "me")))).unwrap();
        let known: BTreeMap<_, _> = [("lost".to_owned(), false)].into();
        let meant = vec![lost("lost"), lost("lost for good")];
        let later = Ownership {
            id: journal.id.clone(),
            runs: known,
            here: journal.here.clone(),
        };
        let still = later.still(meant);
        assert_eq!(still.len(), 1);
        assert_eq!(still[0].tagged.run, "lost for good");
        // Without a journal, nothing is its own.
        let none = Ownership { id: None, ..journal };
        assert_eq!(
            none.orphan(tagged("lost", Some(("j1", "me")))).unwrap().owner,
            Whose::Others
        );
    }
}
