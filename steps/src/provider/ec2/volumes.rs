//! Volumes: what is left of them is asked first, for all at once, since nearly all go with their machines.
//!
//! A journal may name one that was never the run's: an older program recorded every disk that it saw at a machine. What is
//! deleted therefore has to say itself that mesosflow made it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as Plain, PoisonError};

use aws_sdk_ec2::types::{Filter, Volume, VolumeAttachment, VolumeState};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::Api;
use super::failure::Failure;
use super::tags::{self, filter};
use crate::provider::{Deletion, ProviderError};

/// Values that one filter takes at most ("Filtering your resources", EC2 user guide).
const FILTER_VALUES: usize = 200;

/// The volumes that are to go, and the last look at them.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    asked: Plain<BTreeSet<String>>,
    last: Mutex<Option<(Instant, Arc<Shown>)>>,
}

/// What a look has shown, of those that were asked for.
#[derive(Debug, Default)]
struct Shown {
    asked: BTreeSet<String>,
    there: BTreeMap<String, Volume>,
}

impl Volumes {
    /// Deletes a volume, if it does not go with its machine and carries the tag of what mesosflow made.
    pub(super) async fn delete(&self, api: &Api, id: &str) -> Result<Deletion, ProviderError> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned());
        let shown = self.look(api, id).await?;
        let Some(volume) = shown.there.get(id) else {
            return Ok(Deletion::Gone);
        };
        if !is_made_here(volume) {
            tracing::warn!(
                target: "mesosflow::progress",
                "volume {id} does not carry the tag {}: it is somebody else's, and is left alone",
                tags::RUN
            );
            return Ok(Deletion::Left);
        }
        let held = |why: String| Ok(Deletion::Held(format!("volume {id} is still in use: {why}")));
        // It goes with its machine, or is let go of; or that is one which was not seen yet.
        if let Some(attached) = volume.attachments().first() {
            return held(holding(attached));
        }
        let call = api.writes().delete_volume().volume_id(id);
        match api.write("DeleteVolume", || call.clone().send()).await {
            Ok(_) => Ok(Deletion::Gone),
            Err(failure) if failure.is_not_found() => Ok(Deletion::Gone),
            Err(failure) if failure.is(&["VolumeInUse", "IncorrectState"]) => held(failure.to_string()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A look that began after this was called, and that asked for this one.
    async fn look(&self, api: &Api, id: &str) -> Result<Arc<Shown>, Failure> {
        let now = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, shown)) = &*last
            && *begun > now
            && shown.asked.contains(id)
        {
            return Ok(shown.clone());
        }
        let begun = Instant::now();
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ids: Vec<_> = asked.iter().map(String::as_str).collect();
        let mut there = BTreeMap::new();
        for some in ids.chunks(FILTER_VALUES) {
            for volume in existing(api, filter("volume-id", some)).await? {
                there.insert(volume.volume_id().unwrap_or_default().to_owned(), volume);
            }
        }
        // What is gone is not asked for again.
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id| there.contains_key(id) || !asked.contains(id));
        let shown = Arc::new(Shown { asked, there });
        *last = Some((begun, shown.clone()));
        Ok(shown)
    }
}

/// Whether it was made for a run. Which one it is does not matter: one that belongs to another is in no machine's launch.
fn is_made_here(volume: &Volume) -> bool {
    tags::value(volume.tags(), tags::RUN).is_some_and(|run| !run.is_empty())
}

/// Volumes that exist, of those that a filter lets through.
pub(super) async fn existing(api: &Api, of: Filter) -> Result<Vec<Volume>, Failure> {
    let call = api.reads().describe_volumes().filters(of);
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let mut found: Vec<Volume> = api.read("DescribeVolumes", pages).await?;
    found.retain(|volume| !matches!(volume.state(), Some(VolumeState::Deleting | VolumeState::Deleted)));
    Ok(found)
}

/// By whom and where a volume is held, in words.
pub(super) fn holding(held: &VolumeAttachment) -> String {
    format!(
        "it is attached to {} as {}",
        held.instance_id().unwrap_or("an unknown machine"),
        held.device().unwrap_or("an unknown device")
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::Tag;

    use super::*;

    #[test]
    fn a_volume_is_mesosflows_where_it_says_of_which_run_it_is() {
        let tagged = |key: &str, value: &str| {
            let tag = Tag::builder().key(key).value(value).build();
            is_made_here(&Volume::builder().volume_id("vol-1").tags(tag).build())
        };
        assert!(tagged(tags::RUN, "01jd3k00000000000000000abc"));
        assert!(!tagged(tags::RUN, ""));
        assert!(!tagged("Name", "backup"));
        assert!(!is_made_here(&Volume::builder().volume_id("vol-1").build()));
    }
}
