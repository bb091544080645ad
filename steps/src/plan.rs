//! What a deploy would do and create, without doing it.

use mesosflow_workflow::CatalogueEntry;
use serde::Serialize;

use crate::catalogue::{catalogue, skip_reason};
use crate::cluster::ClusterSpec;
use crate::provider::{PlannedResource, creates};

/// A deploy that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// What would exist afterwards that has to be deleted one day.
    pub creates: Vec<PlannedResource>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    /// The step's id.
    pub id: String,
    /// The item of the deploy notes.
    pub notes: String,
    /// What it does.
    pub title: String,
    /// `run` or `skip`.
    pub action: &'static str,
    /// Why it would be skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run of a catalogue on a cluster of this spec would do.
pub fn planned(spec: &ClusterSpec, catalogue: Vec<CatalogueEntry>) -> Vec<PlannedStep> {
    let step = |entry: CatalogueEntry| {
        let reason = skip_reason(spec, &entry.id).map(str::to_owned);
        PlannedStep {
            id: entry.id.to_string(),
            notes: entry.notes,
            title: entry.title,
            action: if reason.is_some() { "skip" } else { "run" },
            reason,
        }
    };
    catalogue.into_iter().map(step).collect()
}

/// The plan of a spec.
pub fn plan(spec: &ClusterSpec) -> Plan {
    Plan {
        steps: planned(spec, catalogue()),
        creates: creates(spec),
    }
}

impl Plan {
    /// What would be created, a line for each kind: `3 × instance (m5.large, on demand)`.
    pub fn summary(&self) -> Vec<String> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for made in &self.creates {
            let what = format!("{} ({})", made.kind, made.detail);
            match counts.iter_mut().find(|(known, _)| *known == what) {
                Some((_, count)) => *count += 1,
                None => counts.push((what, 1)),
            }
        }
        counts
            .into_iter()
            .map(|(what, count)| format!("{count} × {what}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ProviderKind;

    #[test]
    fn one_master_skips_exactly_what_is_about_zookeeper() {
        let one = plan(&ClusterSpec {
            masters: 1,
            ..ClusterSpec::default()
        });
        let skipped: Vec<_> = one
            .steps
            .iter()
            .filter(|s| s.action == "skip")
            .map(|s| s.id.as_str())
            .collect();
        assert_eq!(
            skipped,
            ["launch-zookeepers", "approve-zookeepers", "zookeeper-start"]
        );
        assert_eq!(one.creates.len(), 1 + 1 + 2);
        assert_eq!(plan(&ClusterSpec::default()).creates.len(), 1 + 3 + 3 + 2);
    }

    #[test]
    fn the_root_disk_is_shown_in_words_and_as_a_number() {
        let mut spec = ClusterSpec {
            provider: ProviderKind::Ec2,
            swap_mb: 0,
            ..ClusterSpec::default()
        };
        let shown = |spec: &ClusterSpec| {
            let machine = plan(spec)
                .creates
                .into_iter()
                .find(|made| made.kind == "instance");
            let machine = machine.unwrap();
            (machine.detail, machine.root_gb, machine.root_gb_beside_stores)
        };
        let (detail, size, beside) = shown(&spec);
        assert!(
            detail.ends_with("root disk of 50 GiB (30 beside instance stores), encrypted"),
            "{detail}"
        );
        assert_eq!((size, beside), (Some(50), Some(30)));
        spec.ec2.root_volume_gb = Some(80);
        spec.ec2.root_encrypted = false;
        let (detail, size, beside) = shown(&spec);
        assert!(detail.ends_with("root disk of 80 GiB"), "{detail}");
        assert_eq!((size, beside), (Some(80), None));
        assert_eq!(shown(&ClusterSpec::default()).1, None);
    }
}
