//! The way to the API: configuration, credentials, and calls whose failures are classified.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use mesosflow_workflow::{ErrorClass, Retry};

use super::failure::{Effect, Failure, Stage};
use super::pace::{Kind, Pace};
use crate::cluster::{ClusterSpec, Ec2Spec};
use crate::provider::{Answer, ProviderError};

/// Tries of a call that only looks, where no answer came or the API broke. What has an effect is tried again by the executor,
/// which looks before it does.
const LOOK: Retry = Retry {
    attempts: 4,
    initial: Duration::from_secs(1),
    ceiling: Duration::from_secs(8),
};
/// How often any call is tried that EC2 refuses as one too many: nothing has happened then. With the waits of [`super::pace`]
/// that is about two minutes.
const THROTTLED_TRIES: u32 = 12;
/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The region of an endpoint of one's own, where none is named: a stand-in for AWS does not care.
const ENDPOINT_REGION: &str = "us-east-1";

/// The client of one region, and the pace of its calls.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    pace: Pace,
    region: String,
}

impl Api {
    /// Clients for where the spec says.
    ///
    /// # Errors
    /// No region is known; or the credentials belong to another account than the one that the spec names.
    pub(super) async fn open(spec: &Ec2Spec) -> Result<Self, ProviderError> {
        let config = load(spec).await;
        let region = region(&config)?;
        if let Some(expected) = &spec.account {
            let account = account(&config, spec, &region).await?;
            if let Some(other) = account.filter(|account| account != expected) {
                return Err(ProviderError {
                    doing: format!("these credentials are of AWS account {other}"),
                    class: ErrorClass::Operator,
                    hint: Some(format!(
                        "use credentials of account {expected}, where the run began"
                    )),
                    source: Answer(format!("the run's machines are in account {expected}")),
                });
            }
        }
        // What is tried again is so here: the SDK's own tries would not keep the pace.
        let config = aws_sdk_ec2::config::Builder::from(&config).retry_config(RetryConfig::disabled());
        Ok(Self {
            client: Client::from_conf(config.build()),
            pace: Pace::default(),
            region,
        })
    }

    /// The region.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// For calls that only look: [`Api::read`] awaits them.
    pub(super) const fn reads(&self) -> &Client {
        &self.client
    }

    /// For calls that change something: [`Api::write`] awaits them.
    pub(super) const fn writes(&self) -> &Client {
        &self.client
    }

    /// Makes a call that only looks, as often as it takes.
    pub(super) async fn read<T, E, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut delays = LOOK.delays();
        loop {
            let failure = match self.paced(operation, Effect::Read, &call).await {
                Err(failure) if failure.may_pass_at_once() => failure,
                outcome => return outcome,
            };
            let Some(delay) = delays.next() else {
                return Err(failure);
            };
            tracing::debug!(operation, %failure, "looks again");
            tokio::time::sleep(delay).await;
        }
    }

    /// Makes a call that changes something: once, but for tries that EC2 refused as too many.
    pub(super) async fn write<T, E, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let result = self.paced(operation, Effect::Write, &call).await;
        match &result {
            Ok(_) => tracing::info!(operation, region = self.region, "called"),
            Err(failure) => tracing::info!(operation, region = self.region, %failure, "call failed"),
        }
        result
    }

    /// Makes a call when its turn has come, and again when EC2 refused it as one too many.
    async fn paced<T, E, F>(
        &self,
        operation: &'static str,
        effect: Effect,
        call: &impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let kind = Kind::of(operation);
        let mut tries = 1;
        loop {
            let permit = self.pace.permit(kind).await;
            let outcome = self.outcome(operation, effect, call().await);
            match &outcome {
                Err(failure) if failure.is_throttled() => permit.refused(),
                _ => {
                    permit.taken();
                    return outcome;
                }
            }
            if tries == THROTTLED_TRIES {
                return outcome;
            }
            tracing::info!(operation, region = self.region, tries, "throttled");
            tries += 1;
        }
    }

    /// A failed call, classified.
    fn outcome<T, E>(
        &self,
        operation: &'static str,
        effect: Effect,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        result.map_err(|error| Failure::of(operation, &self.region, effect, &error))
    }
}

/// Writes into the spec where the run happens: the region and endpoint that the environment names now, and the account.
///
/// # Errors
/// There is no region, there are no credentials, or AWS does not accept them.
pub async fn settle(mut spec: ClusterSpec) -> Result<ClusterSpec, ProviderError> {
    let config = load(&spec.ec2).await;
    let region = region(&config)?;
    spec.ec2.endpoint_url = spec
        .ec2
        .endpoint_url
        .take()
        .or_else(|| environment_endpoint(&config));
    spec.ec2.account = account(&config, &spec.ec2, &region).await?;
    spec.ec2.region = Some(region);
    Ok(spec)
}

/// The SDK's standard chain (environment, profile, SSO, container, instance role), under what the spec says.
async fn load(spec: &Ec2Spec) -> SdkConfig {
    let limit = Duration::from_secs(spec.api_timeout_s.into());
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT.min(limit))
        .operation_attempt_timeout(limit)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    if let Some(region) = &spec.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &spec.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &spec.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    if config.region().is_none() && environment_endpoint(&config).is_some() {
        return config.into_builder().region(Region::new(ENDPOINT_REGION)).build();
    }
    config
}

/// The endpoint that the environment or the profile names for EC2.
fn environment_endpoint(config: &SdkConfig) -> Option<String> {
    let own = std::env::var("AWS_ENDPOINT_URL_EC2")
        .ok()
        .filter(|url| !url.is_empty());
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

fn region(config: &SdkConfig) -> Result<String, ProviderError> {
    config
        .region()
        .map(ToString::to_string)
        .ok_or_else(|| ProviderError {
            doing: "no AWS region is named".into(),
            class: ErrorClass::Operator,
            hint: Some(
                "name one: --region eu-central-1, `region` under `[ec2]`, AWS_REGION, or the profile's"
                    .into(),
            ),
            source: Answer(
                "neither the command, the configuration, the environment nor the profile has one".into(),
            ),
        })
}

/// Whose credentials these are. An endpoint of one's own need not be able to tell.
async fn account(config: &SdkConfig, spec: &Ec2Spec, region: &str) -> Result<Option<String>, ProviderError> {
    let asked = aws_sdk_sts::Client::new(config)
        .get_caller_identity()
        .send()
        .await;
    match asked {
        Ok(identity) => Ok(identity.account),
        Err(error) => {
            let failure = Failure::of("GetCallerIdentity", region, Effect::Read, &error);
            let cannot_tell = matches!(failure.stage, Stage::NoAnswer | Stage::Refused(_))
                && failure.class() != ErrorClass::Operator;
            if spec.endpoint_url.is_some() && cannot_tell {
                tracing::info!(%failure, "the endpoint does not tell the account");
                return Ok(None);
            }
            Err(failure.into())
        }
    }
}
