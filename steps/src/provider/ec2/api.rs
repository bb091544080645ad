//! The way to the API: configuration, credentials, and calls whose failures are classified.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_types::service_config::ServiceConfigKey;
use mesosflow_workflow::{ErrorClass, Retry};

use super::failure::{Effect, Failure, Stage};
use super::pace::{Kind, Pace};
use crate::cluster::{AWS_ENDPOINT, ClusterSpec, Ec2Spec};
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
/// The services as the SDK's configuration names them.
const EC2: &str = "EC2";
const STS: &str = "STS";

/// The client of one region, and the pace of its calls.
#[derive(Debug)]
pub(super) struct Api {
    client: Client,
    pace: Pace,
    region: String,
    /// Whether it is AWS' own.
    is_own: bool,
}

impl Api {
    /// Clients for where the spec says.
    ///
    /// # Errors
    /// No region is known.
    pub(super) async fn open(spec: &Ec2Spec) -> Result<Self, ProviderError> {
        let config = load(spec).await;
        let region = region(&config)?;
        let endpoint = endpoint(&config, spec.endpoint_url.as_deref(), EC2);
        // What is tried again is so here: the SDK's own tries would not keep the pace.
        let mut own = aws_sdk_ec2::config::Builder::from(&config).retry_config(RetryConfig::disabled());
        // Also where it is none: what the SDK has found in the environment does not count.
        own.set_endpoint_url(endpoint.clone());
        Ok(Self {
            client: Client::from_conf(own.build()),
            pace: Pace::default(),
            region,
            is_own: endpoint.is_none(),
        })
    }

    /// The region.
    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Whether it is AWS' own endpoint, and no stand-in's.
    pub(super) const fn is_own(&self) -> bool {
        self.is_own
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

    /// Makes a call that only looks: once, but for tries that EC2 refused as too many.
    pub(super) async fn read_once<T, E, F>(
        &self,
        operation: &'static str,
        call: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.paced(operation, Effect::Read, &call).await
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

/// Writes into the spec where the run happens: the region and the endpoints that the environment names now, AWS' own too, and
/// the account.
///
/// # Errors
/// There is no region, there are no credentials, or AWS does not accept them.
pub(super) async fn settle(mut spec: ClusterSpec) -> Result<ClusterSpec, ProviderError> {
    let config = load(&spec.ec2).await;
    let region = region(&config)?;
    let settled = |named: Option<String>, service| {
        let settled = endpoint(&config, named.as_deref(), service);
        Some(settled.unwrap_or_else(|| AWS_ENDPOINT.to_owned()))
    };
    spec.ec2.endpoint_url = settled(spec.ec2.endpoint_url.take(), EC2);
    spec.ec2.sts_endpoint_url = settled(spec.ec2.sts_endpoint_url.take(), STS);
    spec.ec2.account = match account(&config, &spec.ec2, &region).await {
        Ok(account) => account,
        Err(failure) if may_not_tell(&spec.ec2, &failure) => {
            tracing::warn!(
                target: "mesosflow::progress",
                "warning: the AWS account is not known ({failure}): nothing will keep this run from another one's credentials; \
                 name the endpoint that tells it, `sts_endpoint_url` under `[ec2]` or AWS_ENDPOINT_URL_STS"
            );
            None
        }
        Err(failure) => return Err(failure.into()),
    };
    spec.ec2.region = Some(region);
    Ok(spec)
}

/// Makes sure that the credentials are of the account that was recorded when the run began: with another one's, there is no
/// such instance, which would look as if it were gone.
///
/// # Errors
/// They are another account's, or it cannot be found out whose they are.
pub async fn verify(spec: &Ec2Spec) -> Result<(), ProviderError> {
    let Some(expected) = &spec.account else {
        return Ok(());
    };
    let refused = |doing: String, answer: String, hint: String| ProviderError {
        doing,
        class: ErrorClass::Operator,
        hint: Some(hint),
        source: Answer(answer),
    };
    let config = load(spec).await;
    let region = region(&config)?;
    let what = match account(&config, spec, &region).await {
        Ok(Some(account)) if account == *expected => return Ok(()),
        Ok(Some(other)) => {
            return Err(refused(
                format!("these credentials are of AWS account {other}"),
                format!("the run's machines are in account {expected}"),
                format!("use credentials of account {expected}, where the run began"),
            ));
        }
        Ok(None) => "GetCallerIdentity names no account".to_owned(),
        Err(failure) => failure.to_string(),
    };
    let endpoint = match endpoint(&config, spec.sts_endpoint_url.as_deref(), STS) {
        Some(url) => url,
        None => format!("AWS' own in {region}"),
    };
    Err(refused(
        format!(
            "it cannot be verified that these credentials are of AWS account {expected}, where the run's machines are"
        ),
        what,
        format!(
            "give credentials of account {expected} (AWS_PROFILE, `aws sso login`, AWS_ACCESS_KEY_ID …) and see that STS \
             answers ({endpoint}); then do the same again"
        ),
    ))
}

/// The SDK's standard chain (environment, profile, SSO, container, instance role), under what the spec says.
pub(super) async fn load(spec: &Ec2Spec) -> SdkConfig {
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
    let config = loader.load().await;
    let endpoint = endpoint(&config, spec.endpoint_url.as_deref(), EC2);
    if config.region().is_none() && endpoint.is_some() {
        return config.into_builder().region(Region::new(ENDPOINT_REGION)).build();
    }
    config
}

/// The endpoint of a service: the one that is named, or the environment's or the profile's (`AWS_ENDPOINT_URL_<service>`,
/// `AWS_ENDPOINT_URL`, `endpoint_url`); none for AWS' own.
fn endpoint(config: &SdkConfig, named: Option<&str>, service: &str) -> Option<String> {
    match named {
        Some(AWS_ENDPOINT) => return None,
        Some(url) => return Some(url.to_owned()),
        None => {}
    }
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_service = config.service_config().and_then(|all| all.load_config(key));
    let url = of_service.or_else(|| config.endpoint_url().map(str::to_owned));
    url.filter(|url| !url.is_empty())
}

pub(super) fn region(config: &SdkConfig) -> Result<String, ProviderError> {
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

/// The account of the credentials; none where a stand-in for EC2 has no STS that could tell.
///
/// # Errors
/// AWS does not accept them, or STS does not answer.
pub(super) async fn account_of(
    config: &SdkConfig,
    spec: &Ec2Spec,
    region: &str,
) -> Result<Option<String>, ProviderError> {
    // As it would be settled.
    let settled = |named: &Option<String>, service| {
        let settled = endpoint(config, named.as_deref(), service);
        Some(settled.unwrap_or_else(|| AWS_ENDPOINT.to_owned()))
    };
    let spec = Ec2Spec {
        endpoint_url: settled(&spec.endpoint_url, EC2),
        sts_endpoint_url: settled(&spec.sts_endpoint_url, STS),
        ..spec.clone()
    };
    match account(config, &spec, region).await {
        Ok(account) => Ok(account),
        Err(failure) if may_not_tell(&spec, &failure) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

/// Whose credentials these are, as STS says.
async fn account(config: &SdkConfig, spec: &Ec2Spec, region: &str) -> Result<Option<String>, Failure> {
    let mut own = aws_sdk_sts::config::Builder::from(config);
    own.set_endpoint_url(endpoint(config, spec.sts_endpoint_url.as_deref(), STS));
    let asked = aws_sdk_sts::Client::from_conf(own.build())
        .get_caller_identity()
        .send()
        .await;
    match asked {
        Ok(identity) => Ok(identity.account),
        Err(error) => Err(Failure::of("GetCallerIdentity", region, Effect::Read, &error)),
    }
}

/// Whether a run may begin without knowing its account. A stand-in for EC2 need not have an STS: then AWS' own knows nothing of
/// its credentials, and the stand-in itself no such call. Wherever an STS was named, or EC2 is AWS' own, it has to answer.
fn may_not_tell(spec: &Ec2Spec, failure: &Failure) -> bool {
    let (ec2, sts) = (spec.endpoint_url.as_deref(), spec.sts_endpoint_url.as_deref());
    // Whoever is refused for what he is was understood.
    let is_understood =
        matches!(failure.stage, Stage::Refused(401 | 403)) || failure.class() == ErrorClass::Operator;
    let has_no_such_call = matches!(failure.stage, Stage::Refused(_)) && !is_understood;
    ec2 != Some(AWS_ENDPOINT)
        && failure.stage != Stage::NoCredentials
        && (sts == Some(AWS_ENDPOINT) || (sts == ec2 && has_no_such_call))
}
