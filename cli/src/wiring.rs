//! Where the program is put together: the only module that knows which journal and which steps it is made of.

use std::path::Path;
use std::sync::Arc;

use mesosflow_journal::{Options, SqliteJournal};
pub(crate) use mesosflow_journal::{Report as JournalReport, backup_folder, look_at, restore};
use mesosflow_steps::life::DeleteMachines;
use mesosflow_steps::provider::Condition;
pub(crate) use mesosflow_steps::provider::{Groups, Image};
use mesosflow_workflow::{
    CatalogueEntry, Driver, ErrorClass, ErrorReport, FencingToken, Outcome, Run, RunId, StepError, Store,
};
pub(crate) use mesosflow_workflow::{Resource, RunState};

pub(crate) use ipnet::IpNet;
use jiff::Timestamp;
use mesosflow_steps::act::ActError;
pub(crate) use mesosflow_steps::check::{Check, Finding, What};
pub(crate) use mesosflow_steps::cluster::{
    ClusterSpec, Ec2Spec, HostKeySource, HostSpec, HostsSpec, Instance, Inventory, MESOS_MASTER_PORT, MadeBy,
    MesosSource, Node, ProviderKind, Role,
};
pub(crate) use mesosflow_steps::copy::Copy;
pub(crate) use mesosflow_steps::image::{Disk, KEEPS, Outlook};
pub(crate) use mesosflow_steps::outside::Outside;
pub(crate) use mesosflow_steps::record::{FOUNDS, Record, STOPS, asked, deleted};
pub(crate) use mesosflow_steps::remote::{Command as RemoteCommand, LocalFile, Piece};
pub(crate) use mesosflow_steps::uis::web_interfaces;
pub(crate) use mesosflow_steps::workflows::{
    Destroy as DestroyWorkflow, DestroyPlan, DestroySpec, Lacking, Start as StartWorkflow, StartSpec,
    Stop as StopWorkflow, StopSpec, Workflow,
};
use mesosflow_steps::{DestroyError, Memory, ProviderError, WorldError};
pub(crate) use mesosflow_steps::{KeyExpected, Ledger, remote::Lineage};
pub(crate) use mesosflow_steps::{
    LockedOut, Need, Orphans, Plan, PlannedStep, Report, Tagged, Verified, World,
};

use crate::error::CliError;
use crate::exit::Exit;
use crate::places::Places;

/// A journal, for any number of commands.
pub(crate) type Journal = Arc<dyn Store>;

/// Opens the journal, and creates it where there is none.
pub(crate) fn open(places: &Places) -> Result<Journal, CliError> {
    Ok(Arc::new(SqliteJournal::open_with(
        places.journal(),
        options(places),
    )?))
}

/// Opens the journal if there is one; for commands that create nothing.
pub(crate) fn open_existing(places: &Places) -> Result<Option<Journal>, CliError> {
    Ok(open_file(places)?.map(|journal| Arc::new(journal) as Journal))
}

/// The same, for commands that look after the file itself.
pub(crate) fn open_file(places: &Places) -> Result<Option<SqliteJournal>, CliError> {
    Ok(SqliteJournal::open_existing_with(
        places.journal(),
        options(places),
    )?)
}

const fn options(places: &Places) -> Options {
    Options {
        on_network: places.is_on_network(),
    }
}

/// Every step, in the order that replay follows.
pub(crate) fn catalogue() -> Vec<CatalogueEntry> {
    mesosflow_steps::catalogue()
}

/// What `run` would do with `spec`.
pub(crate) fn plan(spec: &ClusterSpec) -> Plan {
    mesosflow_steps::plan(spec)
}

/// What a run of a workflow would do.
pub(crate) fn planned(
    workflow: &dyn Workflow,
    cluster: &ClusterSpec,
    spec: &serde_json::Value,
) -> Result<Vec<PlannedStep>, serde_json::Error> {
    Ok(mesosflow_steps::planned(cluster, workflow.catalogue(spec)?))
}

/// Writes into the spec what it leaves to the environment of this moment, so that the run stays where it began.
pub(crate) async fn settle(spec: ClusterSpec) -> Result<Verified, CliError> {
    let provider = spec.provider;
    mesosflow_steps::settle(spec)
        .await
        .map_err(|error| unusable(provider, &error))
}

/// What carries mesosflow's tags at the spec's provider, and what that was asked for.
pub(crate) async fn tagged(spec: &ClusterSpec) -> Result<(Vec<Tagged>, String), CliError> {
    let found = async {
        let provider = mesosflow_steps::open_provider(spec, None).await?;
        Ok((provider.tagged().await?, provider.asked()))
    };
    found.await.map_err(|error| unusable(spec.provider, &error))
}

/// Ends everything that carries the tags of these runs and of that journal; `observe` is told of each deletion.
pub(crate) async fn end_orphans(
    spec: &ClusterSpec,
    orphans: &Orphans,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<(), CliError> {
    let provider = mesosflow_steps::open_provider(spec, None).await;
    let provider = provider.map_err(|error| unusable(spec.provider, &error))?;
    mesosflow_steps::end_orphans(&*provider, orphans, observe)
        .await
        .map_err(|error| {
            let cli = CliError::new(Exit::Failed, "cannot delete everything that was found");
            because_of_each(cli, &error)
        })
}

/// How many of several failures are told, each with its hint.
const TOLD: usize = 8;

/// Adds what stays and why, each with what helps, as far as anybody would read it.
fn because_of_each(mut cli: CliError, error: &DestroyError) -> CliError {
    let each = error.each();
    for one in each.iter().take(TOLD) {
        cli = cli.because_of(one);
        if let DestroyError::Provider(provider) = one {
            cli.hints.extend(provider.hint());
        }
    }
    match each.len().saturating_sub(TOLD) {
        0 => cli,
        more => cli.because(format!("and {more} more")),
    }
}

/// Whose journal this is, for the tags of what its runs make.
pub(crate) fn made_by(journal: &Journal) -> MadeBy {
    MadeBy {
        journal: journal.id().to_owned(),
        user: made_here(),
    }
}

/// Digest of the user and the host of this process: the same for whoever does this here again.
pub(crate) fn made_here() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let uid = std::fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid());
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let user = user.unwrap_or_else(|| uid.to_string());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    MadeBy::digest(&user, host.trim())
}

/// Makes sure that what the run made can be seen with today's credentials.
pub(crate) async fn verify(spec: ClusterSpec) -> Result<Verified, CliError> {
    mesosflow_steps::verify(spec)
        .await
        .map_err(|error| elsewhere(&error))
}

/// What cannot be seen from here would be taken for gone.
fn elsewhere(error: &ProviderError) -> CliError {
    CliError::refused("nothing is done: what this run made might not be seen with these credentials")
        .because_of_report(&ErrorReport::of(error))
}

/// A machine of a cluster, as its provider has it now.
pub(crate) struct Machine {
    pub(crate) instance: Instance,
    /// Whether it runs, or is on its way.
    pub(crate) runs: bool,
    /// Whether nobody can start it any more.
    pub(crate) is_gone: bool,
}

impl Machine {
    /// As the journal calls it.
    pub(crate) fn resource(&self) -> Resource {
        Resource {
            kind: DeleteMachines::KIND.to_owned(),
            id: self.instance.id.clone(),
            name: self.instance.name.clone(),
        }
    }
}

/// Asks the provider about every machine of a cluster.
pub(crate) async fn machines(spec: &Verified, state: &RunState) -> Result<Vec<Machine>, CliError> {
    let unusable = |error: &ProviderError| unusable(spec.provider, error);
    let provider = mesosflow_steps::open_provider(spec, None).await;
    let provider = provider.map_err(|error| unusable(&error))?;
    let mut machines = Vec::new();
    for instance in mesosflow_steps::nodes(state) {
        let condition = provider.condition(&instance).await;
        let condition = condition.map_err(|error| unusable(&error))?;
        let age = mesosflow_steps::age(state, &instance, Timestamp::now());
        machines.push(Machine {
            instance,
            runs: matches!(condition, Condition::Running(_) | Condition::Booting(_)),
            is_gone: mesosflow_steps::provision::gone(&condition, age).is_some(),
        });
    }
    Ok(machines)
}

/// The roles whose disks a stop wipes, where they hold an HDFS.
pub(crate) fn wiped_by_stop(spec: &ClusterSpec, state: &RunState) -> Vec<String> {
    let (image, _) = launched_from(state);
    let Some(image) = image.filter(|_| spec.provider == ProviderKind::Ec2) else {
        return Vec::new();
    };
    let has_disks = |role: &Role| {
        image
            .machine_types
            .get(role)
            .is_some_and(|kind| kind.ephemeral_disks > 0)
    };
    let wiped = [Role::Master, Role::Slave].into_iter().filter(has_disks);
    wiped.map(|role| format!("{role}s")).collect()
}

/// What the machines of a cluster were launched from, and into.
pub(crate) fn launched_from(state: &RunState) -> (Option<Image>, Option<Groups>) {
    mesosflow_steps::launched_from(state)
}

/// Whether the cluster has formatted its persistent HDFS.
pub(crate) fn has_persistent(state: &RunState) -> bool {
    mesosflow_steps::has_persistent(state)
}

/// Refuses where nodes or machines of the cluster know a driver that its history does not have.
pub(crate) async fn refuse_strangers(
    places: &Places,
    spec: &Verified,
    state: &RunState,
    folder: &Path,
) -> Result<(), CliError> {
    let strangers = strangers(spec, state, folder).await?;
    let Some(newest) = strangers.iter().map(|driver| driver.epoch).max() else {
        return Ok(());
    };
    Err(
        refused(places, state, "nothing was done", "resume").because(format!(
            "a node obeys, or a machine was made by, a driver of epoch {newest}, which is not in this journal"
        )),
    )
}

/// What a provider has of a run, and what it was asked for.
pub(crate) struct Look {
    pub(crate) owned: Vec<Resource>,
    pub(crate) asked: String,
    /// Whether a launch that was never answered may still bring a machine.
    pub(crate) may_come: bool,
    /// Of what is owned: volumes that outlive their machines.
    pub(crate) data_volumes: Vec<Resource>,
}

/// Looks what is there of a run, outside the fence.
pub(crate) async fn look(spec: ClusterSpec, state: &RunState, folder: &Path) -> Result<Look, CliError> {
    let spec = verify(spec).await?;
    let opened = World::open(spec, state.run, folder, None, &key_if_kept(state)).await;
    let world = opened.map_err(|error| {
        closed(
            &error,
            format!("cannot look what is left of run `{}`", state.run),
            Exit::Failed,
        )
    })?;
    let data_volumes = world.provider().data_volumes(world.owner()).await;
    let data_volumes = data_volumes.map_err(|error| {
        let message = format!("cannot look which volumes of run `{}` there are", state.run);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(&error))
    })?;
    Ok(Look {
        data_volumes,
        owned: owned(&world).await?,
        asked: world.provider().asked(),
        may_come: mesosflow_steps::may_come(state, world.provider()),
    })
}

/// A world that cannot be opened.
fn closed(error: &WorldError, message: String, exit: Exit) -> CliError {
    let mut cli = CliError::new(exit, message).because_of(error);
    cli.hints.extend(error.hint());
    cli
}

fn unusable(provider: ProviderKind, error: &ProviderError) -> CliError {
    let place = match provider {
        ProviderKind::Local => "on this machine",
        ProviderKind::Ec2 | ProviderKind::Hosts => "from here",
    };
    CliError::usage(format!("provider `{provider}` cannot be used {place}"))
        .because_of_report(&ErrorReport::of(error))
}

/// Whether this machine can do what `spec` needs, before anything is begun.
pub(crate) async fn precheck(spec: &ClusterSpec) -> Result<(), CliError> {
    mesosflow_steps::precheck(spec)
        .await
        .map_err(|error| unusable(spec.provider, &error))
}

/// All that a run of this spec needs of Mesos and of its provider: what is there, and what is lacking. Makes nothing.
pub(crate) async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    mesosflow_steps::doctor::examine(spec).await
}

/// Whether the machines that are there can be used for a new cluster, and belong to no other.
pub(crate) async fn survey(spec: &ClusterSpec) -> Result<(), CliError> {
    mesosflow_steps::survey(spec).await.map_err(|error| {
        CliError::usage(format!(
            "cluster `{}` cannot be built on these machines",
            spec.cluster
        ))
        .because_of_report(&ErrorReport::of(&error))
    })
}

/// The cluster's spec that was frozen into a run.
pub(crate) fn frozen_spec(state: &RunState) -> Result<ClusterSpec, CliError> {
    let frozen = |spec: ClusterSpec| ClusterSpec {
        ec2: spec.ec2.frozen(),
        ..spec
    };
    let spec = workflow_of(state)?.cluster(&state.spec);
    spec.map(frozen).map_err(|error| unreadable(state, &error))
}

/// The steps of a run as this program has them.
pub(crate) fn catalogue_of(state: &RunState) -> Result<Vec<CatalogueEntry>, CliError> {
    let catalogue = workflow_of(state)?.catalogue(&state.spec);
    catalogue.map_err(|error| unreadable(state, &error))
}

fn unreadable(state: &RunState, error: &serde_json::Error) -> CliError {
    CliError::refused(format!(
        "this mesosflow cannot read the spec of run `{}`",
        state.run
    ))
    .because_of(error)
    .hint(format!("use mesosflow {}, which started it", state.tool_version))
}

/// Everything that the steps of a run may touch.
pub(crate) async fn open_world(
    spec: Verified,
    state: &RunState,
    folder: &Path,
    token: FencingToken,
    key: &KeyExpected,
) -> Result<World, CliError> {
    let driver = (token, Lineage::from_iter(state.drivers.iter().copied()));
    let opened = World::open(spec, state.run, folder, Some(driver), key).await;
    let nodes = mesosflow_steps::reachable(state);
    opened.map(|world| world.guarded_by(nodes)).map_err(|error| {
        let message = format!("cannot begin with run `{}`", state.run);
        closed(&error, message, Exit::Interrupted)
    })
}

/// A world with what all runs of its cluster know of its machines.
pub(crate) fn remembering(world: World, record: &Record) -> World {
    let world = world.remembering(Memory::of(&record.cluster(), record.runs()));
    match record.is_stopped() {
        // Nobody there could say who drives it.
        true => world.guarded_by(Vec::new()),
        false => world,
    }
}

/// The volumes with a persistent HDFS that was formatted, by the names of their nodes.
pub(crate) fn formatted_volumes(state: &RunState) -> Vec<(String, String)> {
    mesosflow_steps::formatted_volumes(state)
}

/// What is known of the cluster's key: once nodes may have one, there is no other.
pub(crate) fn key_of(state: &RunState) -> KeyExpected {
    mesosflow_steps::key_of(state)
}

/// The same where nobody has to log in.
pub(crate) fn key_if_kept(state: &RunState) -> KeyExpected {
    match mesosflow_steps::key_of(state) {
        KeyExpected::MustExist { public, .. } => KeyExpected::MayBeLost { public },
        _ => KeyExpected::MayBeLost { public: None },
    }
}

/// What the steps of a run may touch, outside the fence: for what is done to one node that leaves the cluster.
pub(crate) async fn open_outside(spec: Verified, state: &RunState, folder: &Path) -> Result<World, CliError> {
    let opened = World::open(spec, state.run, folder, None, &key_of(state)).await;
    opened.map_err(|error| {
        let message = format!("cannot log in to the nodes of run `{}`", state.run);
        closed(&error, message, Exit::Failed)
    })
}

/// The way to a cluster's nodes for everyday commands: outside the fence, and without asking the provider.
pub(crate) fn outside(spec: &ClusterSpec, state: &RunState, folder: &Path) -> Result<Outside, CliError> {
    let opened = Outside::open(&spec.cluster, folder, &key_of(state));
    opened.map_err(|error| {
        let message = format!("cannot log in to the nodes of cluster `{}`", spec.cluster);
        closed(&error, message, Exit::Failed)
    })
}

/// Where a node is reached: from outside, or by the node through which the way leads.
pub(crate) fn address(node: &Node) -> std::net::IpAddr {
    mesosflow_steps::address_of(node)
}

/// The leading master as `node` sees it; none where none leads. An error is told as one line.
pub(crate) async fn leading_master(
    outside: &Outside,
    node: &Node,
    masters: &[Node],
) -> Result<Option<Node>, String> {
    let script = mesosflow_steps::mesos::leader_script(masters);
    let answer = outside.answer(node, script).await;
    let address = answer.map_err(|error| error.to_string())?;
    let leads = |master: &&Node| Some(master.private_ip.to_string()) == address;
    Ok(masters.iter().find(leads).cloned())
}

/// A finding of which the history tells; `Err` where it is bad.
pub(crate) fn known(what: What, node: Option<&str>, detail: Result<String, String>) -> Finding {
    Finding {
        what,
        node: node.map(str::to_owned),
        outcome: detail.map_err(ActError::wrong),
    }
}

/// A command line of which each word means itself; none where a word holds what no command line can carry.
pub(crate) fn join_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<String> {
    mesosflow_steps::remote::quote::join(words).ok()
}

/// The nodes of a run that exist and have answered once.
pub(crate) fn reachable(state: &RunState) -> Vec<Node> {
    mesosflow_steps::reachable(state)
}

/// What a node has of its cluster.
pub(crate) async fn look_at_image(world: &World, node: &Node) -> Result<Outlook, CliError> {
    let looked = mesosflow_steps::image::look(world, node).await;
    looked.map_err(|error| unprepared(node, &error))
}

/// Takes everything of its cluster off a node. Returns what somebody else has put there that names the cluster.
pub(crate) async fn prepare_image(
    world: &World,
    node: &Node,
    nodes: &[Node],
) -> Result<Vec<String>, CliError> {
    let prepared = mesosflow_steps::image::prepare(world, node, nodes).await;
    prepared.map_err(|error| unprepared(node, &error))
}

fn unprepared(node: &Node, error: &ActError) -> CliError {
    let message = format!("{} cannot be made fit to be an image", node.name);
    CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
}

/// The drivers of a run's cluster that its nodes obey, or that made its machines, and that its history does not have.
pub(crate) async fn strangers(
    spec: &Verified,
    state: &RunState,
    folder: &Path,
) -> Result<Vec<Driver>, CliError> {
    let key = key_if_kept(state);
    let opened = World::open(spec.clone(), state.run, folder, None, &key).await;
    let world = opened.map_err(|error| {
        let message = format!("cannot look at the nodes of run `{}`", state.run);
        closed(&error, message, Exit::Failed)
    })?;
    let nodes = mesosflow_steps::reachable(state);
    let failed = |whom: &str, error: &dyn StepError| {
        let message = format!(
            "cannot ask the {whom} of cluster `{}` for their driver",
            state.cluster
        );
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
    };
    let obeyed = world.drivers_of(state.cluster_id, &nodes).await;
    let obeyed = obeyed.map_err(|error| failed("nodes", &error))?;
    let makers = world.makers().await;
    let makers = makers.map_err(|error| failed("provider", &error))?;
    Ok(obeyed
        .union(&makers)
        .copied()
        .filter(|driver| !state.drivers.contains(driver))
        .collect())
}

/// Refuses where the machines say that a driver made them whom neither the history nor `over` has. No node is asked: to be done
/// before anything is recorded, or touched, of a cluster that may be somebody else's by now.
pub(crate) async fn refuse_makers(
    places: &Places,
    spec: &ClusterSpec,
    state: &RunState,
    over: &[Driver],
) -> Result<(), CliError> {
    // Of listed hosts nothing was made: their fences tell.
    if spec.provider == ProviderKind::Hosts {
        return Ok(());
    }
    let (tagged, _) = tagged(spec).await?;
    let run = state.run.to_string();
    let mut makers = tagged
        .into_iter()
        .filter(|tagged| tagged.run == run)
        .filter_map(|tagged| tagged.driver);
    match makers.find(|maker| !state.drivers.contains(maker) && !over.contains(maker)) {
        None => Ok(()),
        Some(maker) => {
            Err(refused(places, state, "nothing was done", "resume").because(made_by_stranger(maker)))
        }
    }
}

/// Refuses what is asked of a cluster that is somebody else's; what that came to, and the command that takes it over.
fn refused(places: &Places, state: &RunState, came_to: &str, command: &str) -> CliError {
    let run = state.run.to_string();
    CliError::refused(format!(
        "cluster `{}` is driven by somebody whom this journal does not know: {came_to}",
        state.cluster
    ))
    .hint("use the journal of that driver")
    .hint(format!(
        "if that is lost: {}",
        places.command(&[command, &run, "--take-over"])
    ))
}

fn made_by_stranger(maker: Driver) -> String {
    format!(
        "a machine was made by a driver of epoch {}, which is not in this journal",
        maker.epoch
    )
}

/// Before a cluster is destroyed by who comes from elsewhere now: is let in, sees that nobody else has the cluster, and only then
/// shuts the doors of before. The machines are asked who made them before any door is touched.
pub(crate) async fn readmitted(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    guard_made(places, world, state).await?;
    let closed = |error: &ProviderError| {
        let message = format!("cannot let you in to cluster `{}`", world.spec().cluster);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(error))
    };
    let (provider, owner) = (world.provider(), world.owner());
    provider.let_in(owner).await.map_err(|error| closed(&error))?;
    guard(places, world, state).await?;
    // Rules are found by their tags, whatever becomes of this process.
    let done = provider.readmit(owner, &mut Vec::new()).await;
    done.map_err(|error| closed(&error))
}

/// Refuses where another driver has the cluster, as its nodes say.
pub(crate) async fn guard(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    // A look only: a node goes over to this driver once the history has it.
    let nodes = mesosflow_steps::reachable(state);
    match world.drivers_of(state.cluster_id, &nodes).await {
        Ok(drivers) => {
            if let Some(driver) = drivers.into_iter().find(|driver| !world.knows(driver)) {
                return Err(refused_destroy(places, state).because(format!(
                    "a node obeys a driver of epoch {}, which is not in this journal",
                    driver.epoch
                )));
            }
        }
        // It may be what is to be deleted; before each deletion this is asked again, and said.
        Err(error) => tracing::info!(%error, "no node can be asked for its driver"),
    }
    guard_made(places, world, state).await
}

/// The same as the machines themselves say, before any node answers.
async fn guard_made(places: &Places, world: &World, state: &RunState) -> Result<(), CliError> {
    let makers = world.makers().await.map_err(|error| {
        let message = format!("cannot look at the machines of cluster `{}`", state.cluster);
        CliError::new(Exit::Failed, message).because_of_report(&ErrorReport::of(&error))
    })?;
    match makers.into_iter().find(|maker| !world.knows(maker)) {
        None => Ok(()),
        Some(maker) => Err(refused_destroy(places, state).because(made_by_stranger(maker))),
    }
}

fn refused_destroy(places: &Places, state: &RunState) -> CliError {
    refused(places, state, "nothing was deleted", "destroy")
}

/// The workflow of a run.
pub(crate) fn workflow_of(state: &RunState) -> Result<&'static dyn Workflow, CliError> {
    workflow(&state.workflow).ok_or_else(|| {
        CliError::refused(format!(
            "this mesosflow knows no workflow `{}`, which run `{}` is of",
            state.workflow, state.run
        ))
        .hint(format!(
            "use mesosflow {}, which drove it last",
            state.tool_version
        ))
    })
}

/// The workflow of that name.
pub(crate) fn workflow(name: &str) -> Option<&'static dyn Workflow> {
    mesosflow_steps::workflows::by_name(name)
}

/// Ends a run whose cluster is somebody else's, before it has acted.
pub(crate) async fn give_way(run: &Run, fenced: &dyn StepError) -> Outcome {
    let reason = ErrorReport::of(fenced);
    match run.interrupt(reason.clone()).await {
        Ok(()) => Outcome::Fenced { reason },
        Err(lost) => Outcome::Lost(lost),
    }
}

/// Ends a run that could not begin to work, so that its history says why.
pub(crate) async fn give_up(run: &Run, error: &CliError) -> Outcome {
    let reason = ErrorReport {
        class: ErrorClass::Operator,
        message: error.message.clone(),
        causes: error.causes.clone(),
        hint: error.hints.first().cloned(),
    };
    match run.interrupt(reason.clone()).await {
        Ok(()) => Outcome::Interrupted { reason },
        Err(lost) => Outcome::Lost(lost),
    }
}

/// What the provider has that carries the run's tags.
pub(crate) async fn owned(world: &World) -> Result<Vec<Resource>, CliError> {
    let owned = world.provider().owned(world.owner()).await;
    owned.map_err(|error| unusable(world.spec().provider, &error))
}

/// The hosts that a run has logged in to, with its own key in `folder`, where their list is lost.
pub(crate) fn awaited_hosts(state: &RunState, folder: &Path) -> HostsSpec {
    let nodes = mesosflow_steps::awaited(state);
    let hosts = nodes.into_iter().filter_map(|node| {
        Some(HostSpec {
            name: Some(node.name.clone()),
            role: node.role,
            address: node.id.parse().ok()?,
            private_address: node.public_ip.map(|_| node.private_ip),
            user: node.user,
            port: node.port,
            host_key: node.host_key,
        })
    });
    HostsSpec {
        identity_file: Some(folder.join("cluster_ed25519")),
        nodes: hosts.collect(),
        ..HostsSpec::default()
    }
}

/// Deletes what a ledger knows and what carries the run's tags; `observe` is told of each deletion.
pub(crate) async fn delete(
    ledger: &Ledger<'_>,
    run: RunId,
    world: &World,
    observe: &mut (dyn FnMut(&Resource) + Send),
) -> Result<Vec<Resource>, CliError> {
    let destroyed = mesosflow_steps::destroy(ledger, world, observe)
        .await
        .map_err(|error| {
            if let DestroyError::Record(record) = &error {
                return CliError::from(record);
            }
            let exit = match &error {
                DestroyError::Fenced(_) | DestroyError::Stranger { .. } => Exit::Refused,
                _ => Exit::Failed,
            };
            let message = format!("cannot delete everything that run `{run}` created");
            because_of_each(CliError::new(exit, message), &error)
        })?;
    Ok(destroyed.deleted)
}

/// The nodes of a run that exist.
pub(crate) fn nodes(state: &RunState) -> Vec<Instance> {
    mesosflow_steps::nodes(state)
}

/// What the run reported at its end.
pub(crate) fn report(state: &RunState) -> Option<Report> {
    mesosflow_steps::report(state)
}
