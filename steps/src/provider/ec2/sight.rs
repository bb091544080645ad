//! Looking at all instances: one look serves everybody who asks at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::Reservation;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::api::Api;
use super::failure::Failure;
use super::instances::{FILTER_VALUES, Seen};
use super::pace::Bucket;
use super::{tags, volumes};

/// Looks at all instances that may follow one another at once, and how many there may be a second in the long run: enough for
/// a small cluster never to wait, and so few that a large one asks less than once for each machine that it launches.
const LOOKS: (f64, f64) = (15.0, 1.0);

/// The last look at all instances that carry mesosflow's tags.
#[derive(Debug)]
pub(super) struct Sight {
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    rhythm: Bucket,
    seen: Option<(Instant, Arc<Vec<Seen>>)>,
    /// Volumes that are their machines' own, by their ids, with the run that they are of.
    own: BTreeMap<String, String>,
}

impl Last {
    /// Sees whose the volumes of these are. Those that were their machines' own before are not asked for again.
    async fn judge(&mut self, api: &Api, all: &mut [Seen]) -> Result<(), Failure> {
        let unknown: BTreeSet<_> = all
            .iter()
            .filter_map(Seen::to_be_judged)
            .filter(|id| !self.own.contains_key(*id))
            .collect();
        let unknown: Vec<_> = unknown.into_iter().collect();
        let mut shown = BTreeMap::new();
        for some in unknown.chunks(FILTER_VALUES) {
            for volume in volumes::existing(api, tags::filter("volume-id", some)).await? {
                let run = tags::value(volume.tags(), tags::RUN).unwrap_or_default();
                let id = volume.volume_id().unwrap_or_default();
                shown.insert(id.to_owned(), run.to_owned());
            }
        }
        for seen in all {
            let Some(id) = seen.to_be_judged().map(str::to_owned) else {
                continue;
            };
            let run = self.own.get(&id).or_else(|| shown.get(&id)).cloned();
            let is_own = seen.judge(run.as_deref());
            self.own.extend(run.filter(|_| is_own).map(|run| (id, run)));
        }
        Ok(())
    }
}

impl Default for Sight {
    fn default() -> Self {
        let (at_once, each_second) = LOOKS;
        let rhythm = Bucket::new(at_once, each_second, Instant::now());
        Self {
            last: Mutex::new(Last {
                rhythm,
                seen: None,
                own: BTreeMap::new(),
            }),
        }
    }
}

impl Sight {
    /// All instances that carry mesosflow's tags, as a look shows them that began after this was called. Whoever waits for
    /// the look before shares the next one, so that a thousand nodes cost no more calls than one.
    pub(super) async fn look(&self, api: &Api) -> Result<Arc<Vec<Seen>>, Failure> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((begun, all)) = &last.seen
            && *begun > asked
        {
            return Ok(all.clone());
        }
        while let Err(wait) = last.rhythm.take(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let begun = Instant::now();
        let call = api.reads().describe_instances().filters(tags::of_any_run());
        let pages = || call.clone().into_paginator().items().send().try_collect();
        let reservations: Vec<Reservation> = api.read("DescribeInstances", pages).await?;
        let instances = reservations
            .into_iter()
            .flat_map(|reservation| reservation.instances.unwrap_or_default());
        let mut all: Vec<_> = instances.map(Seen::new).collect();
        last.judge(api, &mut all).await?;
        let all = Arc::new(all);
        last.seen = Some((begun, all.clone()));
        Ok(all)
    }

    /// An instance as the last look has shown it.
    pub(super) async fn last(&self, id: &str) -> Option<Seen> {
        let last = self.last.lock().await;
        let (_, all) = last.seen.as_ref()?;
        all.iter().find(|seen| seen.id() == id).cloned()
    }
}
