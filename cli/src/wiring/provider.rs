//! What providers are asked, and what becomes of their failures.

use jiff::Timestamp;
use mesosflow_steps::cluster::{ClusterSpec, Instance, ProviderKind, Role};
use mesosflow_steps::life::Deleted;
use mesosflow_steps::provider::{Condition, Image, Owner, Stranger};
use mesosflow_steps::{DestroyError, Need, Orphans, ProviderError, Tagged, Verified, World};
use mesosflow_workflow::{ErrorReport, Resource, RunState, StepError as _};

use crate::error::CliError;
use crate::exit::Exit;

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
pub(super) fn because_of_each(mut cli: CliError, error: &DestroyError) -> CliError {
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
    /// Whether it runs at another address than its history knows.
    pub(crate) has_moved: bool,
    /// Whether nobody can start it any more.
    pub(crate) is_gone: bool,
    /// Why it does not run where it did, in words; none where it does.
    pub(crate) why: Option<String>,
}

impl Machine {
    /// As the journal calls it.
    pub(crate) fn resource(&self) -> Resource {
        Resource {
            kind: Deleted::Machines.kind().to_owned(),
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
        let elsewhere = match &condition {
            Condition::Running(now) => Some(now.instance.private_ip),
            _ => None,
        };
        let elsewhere = elsewhere.filter(|address| *address != instance.private_ip);
        let why = match &condition {
            Condition::Running(_) | Condition::Booting(_) => {
                elsewhere.map(|address| format!("it runs at {address}"))
            }
            Condition::Unknown(why)
            | Condition::Stopping(why)
            | Condition::Stopped(why)
            | Condition::Dead(why) => Some(why.clone()),
        };
        machines.push(Machine {
            instance,
            has_moved: elsewhere.is_some(),
            why,
            runs: matches!(condition, Condition::Running(_) | Condition::Booting(_)),
            is_gone: mesosflow_steps::provision::gone(&condition, age).is_some(),
        });
    }
    Ok(machines)
}

/// That instance type, where slaves of it can be added to those that there are; none where it is theirs. Both HDFS have the same folders on
/// every slave, which lie on as many disks.
pub(crate) async fn another_type(
    spec: &Verified,
    state: &RunState,
    name: &str,
) -> Result<Option<String>, CliError> {
    let provider = spec.provider;
    if spec.of_ec2().is_none() {
        return Err(
            CliError::usage(format!("`--instance-type` is of no use to provider `{provider}`"))
                .hint("leave it out"),
        );
    }
    if spec.ec2.type_of(Role::Slave) == name {
        return Ok(None);
    }
    let mut other = spec.clone().into_spec();
    name.clone_into(&mut other.ec2.instance_type);
    let opened = mesosflow_steps::open_provider(&other, None).await;
    let opened = opened.map_err(|error| unusable(provider, &error))?;
    let found = match opened.launcher() {
        Some(launcher) => launcher.find_image().await,
        None => Ok(None),
    };
    let found = found.map_err(|error| {
        CliError::usage(format!("slaves of type `{name}` cannot be added"))
            .because_of_report(&ErrorReport::of(&error))
    })?;
    let (image, _) = mesosflow_steps::launched_from(state);
    let disks = |image: Option<Image>| {
        let kind = image?.machine_types.remove(&Role::Slave)?;
        Some((kind.ephemeral_disks, kind.nvme))
    };
    match (disks(found), disks(image)) {
        (Some(other), Some(own)) if other == own => Ok(Some(name.to_owned())),
        (Some((other, _)), Some((own, _))) if other != own => Err(CliError::usage(format!(
            "slaves of type `{name}` have {other} ephemeral disks, those that there are have {own}"
        ))
        .hint("HDFS has the same folders on every slave: name a type with as many disks")),
        (Some(_), Some(_)) => Err(CliError::usage(format!(
            "slaves of type `{name}` have disks of another kind than those that there are"
        ))
        .hint("NVMe disks and others go by other names: name a type with disks of the same kind")),
        _ => Err(
            CliError::usage(format!("it is not known what disks slaves of type `{name}` have"))
                .hint("leave out `--instance-type`"),
        ),
    }
}

fn unusable(provider: ProviderKind, error: &ProviderError) -> CliError {
    let place = match provider.is_here() {
        true => "on this machine",
        false => "from here",
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

/// Machines in the cluster's place that the provider's owner has put there himself: they have joined the cluster, or could. Where that
/// cannot be found out, none are told: nothing depends on it, and a place that is not there is nobody's.
pub(crate) async fn joined(world: &World) -> Vec<Stranger> {
    let provider = world.provider();
    if provider.launcher().is_none() {
        return Vec::new();
    }
    provider.strangers(world.owner()).await.unwrap_or_else(|error| {
        tracing::info!(%error, "whether other machines are in the cluster's place is not known");
        Vec::new()
    })
}

/// Machines that run where the cluster's slaves do, and that nobody has launched for it.
pub(crate) async fn joining(spec: &Verified, state: &RunState) -> Result<Vec<Stranger>, CliError> {
    let unusable = |error: &ProviderError| unusable(spec.provider, error);
    let provider = mesosflow_steps::open_provider(spec, None).await;
    let provider = provider.map_err(|error| unusable(&error))?;
    let owner = Owner {
        cluster: state.cluster.clone(),
        run: state.run,
        driver: None,
        made_by: None,
    };
    let strangers = provider
        .strangers(&owner)
        .await
        .map_err(|error| unusable(&error))?;
    let joining = strangers.into_iter();
    Ok(joining
        .filter(|stranger| stranger.may_join && !spec.is_adopted(&stranger.id))
        .collect())
}

/// What the provider has that carries the run's tags.
pub(crate) async fn owned(world: &World) -> Result<Vec<Resource>, CliError> {
    let owned = world.provider().owned(world.owner()).await;
    owned.map_err(|error| unusable(world.spec().provider, &error))
}
