//! The labels by which everything that mesosflow made on this machine is known.

use jiff::Timestamp;
use mesosflow_workflow::Driver;
use serde_json::Value;

use crate::cluster::MadeBy;
use crate::provider::{Owner, driver_in, driver_tag};

pub(super) const LABEL_CLUSTER: &str = "org.mesosflow.cluster";
pub(super) const LABEL_RUN: &str = "org.mesosflow.run";
const LABEL_CLUSTER_ID: &str = "org.mesosflow.cluster-id";
const LABEL_DRIVER: &str = "org.mesosflow.driver";
pub(super) const LABEL_GENERATION: &str = "org.mesosflow.generation";
const LABEL_JOURNAL: &str = "org.mesosflow.journal";
const LABEL_BY: &str = "org.mesosflow.by";
pub(super) const LABEL_ROLE: &str = "org.mesosflow.role";
pub(super) const LABEL_INDEX: &str = "org.mesosflow.index";

pub(super) fn label(name: &str, value: impl std::fmt::Display) -> String {
    format!("label={name}={value}")
}

/// What everything is labelled with as it is made: whose it is, and who made it.
pub(super) fn labels(owner: &Owner) -> Vec<String> {
    let mut labels = vec![
        format!("{LABEL_CLUSTER}={}", owner.cluster),
        format!("{LABEL_RUN}={}", owner.run),
    ];
    if let Some(token) = &owner.driver {
        labels.push(format!("{LABEL_CLUSTER_ID}={}", token.cluster));
        labels.push(format!("{LABEL_DRIVER}={}", driver_tag(&token.driver())));
    }
    if let Some(MadeBy { journal, user }) = &owner.made_by {
        labels.push(format!("{LABEL_JOURNAL}={journal}"));
        labels.push(format!("{LABEL_BY}={user}"));
    }
    labels
}

/// The value of a label of what the engine shows; empty if there is none.
pub(super) fn label_of<'v>(found: &'v Value, label: &str) -> &'v str {
    let labels = [&found["Config"]["Labels"], &found["labels"], &found["Labels"]];
    let found = labels.iter().find_map(|labels| labels[label].as_str());
    found.unwrap_or_default()
}

pub(super) fn maker(found: &Value) -> Option<Driver> {
    driver_in(label_of(found, LABEL_DRIVER))
}

pub(super) fn made_by(found: &Value) -> Option<MadeBy> {
    let label = |name| Some(label_of(found, name).to_owned()).filter(|value| !value.is_empty());
    Some(MadeBy {
        journal: label(LABEL_JOURNAL)?,
        user: label(LABEL_BY)?,
    })
}

/// When it was made: podman writes `Created` for containers and `created` for networks, docker `Created` for both.
pub(super) fn made_at(found: &Value) -> Option<Timestamp> {
    [&found["Created"], &found["created"]]
        .into_iter()
        .find_map(|text| text.as_str()?.parse().ok())
}
