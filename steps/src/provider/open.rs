//! Which provider a spec names, and what is asked of it before there is a run.

use std::ops::Deref;
use std::path::Path;

use mesosflow_workflow::ErrorClass;

use super::ec2;
use super::hosts::HostsProvider;
use super::local::LocalProvider;
use super::{Answer, Need, PlannedResource, Provider, ProviderError, ec2_plan, hosts, local};
use crate::cluster::urls::secret_in;
use crate::cluster::{ClusterSpec, MadeBy, ProviderKind};
use crate::key::ClusterKey;

/// Opens the provider that a spec names; `run` is the run's folder, for providers that keep something of their own, and its
/// key.
///
/// # Errors
/// It does not answer.
pub async fn open_provider(
    spec: &ClusterSpec,
    run: Option<(&Path, &ClusterKey)>,
) -> Result<Box<dyn Provider>, ProviderError> {
    Ok(match spec.provider {
        ProviderKind::Local => Box::new(LocalProvider::open(&spec.local).await?),
        ProviderKind::Ec2 => ec2::open(spec, run.map(|(folder, _)| folder)).await?,
        ProviderKind::Hosts => Box::new(HostsProvider::open(spec, run.map(|(_, key)| key))?),
    })
}

/// Settles what a spec leaves to the environment, so that the run stays where it began: region, endpoint and
/// account, and what the user data is.
///
/// # Errors
/// The environment does not tell, or the account cannot be used.
pub async fn settle(mut spec: ClusterSpec) -> Result<Verified, ProviderError> {
    // Of a cluster that is made there are those that are asked for.
    spec.members = None;
    match spec.provider {
        ProviderKind::Ec2 => {
            let settled = ec2::settle(spec).await?;
            // The environment may name an endpoint of its own, which the journal would keep.
            let endpoints = [&settled.ec2.endpoint_url, &settled.ec2.sts_endpoint_url];
            let told = endpoints.into_iter().flatten().find_map(|url| secret_in(url));
            match told {
                // Whose account it is has just been asked.
                None => Ok(Verified(settled)),
                Some(what) => Err(ProviderError {
                    doing: "the endpoint of EC2 or STS cannot be used".to_owned(),
                    class: ErrorClass::Operator,
                    hint: Some("give credentials as for every AWS program, never in the endpoint".to_owned()),
                    source: Answer(format!("its URL holds {what}, which the journal would keep")),
                }),
            }
        }
        ProviderKind::Local | ProviderKind::Hosts => Ok(Verified(spec)),
    }
}

/// A spec of whose provider it is known that what a run of it made can be seen from here: asked once, and needed for every look at the
/// run's world.
#[derive(Debug, Clone)]
pub struct Verified(ClusterSpec);

impl Verified {
    /// The spec itself.
    pub fn into_spec(self) -> ClusterSpec {
        self.0
    }

    /// The same cluster as it is to be: whoever sees what there is sees what is added to it.
    #[must_use]
    pub fn changed_to(self, spec: ClusterSpec) -> Self {
        debug_assert_eq!((&self.0.cluster, self.0.provider), (&spec.cluster, spec.provider));
        Self(spec)
    }

    /// The same with what says whose everything is.
    #[must_use]
    pub fn made_by(mut self, made_by: MadeBy) -> Self {
        self.0.made_by = Some(made_by);
        self
    }
}

impl Deref for Verified {
    type Target = ClusterSpec;

    fn deref(&self) -> &ClusterSpec {
        &self.0
    }
}

/// Makes sure that what a run of this spec made can be seen from here, before anything of it is looked for: what cannot be seen
/// would be taken for gone.
///
/// # Errors
/// The credentials are of another account than the run's, or it cannot be found out whose they are.
pub async fn verify(spec: ClusterSpec) -> Result<Verified, ProviderError> {
    match spec.provider {
        ProviderKind::Ec2 => ec2::verify(&spec.ec2).await?,
        ProviderKind::Local | ProviderKind::Hosts => {}
    }
    Ok(Verified(spec))
}

/// Looks at the machines that are there before a run is created: a new cluster needs every one of them.
///
/// # Errors
/// Some cannot be used, or belong to another cluster; says which, and what to do.
pub async fn survey(spec: &ClusterSpec) -> Result<(), ProviderError> {
    match spec.provider {
        ProviderKind::Hosts => HostsProvider::open(spec, None)?.survey().await,
        ProviderKind::Local | ProviderKind::Ec2 => Ok(()),
    }
}

/// All that a run of this spec needs of its provider, each by itself: what is there, and what is lacking. Makes nothing.
pub async fn examine(spec: &ClusterSpec) -> Vec<Need> {
    match spec.provider {
        ProviderKind::Local => local::examine(spec).await,
        ProviderKind::Ec2 => ec2::examine(spec).await,
        ProviderKind::Hosts => hosts::examine(spec).await,
    }
}

/// What a deploy of this spec would make, in the order in which it is made. Nothing is asked for it.
pub fn creates(spec: &ClusterSpec) -> Vec<PlannedResource> {
    match spec.provider {
        ProviderKind::Local => local::creates(spec),
        ProviderKind::Ec2 => ec2_plan::creates(spec),
        ProviderKind::Hosts => hosts::creates(spec),
    }
}

/// Checks, before a run is created, that its provider answers.
///
/// # Errors
/// It does not; says what to do.
pub async fn precheck(spec: &ClusterSpec) -> Result<(), ProviderError> {
    open_provider(spec, None).await.map(drop)
}
