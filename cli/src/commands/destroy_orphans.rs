//! `destroy --orphans` and `destroy --owner`: what belongs to no run of this journal is ended by its tags.
//!
//! A journal that was restored from an older copy has lost its newest runs, and theirs are orphans of its own; so are, to a copy
//! of a journal, the runs of the other copy, which may be alive. `--orphans` ends what this user made on this host as far as this
//! journal knows its driver, names the rest, and refuses what a newer copy may have made. Beyond that only a person can tell, who
//! is asked for the cluster's name.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::Timestamp;
use mesosflow_workflow::{Driver, Resource, Seq};
use serde::Serialize;

use super::orphans::{self, Answer, Orphan, Ownership, Whose};
use crate::app::App;
use crate::args::{PlaceArgs, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::nearest::nearest;
use crate::render::duration;
use crate::runs::Found;
use crate::wiring::{self, Orphans, ProviderKind, Tagged};

/// What `destroy` ends that belongs to no run.
#[derive(Debug, Clone, Args)]
pub(super) struct OrphanArgs {
    /// What carries this journal's id, was made from here, and belongs to no run of it
    #[arg(long, conflicts_with_all = ["run", "take_over"])]
    orphans: bool,
    /// What carries the id of a journal that was lost (`list --orphans` shows it); asks for the cluster's name
    #[arg(long, value_name = "JOURNAL-ID", conflicts_with_all = ["run", "take_over", "orphans"])]
    owner: Option<String>,
    /// With --orphans or --owner: the provider that is asked; by default each that can be used from here
    #[arg(long, value_parser = word::<ProviderKind>())]
    pub(super) provider: Option<ProviderKind>,
}

/// What is asked for, by all flags together.
pub(super) struct Asked<'a> {
    pub(super) which: Which<'a>,
    /// Where they are looked for; everywhere, if not said.
    pub(super) provider: Option<ProviderKind>,
    pub(super) place: &'a PlaceArgs,
    /// Only what is of this cluster.
    pub(super) cluster: Option<&'a str>,
    pub(super) yes: bool,
}

/// Which orphans are meant.
pub(super) enum Which<'a> {
    /// Those of this journal.
    Ours,
    /// Those of the journal with this id, which was lost.
    Owner(&'a str),
}

#[derive(Serialize)]
struct Ended<'a> {
    deleted: Vec<Resource>,
    /// What carries the journal's id, and was left: another user or host made it.
    left: Vec<Resource>,
    /// What was asked of whom.
    asked: Vec<&'a str>,
}

/// What is asked for, if not a run.
pub(super) fn which<'a>(args: &'a OrphanArgs, place: &PlaceArgs) -> Result<Option<Which<'a>>, CliError> {
    match (&args.owner, args.orphans) {
        (Some(owner), _) => Ok(Some(Which::Owner(owner))),
        (None, true) => Ok(Some(Which::Ours)),
        (None, false) if args.provider.is_some() || place.is_given() => Err(CliError::usage(
            "a run is destroyed where it was begun: no flag changes that",
        )
        .hint("--provider, --region, --endpoint-url and --profile are for --orphans and --owner")),
        (None, false) => Ok(None),
    }
}

/// Lists, asks, and ends.
pub(super) async fn destroy_orphans(app: &App, asked: Asked<'_>) -> Result<(), CliError> {
    let Asked {
        which,
        provider,
        place,
        cluster,
        yes,
    } = asked;
    if matches!(which, Which::Ours) && Ownership::look(app).await?.id.is_none() {
        let list = app.places.command(&["list", "--orphans"]);
        return Err(CliError::usage(format!(
            "there is no journal `{}`, and so nothing that is its",
            app.places.journal().display()
        ))
        .hint(format!(
            "{list} shows what there is, and `mesosflow destroy --owner JOURNAL-ID` ends it"
        )));
    }
    if yes && cluster.is_none() {
        let flag = match which {
            Which::Ours => "--orphans",
            Which::Owner(_) => "--owner",
        };
        return Err(CliError::usage(format!("{flag} with --yes needs --cluster NAME"))
            .hint("the cluster's name is what shows that this very one is meant"));
    }
    let (answers, ownership) = orphans::look(app, provider, place).await?;
    let asked: Vec<_> = answers.iter().map(|answer| answer.asked.as_str()).collect();
    let all = answers.iter().flat_map(|answer| answer.tagged.iter().cloned());
    let (mut meant, left) = pick(&ownership, &which, all);
    if let Some(cluster) = cluster {
        meant = of_cluster(meant, cluster)?;
    }
    if !left.is_empty() {
        app.ui.warn(&elsewhere(app, &ownership, &left));
    }
    if meant.is_empty() {
        return tell(app, &which, Vec::new(), &left, asked);
    }
    let losses = losses(&ownership, &meant);
    match which {
        Which::Ours => {
            refuse_another_copys(app, &ownership, &meant).await?;
            let command = ["destroy", "--orphans", "--cluster", only_name(&meant)];
            app.ui.confirm(&losses, &app.places.command(&command), yes)?;
        }
        Which::Owner(owner) => meant = named(app, yes, owner, meant, &losses)?,
    }
    // Somebody may have thought for long; and what has come to be known to the journal is no orphan.
    let meant = Ownership::look(app).await?.still(meant);
    let deleted = end(app, &answers, &meant).await?;
    tell(app, &which, deleted, &left, asked)
}

/// What is meant, and what carries this journal's id and is left alone.
fn pick(
    ownership: &Ownership,
    which: &Which<'_>,
    all: impl Iterator<Item = Tagged>,
) -> (Vec<Orphan>, Vec<Orphan>) {
    let orphans = all.filter_map(|tagged| ownership.orphan(tagged));
    match which {
        Which::Ours => orphans
            .filter(|orphan| matches!(orphan.owner, Whose::Ours | Whose::OursElsewhere))
            .partition(|orphan| orphan.owner == Whose::Ours),
        Which::Owner(owner) => {
            let is_of = |orphan: &Orphan| {
                orphan
                    .tagged
                    .made_by
                    .as_ref()
                    .is_some_and(|by| by.journal == **owner)
            };
            (orphans.filter(is_of).collect(), Vec::new())
        }
    }
}

fn of_cluster(meant: Vec<Orphan>, cluster: &str) -> Result<Vec<Orphan>, CliError> {
    let names: BTreeSet<_> = meant.iter().map(|orphan| orphan.tagged.cluster.clone()).collect();
    if !names.is_empty() && !names.contains(cluster) {
        let error = CliError::usage(format!("no orphan is of a cluster `{cluster}`"));
        return Err(match nearest(cluster, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!(
                "there are those of: {}",
                names.into_iter().collect::<Vec<_>>().join(", ")
            )),
        });
    }
    let is_of = |orphan: &Orphan| orphan.tagged.cluster == cluster;
    Ok(meant.into_iter().filter(is_of).collect())
}

/// Refuses what another copy of this journal may have made, and may be driving: this one, restored from a backup or copied, knows
/// nothing of it.
async fn refuse_another_copys(app: &App, ownership: &Ownership, meant: &[Orphan]) -> Result<(), CliError> {
    let Some(journal) = app.existing_journal()? else {
        return Ok(());
    };
    let mut last = None;
    let mut drivers: BTreeMap<String, BTreeSet<Driver>> = BTreeMap::new();
    for row in journal.runs().await? {
        let before = Seq(row.summary.seq.0.saturating_sub(1));
        // The end of a damaged history is not known: it says nothing of when this journal was last used.
        let end = journal.read(row.run, before, 1).await.unwrap_or_default();
        last = last.max(end.last().map(|event| event.at));
        let run = row.run.to_string();
        if meant.iter().any(|orphan| orphan.tagged.run == run)
            && let Ok(found) = Found::look(&journal, row).await
        {
            drivers.insert(run, found.state.drivers);
        }
    }
    let is_stranger = |orphan: &&Orphan| {
        let known = drivers.get(&orphan.tagged.run);
        match orphan.tagged.driver {
            Some(driver) => known.is_none_or(|known| !known.contains(&driver)),
            None => orphan.tagged.made_at > last,
        }
    };
    let Some(Orphan { tagged, .. }) = meant.iter().find(is_stranger) else {
        return Ok(());
    };
    let how = match tagged.driver {
        Some(driver) => format!(
            "by a driver (epoch {}) that this journal does not know",
            driver.epoch
        ),
        None => "after this journal's last event".to_owned(),
    };
    let (cluster, run) = (&tagged.cluster, &tagged.run);
    let id = ownership.id.as_deref().unwrap_or_default();
    let command = app
        .places
        .command(&["destroy", "--owner", id, "--cluster", cluster]);
    Err(CliError::refused(format!(
        "{} {} of run `{run}` was made {how}: another copy of this journal may be in use, and drive cluster `{cluster}`",
        tagged.kind, tagged.name
    ))
    .hint(format!(
        "use that copy (`mesosflow destroy {run}` there); if there is none any more: `{command}`"
    )))
}

/// The name of the cluster that is meant; a word for it where there are several.
fn only_name(meant: &[Orphan]) -> &str {
    let names: BTreeSet<_> = meant
        .iter()
        .map(|orphan| orphan.tagged.cluster.as_str())
        .collect();
    match names.len() {
        1 => names.first().copied().unwrap_or_default(),
        _ => "NAME",
    }
}

/// Has the cluster's name typed, or given with `--cluster`; only what is of that cluster is meant.
fn named(
    app: &App,
    yes: bool,
    owner: &str,
    meant: Vec<Orphan>,
    losses: &[String],
) -> Result<Vec<Orphan>, CliError> {
    if yes {
        return Ok(meant);
    }
    let names: BTreeSet<_> = meant
        .iter()
        .map(|orphan| orphan.tagged.cluster.as_str())
        .collect();
    for loss in losses {
        app.ui.warn(loss);
    }
    let Some(typed) = app.ui.ask_name("The name of the cluster that is to end") else {
        let command = ["destroy", "--owner", owner, "--cluster", only_name(&meant)];
        let command = app.places.command(&command);
        let mut refused =
            CliError::refused("this needs the cluster's name, and there is no terminal to ask on");
        refused.causes.extend(losses.iter().cloned());
        return Err(refused.hint(format!("`{command} --yes` does it without asking")));
    };
    if !names.contains(typed.as_str()) {
        return Err(CliError::refused(
            "no cluster there has that name: nothing was done",
        ));
    }
    of_cluster(meant, &typed)
}

/// What would be lost, a line for each run: whose it is, how old, which machines.
fn losses(ownership: &Ownership, meant: &[Orphan]) -> Vec<String> {
    let mut runs: BTreeMap<(&str, &str), Vec<&Orphan>> = BTreeMap::new();
    for orphan in meant {
        let key = (orphan.tagged.cluster.as_str(), orphan.tagged.run.as_str());
        runs.entry(key).or_default().push(orphan);
    }
    runs.into_iter()
        .map(|(key, orphans)| loss(ownership, key, &orphans))
        .collect()
}

fn loss(ownership: &Ownership, (cluster, run): (&str, &str), orphans: &[&Orphan]) -> String {
    let first = &orphans[0].tagged;
    let place = first.place.as_deref().unwrap_or("this machine");
    let host = match &first.made_by {
        Some(by) if ownership.is_here(by) => "made by this user on this host".to_owned(),
        Some(by) => format!("made by another user or host ({})", by.user),
        None => "made by nobody knows whom".to_owned(),
    };
    let times = || orphans.iter().filter_map(|orphan| orphan.tagged.made_at);
    let ago = |at: Timestamp| duration::between(Some(at), Some(Timestamp::now())).map(duration::text);
    let age = match (times().min().and_then(ago), times().max().and_then(ago)) {
        (Some(oldest), Some(newest)) if oldest != newest => {
            format!("the oldest for {oldest}, the newest for {newest}")
        }
        (Some(oldest), _) => format!("for {oldest}"),
        _ => "since when is not known".to_owned(),
    };
    let (machines, others): (Vec<&Orphan>, Vec<&Orphan>) = orphans
        .iter()
        .partition(|orphan| orphan.tagged.kind == "instance");
    let machines: Vec<_> = machines
        .iter()
        .map(|orphan| match orphan.tagged.name == orphan.tagged.id {
            true => orphan.tagged.id.clone(),
            false => format!("{} ({})", orphan.tagged.name, orphan.tagged.id),
        })
        .collect();
    let machines = match machines.is_empty() {
        true => "no machine".to_owned(),
        false => machines.join(", "),
    };
    format!(
        "cluster `{cluster}` of run `{run}` ({}, {place}), {host}, there {age}, is deleted with all its data: {machines}, and {} further resources",
        first.provider,
        others.len()
    )
}

/// What is left alone, and how to end it all the same.
fn elsewhere(app: &App, ownership: &Ownership, left: &[Orphan]) -> String {
    let id = ownership.id.as_deref().unwrap_or_default();
    let clusters: BTreeSet<_> = left.iter().map(|orphan| orphan.tagged.cluster.as_str()).collect();
    let clusters: Vec<_> = clusters.into_iter().collect();
    format!(
        "{} more of this journal's id (cluster {}) were made by another user or host, where a copy of this journal may be in \
         use: they stay. If it is not: {}",
        left.len(),
        clusters.join(", "),
        app.places.command(&["destroy", "--owner", id])
    )
}

/// Ends what is meant, place after place.
async fn end(app: &App, answers: &[Answer], meant: &[Orphan]) -> Result<Vec<Resource>, CliError> {
    let mut deleted = Vec::new();
    for answer in answers {
        let here = meant
            .iter()
            .filter(|orphan| orphan.tagged.provider == answer.spec.provider);
        let runs: BTreeSet<_> = here.map(|orphan| orphan.tagged.run.clone()).collect();
        if runs.is_empty() {
            continue;
        }
        let mut told = |resource: &Resource| {
            app.ui
                .note(&format!("deleted {} {}", resource.kind, resource.name));
            deleted.push(resource.clone());
        };
        let ended = wiring::end_orphans(&answer.spec, &Orphans { runs }, &mut told).await;
        ended.map_err(|error| match error.exit {
            Exit::Failed => error.hint("run the same again: it goes on from here"),
            _ => error,
        })?;
    }
    Ok(deleted)
}

fn tell(
    app: &App,
    which: &Which<'_>,
    deleted: Vec<Resource>,
    left: &[Orphan],
    asked: Vec<&str>,
) -> Result<(), CliError> {
    if app.ui.json {
        let left = left.iter().map(|orphan| orphan.tagged.resource()).collect();
        return app.ui.document(&Ended { deleted, left, asked });
    }
    let whose = match which {
        Which::Ours => "this journal".to_owned(),
        Which::Owner(owner) => format!("journal `{owner}`"),
    };
    let said = match deleted.len() {
        0 => format!("no orphans of {whose}"),
        1 => format!("of {whose}: 1 orphan deleted"),
        count => format!("of {whose}: {count} orphans deleted"),
    };
    app.ui.line(&said)?;
    app.ui.line(&format!("asked {}", asked.join("; and ")))
}
