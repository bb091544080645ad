//! `doctor`: what this machine and the account lack for a run, all at once.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::app::App;
use crate::args::SpecArgs;
use crate::config::{self, Asked, Surroundings};
use crate::error::CliError;
use crate::exit::Exit;
use crate::text::clean;
use crate::wiring::{self, ClusterSpec, Need, ProviderKind};

/// What a journal with its runs' logs needs at least, MiB: a long run writes some ten.
const STATE_MIB: u64 = 256;
/// How far the clock may be behind what it has already shown, before that is told.
const BACKWARDS: Duration = Duration::from_secs(120);
/// What is found of Mesos, which is lacking where nothing says where it comes from.
const MESOS: &str = "Mesos";

/// What is not looked at without a configuration.
const UNREAD: &str = "Mesos and the provider are looked at once the configuration can be read";

/// Show what is lacking for a run, all at once, and make nothing
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    spec: SpecArgs,
}

const HELP: &str = "\
Takes the flags of `run` and looks at what that run would need: the configuration, the journal, Mesos, and what its provider has. \
Nothing is made, on this machine, on hosts or in an account.

Exit codes: 0 nothing is lacking; 1 something is.

  mesosflow doctor
  mesosflow doctor --provider ec2 --admin-cidr 203.0.113.7/32";

#[derive(Serialize)]
struct Report<'a> {
    healthy: bool,
    /// None where nothing that can be read names one.
    provider: Option<ProviderKind>,
    findings: &'a [Need],
}

/// Looks at everything, whatever else is lacking.
pub(crate) async fn doctor(app: &App, args: &DoctorArgs) -> Result<(), CliError> {
    let (spec, mut findings) = configured(app, &args.spec)?;
    let lacks_mesos = findings.iter().any(|finding| finding.what == MESOS);
    findings.extend(state(app).await);
    if let Some(spec) = &spec {
        let found = wiring::examine(spec).await.into_iter();
        findings.extend(found.filter(|finding| !lacks_mesos || finding.what != MESOS));
    }
    let lacking = findings.iter().filter(|finding| !finding.ok).count();
    let provider = match &spec {
        Some(spec) => Some(spec.provider),
        None => args
            .spec
            .provider
            .or_else(|| config::provider_of(app.config.as_deref())),
    };
    if app.ui.json {
        app.ui.document(&Report {
            healthy: lacking == 0,
            provider,
            findings: &findings,
        })?;
    } else {
        let of = provider.map(|provider| match args.spec.provider {
            Some(_) => format!("for provider `{provider}`"),
            None => format!("for provider `{provider}`, as `run` would be; name another one with --provider"),
        });
        let unread = spec.is_none().then(|| UNREAD.to_owned());
        let told: Vec<_> = of.into_iter().chain(unread).collect();
        app.ui.line(&told.join("; "))?;
        app.ui.line(&text(&findings))?;
    }
    match lacking {
        0 => Ok(()),
        1 => Err(CliError::new(Exit::Failed, "something is lacking for a run")),
        several => Err(CliError::new(
            Exit::Failed,
            format!("{several} things are lacking for a run"),
        )),
    }
}

/// A line for each, with what to do below.
fn text(findings: &[Need]) -> String {
    let wide = findings
        .iter()
        .map(|finding| finding.what.chars().count())
        .max()
        .unwrap_or(0);
    let line = |finding: &Need| {
        let mark = if finding.ok { "ok     " } else { "LACKING" };
        let mut text = format!(
            "{mark}  {:<wide$}  {}",
            finding.what,
            clean(&finding.detail).replace('\n', "; ")
        );
        for hint in finding.hint.iter().flat_map(|hint| hint.lines()) {
            text = format!("{}\n           hint: {}", text.trim_end(), clean(hint));
        }
        text
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The spec of the run, where one can be read, and what is wrong with it.
fn configured(app: &App, flags: &SpecArgs) -> Result<(Option<ClusterSpec>, Vec<Need>), CliError> {
    let what = "configuration";
    let around = Surroundings::of_process()?;
    let asked = match config::asked(app.config.as_deref(), flags, &around) {
        Ok(asked) => asked,
        Err(wrong) => return Ok((None, vec![told(what, &wrong)])),
    };
    let mut findings = vec![match config::check(&asked, flags, &around) {
        Ok(warnings) if warnings.is_empty() => Need::fine(what, shape(&asked.spec)),
        Ok(warnings) => Need::fine(what, format!("{}; {}", shape(&asked.spec), warnings.join("; "))),
        Err(wrong) => told(what, &wrong),
    }];
    let Asked {
        spec, without_mesos, ..
    } = asked;
    findings.extend(without_mesos.map(|wrong| told(MESOS, &wrong)));
    Ok((Some(spec), findings))
}

fn shape(spec: &ClusterSpec) -> String {
    let (masters, slaves, zookeepers) = (spec.masters, spec.slaves, spec.zookeepers());
    format!(
        "cluster `{}`: masters {masters}, slaves {slaves}, ZooKeepers {zookeepers}",
        spec.cluster
    )
}

fn told(what: &str, wrong: &CliError) -> Need {
    let all: Vec<_> = std::iter::once(&wrong.message)
        .chain(&wrong.causes)
        .cloned()
        .collect();
    let finding = Need::failed(what, all.join(": "));
    let hint = (!wrong.hints.is_empty()).then(|| wrong.hints.join("\n"));
    Need { hint, ..finding }
}

/// What this program itself keeps on this machine.
async fn state(app: &App) -> Vec<Need> {
    let what = "state folder";
    let path = app.places.journal();
    let elsewhere = "name another place with --journal, or MESOSFLOW_JOURNAL";
    let place = match wiring::look_at(path) {
        Ok(place) => place,
        Err(error) => {
            return vec![Need::lacking(
                what,
                format!("{}: {error}", path.display()),
                elsewhere,
            )];
        }
    };
    let (shown, free) = (place.folder.display(), place.free_bytes >> 20);
    let folder = if !place.is_writable {
        let whose = if place.has_file { path.display() } else { shown };
        Need::lacking(what, format!("{whose} cannot be written to"), elsewhere)
    } else if let Some(network) = place.network.as_deref().filter(|_| !app.places.is_on_network()) {
        Need::lacking(
            what,
            format!(
                "{shown} is on a network file system ({network}), where locks and the journal's log may not hold"
            ),
            format!("{elsewhere}, on a disk of this machine; or vouch for it with --journal-on-network"),
        )
    } else if free < STATE_MIB {
        let detail =
            format!("{shown}: {free} MiB are free, and {STATE_MIB} are needed for the journal and logs");
        Need::lacking(what, detail, format!("make room there, or {elsewhere}"))
    } else {
        Need::fine(what, format!("{shown}, {free} MiB free"))
    };
    let mut findings = vec![folder];
    let mut seen = modified();
    match app.existing_journal() {
        Ok(None) => findings.push(Need::fine(
            "journal",
            format!("{} is made by the first run", path.display()),
        )),
        Ok(Some(journal)) => match journal.runs().await {
            Ok(rows) => {
                let moments = rows
                    .iter()
                    .flat_map(|row| [Some(row.created_at), row.summary.finished_at]);
                seen = moments.flatten().chain(seen).max();
                findings.push(Need::fine(
                    "journal",
                    format!("{}, runs {}", path.display(), rows.len()),
                ));
            }
            Err(error) => findings.push(told("journal", &CliError::from(&error))),
        },
        Err(error) => findings.push(told("journal", &error)),
    }
    findings.push(clock(Timestamp::now(), seen));
    findings
}

/// When the program's own file was written: by then at least it has been.
fn modified() -> Option<Timestamp> {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    file.and_then(|file| file.modified()).ok()?.try_into().ok()
}

/// Whether the clock has not gone back behind what it has shown.
fn clock(now: Timestamp, seen: Option<Timestamp>) -> Need {
    let what = "clock";
    let behind = seen
        .map(|seen| seen.duration_since(now))
        .and_then(|behind| Duration::try_from(behind).ok());
    match behind.filter(|behind| *behind > BACKWARDS) {
        None => Need::fine(what, now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        Some(behind) => Need::lacking(
            what,
            format!(
                "it says {}, and has been {} s further already",
                now.strftime("%Y-%m-%d %H:%M:%S UTC"),
                behind.as_secs()
            ),
            "set it (`timedatectl set-ntp true`): AWS refuses calls of another time, and certificates expire",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_with_what_to_do_below() {
        let findings = [
            Need::fine("journal", "is made by the first run"),
            Need::lacking(
                "container engine",
                "podman: none\u{1b}[31m\ndocker: none",
                "install podman\nor docker",
            ),
        ];
        insta::assert_snapshot!(text(&findings));
    }

    #[test]
    fn a_clock_that_went_back_is_told() {
        let now: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
        let later: Timestamp = "2026-03-01T10:30:00Z".parse().unwrap();
        assert!(clock(now, None).ok && clock(later, Some(now)).ok && clock(now, Some(now)).ok);
        let back = clock(now, Some(later));
        assert!(!back.ok && back.detail.contains("3600 s"), "{back:?}");
    }
}
