//! Stopping and starting: what EC2 is asked in one call for many.

use std::time::Duration;

use super::api::Api;
use super::crowd::Crowd;
use super::failure::Failure;
use crate::provider::ProviderError;

/// Those who wait for the next call of each kind.
#[derive(Debug)]
pub(super) struct Power {
    stops: Crowd,
    starts: Crowd,
}

impl Default for Power {
    fn default() -> Self {
        Self {
            stops: Crowd::new(Duration::ZERO),
            starts: Crowd::new(Duration::ZERO),
        }
    }
}

impl Power {
    /// Asks a machine to stop. One that is stopping, or has stopped, stays so.
    pub(super) async fn stop(&self, api: &Api, id: &str) -> Result<(), ProviderError> {
        let call = async |batch: Vec<String>| {
            let call = api.writes().stop_instances().set_instance_ids(Some(batch));
            api.write("StopInstances", || call.clone().send()).await.map(drop)
        };
        answer(self.stops.ask(&[id.to_owned()], call).await?)
    }

    /// Asks a machine to start. One that runs goes on.
    pub(super) async fn start(&self, api: &Api, id: &str) -> Result<(), ProviderError> {
        let call = async |batch: Vec<String>| {
            let call = api.writes().start_instances().set_instance_ids(Some(batch));
            api.write("StartInstances", || call.clone().send())
                .await
                .map(drop)
        };
        answer(self.starts.ask(&[id.to_owned()], call).await?)
    }
}

/// What became of the only one that was asked for.
fn answer(mut refused: Vec<(String, Failure)>) -> Result<(), ProviderError> {
    match refused.pop() {
        None => Ok(()),
        Some((_, failure)) => Err(failure.into()),
    }
}
