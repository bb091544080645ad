//! What every change of a cluster that works begins with: the cluster as its record has it, and its machines as they are.

use crate::app::App;
use crate::clusters::{self, ClusterArgs};
use crate::error::CliError;
use crate::runs::{self, Found};
use crate::session;
use crate::wiring::{
    self, AddSlavesSpec, ClusterSpec, FileSystems, Journal, Machine, Member, Node, ProviderKind, Verified,
};

/// A cluster that works, and can be changed.
pub(super) struct Ground {
    pub(super) found: Found,
    /// The spec in force.
    pub(super) spec: Verified,
    /// The nodes that there are.
    pub(super) nodes: Vec<Node>,
    /// Their machines.
    pub(super) machines: Vec<Machine>,
    /// The file systems that there are.
    pub(super) file_systems: FileSystems,
}

impl Ground {
    /// Looks at a cluster; refuses one that is driven, was destroyed or never came to its end.
    pub(super) async fn of(app: &App, journal: &Journal, args: &ClusterArgs) -> Result<Self, CliError> {
        let found = clusters::founded(app, journal, args).await?;
        session::refuse_ended(app, &found)?;
        refuse_listed(&found)?;
        Self::at(app, journal, found).await
    }

    /// The same also of a cluster whose hosts are listed.
    pub(super) async fn of_any(app: &App, journal: &Journal, args: &ClusterArgs) -> Result<Self, CliError> {
        let found = clusters::founded(app, journal, args).await?;
        session::refuse_ended(app, &found)?;
        Self::at(app, journal, found).await
    }

    async fn at(app: &App, journal: &Journal, found: Found) -> Result<Self, CliError> {
        runs::refuse_busy(journal, &found).await?;
        clusters::refuse_stopped(app, &found)?;
        let spec = wiring::verify(found.spec()?).await?;
        let cluster = found.cluster();
        let file_systems = found.record.file_systems().filter(|_| cluster.was_up);
        let file_systems = file_systems.ok_or_else(|| {
            CliError::refused(format!("cluster `{}` was never up", found.row.cluster)).hint(format!(
                "bring it up first: {}",
                app.places.command(&["resume", &found.row.run.to_string()])
            ))
        })?;
        for told in found.strays().into_iter().chain(found.half_rolled()) {
            app.ui.warn(&told);
        }
        Ok(Self {
            machines: wiring::machines(&spec, &cluster).await?,
            nodes: wiring::reachable(&cluster),
            found,
            spec,
            file_systems,
        })
    }

    /// Whether the machine of a node runs.
    pub(super) fn runs(&self, node: &Node) -> bool {
        let mut machines = self.machines.iter();
        machines.any(|machine| machine.instance.name == node.name && machine.runs)
    }

    /// Refuses where a machine does not run, or runs somewhere else, but for those that `may_be_gone`.
    pub(super) fn refuse_absent(
        &self,
        app: &App,
        may_be_gone: impl Fn(&str) -> bool,
    ) -> Result<(), CliError> {
        let absent = self
            .machines
            .iter()
            .filter(|machine| (!machine.runs || machine.has_moved) && !may_be_gone(&machine.instance.name));
        let absent: Vec<_> = absent.collect();
        if absent.is_empty() {
            return Ok(());
        }
        let name = &self.found.row.cluster;
        let mut refused = CliError::refused(format!(
            "machines of cluster `{name}` do not run where they were: nothing was done"
        ));
        for machine in &absent {
            let why = machine.why.as_deref().unwrap_or("why is not known");
            refused = refused.because(format!("{}: {why}", machine.instance.name));
        }
        let refused = refused.hint(format!(
            "to start them, or launch others where they are gone: {}",
            app.places.command(&["start", "--cluster", name])
        ));
        Err(match absent.iter().find(|machine| machine.is_gone) {
            None => refused,
            Some(gone) => refused.hint(format!(
                "or one after the other, while the cluster works: {}",
                app.places
                    .command(&["replace-node", &gone.instance.name, "--cluster", name])
            )),
        })
    }

    /// The cluster with these slaves more, and what an addition of them has to know; none before the cluster came as far as its machines.
    pub(super) fn adding(&self, more: Vec<Member>) -> Result<Option<(Verified, AddSlavesSpec)>, CliError> {
        let (Some(image), Some(groups)) = wiring::launched_from(&self.found.cluster()) else {
            return Ok(None);
        };
        let adding = more.iter().map(|member| member.index).collect();
        let members = [self.spec.members(), more].concat();
        let target = self.target(self.spec.clone().into_spec().with_members(members))?;
        let frozen = AddSlavesSpec {
            cluster: target.clone().into_spec(),
            adding,
            nodes: self.nodes.clone(),
            without: Vec::new(),
            image,
            groups,
            file_systems: self.file_systems.clone(),
        };
        Ok(Some((target, frozen)))
    }

    /// Why nothing can be added.
    pub(super) fn no_machines(&self) -> CliError {
        let name = &self.found.row.cluster;
        CliError::refused(format!("cluster `{name}` never came as far as its machines"))
    }

    /// The cluster with other values than those in force; refused where it could not work.
    pub(super) fn target(&self, spec: ClusterSpec) -> Result<Verified, CliError> {
        let wrong = |wrong: wiring::SpecError| CliError::usage(wrong.to_string()).hint(wrong.hint);
        spec.validate().map_err(wrong)?;
        Ok(self.spec.clone().changed_to(spec))
    }
}

/// Which hosts a cluster of listed ones has is its owner's list to say, from its beginning on.
fn refuse_listed(found: &Found) -> Result<(), CliError> {
    if !ProviderKind::has_lent(&found.row.provider) {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "the hosts of cluster `{}` are listed: none is added to it or removed",
        found.row.cluster
    ))
    .hint("that is done with clusters of the providers `local` and `ec2`"))
}
