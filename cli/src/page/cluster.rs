//! The page of a cluster: its nodes by role, what the last `check` found of each, and the ways to its web interfaces.

use jiff::Timestamp;
use mesosflow_workflow::ClusterId;
use serde::Serialize;

use super::frame::{Frame, date};
use super::run::RunRowView;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::health::{KeptFinding, Looked};
use crate::render::duration;
use crate::runs::{self as all_runs, Found};
use crate::session;
use crate::views::cluster::{self, ClusterView};
use crate::views::runs;
use crate::views::status::{NodeView, node_views};
use crate::wiring::{self, Journal, Role};

/// What `check` finds the leading master by.
const LEADER: &str = "leading-master";

#[derive(Debug, Serialize)]
struct Page {
    cluster: Head,
    damage: Option<String>,
    warning: Option<String>,
    next: Option<String>,
    health: Option<Health>,
    /// The command that looks.
    check: String,
    roles: Vec<OfRole>,
    interfaces: Vec<Interface>,
    /// The command that makes them reachable.
    tunnel: String,
    /// Newest first.
    runs: Vec<RunRowView>,
}

#[derive(Debug, Serialize)]
struct Head {
    cluster: String,
    state: &'static str,
    provider: String,
    since: String,
    mesos: Option<String>,
}

/// What the last `check` came to.
#[derive(Debug, Serialize)]
struct Health {
    word: &'static str,
    checked_at: String,
    age: String,
    leader: Option<String>,
    bad: Vec<KeptFinding>,
    /// Of no node alone.
    general: Vec<KeptFinding>,
}

/// The nodes of a role.
#[derive(Debug, Serialize)]
struct OfRole {
    name: &'static str,
    nodes: Vec<OfNode>,
}

#[derive(Debug, Serialize)]
struct OfNode {
    #[serde(flatten)]
    node: NodeView,
    findings: Vec<KeptFinding>,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    url: String,
}

/// The page; none where there is no such cluster.
pub(super) async fn served(
    app: &App,
    journal: &Journal,
    id: ClusterId,
    frame: Frame,
) -> Result<Option<String>, CliError> {
    let rows = journal.runs().await?;
    let of_cluster: Vec<_> = rows.iter().filter(|row| row.cluster_id == id).cloned().collect();
    let Some(first) = of_cluster.first() else {
        return Ok(None);
    };
    let view = cluster::view(app, journal, first, &of_cluster, &|_: &str| ()).await?;
    let runs = runs::all(journal).await?;
    let of_it = runs.iter().rev().filter(|run| run.cluster_id == id);
    let mut page = Page {
        check: app.places.command(&["check", "--cluster", &view.cluster]),
        tunnel: app.places.command(&["tunnel", "--cluster", &view.cluster]),
        damage: None,
        warning: None,
        next: None,
        health: None,
        roles: Vec::new(),
        interfaces: Vec::new(),
        runs: of_it.map(RunRowView::of).collect(),
        cluster: head(&view),
    };
    if let Some(row) = all_runs::latest(&of_cluster).cloned() {
        match Found::among(journal, row, &of_cluster).await {
            Ok(found) => page.fill(app, &found, view.state != "gone"),
            Err(error) if error.exit == Exit::Journal => {
                page.damage = Some(error.message);
                let looked = Looked::kept(&app.places.cluster_dir(id));
                page.health = looked.map(Health::of);
            }
            Err(error) => return Err(error),
        }
    }
    frame
        .below(&view.cluster, format!("/clusters/{id}"))
        .around("cluster.html", &page)
        .map(Some)
}

fn head(view: &ClusterView) -> Head {
    Head {
        cluster: view.cluster.clone(),
        state: view.state,
        provider: view.provider.clone(),
        since: date(view.created_at),
        mesos: view.mesos_version.clone(),
    }
}

impl Page {
    /// What the cluster's record says, where it can be read.
    fn fill(&mut self, app: &App, found: &Found, exists: bool) {
        self.warning = found.strays();
        self.next = session::next(app, found, found.held);
        if !exists {
            return;
        }
        let state = found.cluster();
        let looked = Looked::kept(&app.cluster_dir(&state));
        let findings = looked.as_ref().map_or(&[][..], |looked| &looked.findings);
        let mut nodes = node_views(&state);
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        for (role, name) in [
            (Role::Master, "Masters"),
            (Role::Slave, "Slaves"),
            (Role::Zookeeper, "ZooKeepers"),
        ] {
            let of_role = nodes.iter().filter(|node| node.role == role.to_string());
            let nodes: Vec<_> = of_role
                .map(|node| OfNode {
                    findings: findings
                        .iter()
                        .filter(|finding| finding.node.as_deref() == Some(&node.name))
                        .cloned()
                        .collect(),
                    node: node.clone(),
                })
                .collect();
            if !nodes.is_empty() {
                self.roles.push(OfRole { name, nodes });
            }
        }
        self.health = looked.map(Health::of);
        if let Ok(spec) = found.spec() {
            let reachable = wiring::reachable(&state);
            let interfaces = wiring::web_interfaces(&reachable, spec.spark.history);
            self.interfaces = interfaces
                .iter()
                .map(|interface| {
                    let node = interface.node;
                    Interface {
                        name: interface.name.clone(),
                        url: interface.url(node.public_ip.unwrap_or(node.private_ip), interface.port),
                    }
                })
                .collect();
        }
    }
}

impl Health {
    fn of(Looked { health, findings }: Looked) -> Self {
        let bad = findings.iter().filter(|finding| !finding.ok).cloned().collect();
        let mut general = findings;
        general.retain(|finding| finding.node.is_none());
        let age = duration::between(Some(health.checked_at), Some(Timestamp::now()));
        let leader = general
            .iter()
            .find(|finding| finding.what == LEADER && finding.ok);
        Self {
            word: if health.healthy { "healthy" } else { "unhealthy" },
            checked_at: date(health.checked_at),
            age: duration::text(age.unwrap_or_default()),
            leader: leader.map(|finding| finding.detail.clone()),
            bad,
            general,
        }
    }
}
