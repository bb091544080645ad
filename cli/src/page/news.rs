//! Whether there is something new for a page that is open.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mesosflow_workflow::{ClusterId, PhaseKind, RunId};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::app::App;
use crate::error::CliError;
use crate::health::Health;

/// How old a look at the journal may be that is one for everybody: any number of pages costs no more than one.
const SHARED: Duration = Duration::from_millis(250);
/// How often a page is made anew while somebody drives its run, be nothing told meanwhile, in seconds: bars grow.
const GROWS: i64 = 5;

/// What a page is about, and what was known when it was made.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
pub(super) struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<ClusterId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<u64>,
}

/// The last look at the journal.
#[derive(Debug, Default)]
pub(super) struct News(Mutex<Option<Arc<Look>>>);

#[derive(Debug)]
struct Look {
    at: Instant,
    /// A journal that cannot be read is news, too: the page says so.
    found: Result<Vec<Run>, String>,
}

/// A run, as far as it makes a page another one.
#[derive(Debug, Hash)]
struct Run {
    run: String,
    cluster: String,
    seq: u64,
    /// Which of the times while it is driven.
    grown: Option<i64>,
    /// When its cluster was looked at last.
    checked_at: Option<String>,
}

impl News {
    /// What changes whenever a page about that has something new.
    pub(super) async fn of(&self, app: &App, about: About) -> u64 {
        let look = self.look(app).await;
        let mut hasher = DefaultHasher::new();
        match &look.found {
            Err(error) => error.hash(&mut hasher),
            Ok(runs) => {
                let run = about.run.map(|run| run.to_string());
                let of_run = runs.iter().find(|it| Some(&it.run) == run.as_ref());
                let cluster = about.cluster.map(|cluster| cluster.to_string());
                let cluster = cluster.or_else(|| of_run.map(|run| run.cluster.clone()));
                let is_meant = |it: &&Run| cluster.as_ref().is_none_or(|cluster| it.cluster == *cluster);
                runs.iter().filter(is_meant).for_each(|it| it.hash(&mut hasher));
            }
        }
        hasher.finish()
    }

    async fn look(&self, app: &App) -> Arc<Look> {
        let mut last = self.0.lock().await;
        match &*last {
            Some(look) if look.at.elapsed() < SHARED => look.clone(),
            _ => {
                let look = Arc::new(Look {
                    at: Instant::now(),
                    found: runs(app).await.map_err(|error| error.message),
                });
                *last = Some(look.clone());
                look
            }
        }
    }
}

async fn runs(app: &App) -> Result<Vec<Run>, CliError> {
    let Some(journal) = app.existing_journal()? else {
        return Ok(Vec::new());
    };
    let mut checks: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut runs = Vec::new();
    for row in journal.runs().await? {
        let is_held = row.summary.phase == PhaseKind::Running && journal.is_held(row.run).await?;
        let cluster = row.cluster_id.to_string();
        let checked = checks.entry(cluster.clone()).or_insert_with(|| {
            let health = Health::kept(&app.places.cluster_dir(row.cluster_id));
            health.map(|health| health.checked_at.to_string())
        });
        runs.push(Run {
            run: row.run.to_string(),
            checked_at: checked.clone(),
            cluster,
            seq: row.summary.seq.0,
            grown: is_held.then(|| Timestamp::now().as_second() / GROWS),
        });
    }
    Ok(runs)
}
