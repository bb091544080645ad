//! `image-metadata` (notes 1.3): the image that every node is made from.
//!
//! - Changes: locally, the image is built if this machine does not have it; elsewhere nothing.
//! - Twice is safe: the image is found by the digest of its recipe.
//! - Not undone: the image is kept for the next cluster.

use std::collections::BTreeMap;

use mesosflow_workflow::{Limits, Probe, Step, StepCx, StepId};
use serde::Serialize;

use crate::act::ActError;
use crate::cluster::{ClusterSpec, LATEST, ProviderKind, Role};
use crate::provider::Image;
use crate::provider::local::image::BUILD_LIMIT;
use crate::world::World;

/// Which image; the provider knows its name.
#[derive(Debug, Serialize)]
pub struct ImageMetadata {
    /// The image that the user asked for; none for the provider's own choice.
    pub asked: Option<String>,
    /// The types of machines that have to be able to run it, where the provider has several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub machine_types: BTreeMap<Role, String>,
}

impl ImageMetadata {
    /// Its id in the catalogue.
    pub const ID: StepId = StepId::from_static("image-metadata");

    /// The step for a spec.
    pub fn new(spec: &ClusterSpec) -> Self {
        match spec.provider {
            ProviderKind::Ec2 => {
                let types = spec.roles().into_iter();
                let machine_types = types.map(|role| (role, spec.ec2.type_of(role).to_owned()));
                let asked = match spec.ec2.ami.as_str() {
                    LATEST => format!("{LATEST} {}", spec.os),
                    named => named.to_owned(),
                };
                Self {
                    asked: Some(asked),
                    machine_types: machine_types.collect(),
                }
            }
            ProviderKind::Local | ProviderKind::Hosts => Self {
                asked: spec.local.image.clone(),
                machine_types: BTreeMap::new(),
            },
        }
    }
}

impl Step for ImageMetadata {
    type World = World;
    type Output = Image;
    type Error = ActError;

    fn id(&self) -> StepId {
        Self::ID
    }

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<Image>, ActError> {
        Ok(cx
            .world()
            .provider()
            .find_image()
            .await?
            .map_or(Probe::NotDone, Probe::Done))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<Image, ActError> {
        Ok(cx.world().provider().ensure_image(cx.run()).await?)
    }

    async fn verify(&self, cx: &StepCx<World>, image: &Image) -> Result<(), ActError> {
        match cx.world().provider().find_image().await? {
            Some(found) if found.id == image.id => Ok(()),
            _ => Err(ActError::wrong(format!(
                "image {} is not what was built",
                image.name
            ))),
        }
    }

    fn limits(&self) -> Limits {
        Limits::within(BUILD_LIMIT)
    }
}
