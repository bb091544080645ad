//! In place of the client of EC2 where it was not built in: whatever needs it is refused before anything is touched.

use std::path::Path;

use mesosflow_workflow::ErrorClass;

use super::{Answer, Need, Provider, ProviderError};
use crate::cluster::{ClusterSpec, Ec2Spec};

const LACKING: &str = "this mesosflow was built without its client of EC2";
const BUILD: &str = "`make build` makes one that has it";

fn lacking() -> ProviderError {
    ProviderError {
        doing: "EC2 cannot be asked".to_owned(),
        class: ErrorClass::Operator,
        hint: Some(BUILD.to_owned()),
        source: Answer(LACKING.to_owned()),
    }
}

/// # Errors
/// Always.
pub(super) async fn open(_: &ClusterSpec, _: Option<&Path>) -> Result<Box<dyn Provider>, ProviderError> {
    Err(lacking())
}

/// # Errors
/// Always.
pub(super) async fn settle(_: ClusterSpec) -> Result<ClusterSpec, ProviderError> {
    Err(lacking())
}

/// # Errors
/// Always.
pub(super) async fn verify(_: &Ec2Spec) -> Result<(), ProviderError> {
    Err(lacking())
}

/// The client itself is what is lacking.
pub(super) async fn examine(_: &ClusterSpec) -> Vec<Need> {
    vec![Need::lacking("EC2", LACKING, BUILD)]
}
