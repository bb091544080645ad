//! What a call of the API came to when it did not come to what was asked, and what the executor may do about it.

use std::error::Error;
use std::fmt;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId as _;
use mesosflow_workflow::ErrorClass;

use crate::provider::{Answer, ProviderError};

/// What a call does in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it may be asked again at will.
    Read,
    /// Something: if no answer came, it may have happened.
    Write,
}

/// How far the call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It was not sent: there was nothing to sign it with.
    NoCredentials,
    /// It could not be built, or was refused before it was sent.
    NotSent,
    /// It may have been sent, and no (readable) answer came.
    NoAnswer,
    /// The API answered with this HTTP status.
    Refused(u16),
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The operation, as the API calls it.
    pub(super) operation: &'static str,
    /// The region.
    pub(super) region: String,
    /// What the call would have done.
    pub(super) effect: Effect,
    /// How far it came.
    pub(super) stage: Stage,
    /// The API's error code; empty where there is none.
    pub(super) code: String,
    /// The API's message, or what the connection said.
    pub(super) message: String,
    /// The API's number for the call, which AWS' support asks for.
    pub(super) request_id: Option<String>,
}

/// Too many calls: nothing was done, and nothing will be before there are fewer (EC2 API reference, "Error codes").
const THROTTLED: &[&str] = &[
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "SlowDown",
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
];

/// Refusals that pass by themselves: the API itself is in trouble, or somebody was at it at the same time (the same reference).
const PASSING: &[&str] = &["Unavailable", "ServiceUnavailable", "ConcurrentTagAccess"];

/// What was made a moment ago may not be known everywhere yet ("eventual consistency" in the same reference).
const NOT_KNOWN_YET: &[&str] = &[
    "InvalidInstanceID.NotFound",
    "InvalidGroup.NotFound",
    "InvalidGroupId.NotFound",
    "InvalidSecurityGroupID.NotFound",
    "InvalidSpotInstanceRequestID.NotFound",
    "InvalidVolume.NotFound",
    "InvalidSecurityGroupRuleId.NotFound",
    "InvalidNetworkInterfaceID.NotFound",
    "DependencyViolation",
    "VolumeInUse",
    "IncorrectInstanceState",
    "IncorrectState",
];

/// The address that a machine is to have again is another's still: one that ended a moment ago gives its own back within minutes.
pub(super) const ADDRESS_TAKEN: &str = "InvalidIPAddress.InUse";

/// There is no machine to be had at the moment.
const CAPACITY: &[&str] = &[
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientCapacity",
    "InsufficientAddressCapacity",
    "InsufficientVolumeCapacity",
    "Server.InsufficientInstanceCapacity",
    "SpotMaxPriceTooLow",
];

/// The account may not have more.
const QUOTA: &[&str] = &[
    "InstanceLimitExceeded",
    "VcpuLimitExceeded",
    "VolumeLimitExceeded",
    "MaxIOPSLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "MaxSpotFleetRequestCountExceeded",
    "SecurityGroupLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "SecurityGroupsPerInstanceLimitExceeded",
    "SecurityGroupsPerInterfaceLimitExceeded",
    "ResourceLimitExceeded",
    "AddressLimitExceeded",
    "PrivateIpAddressLimitExceeded",
    "InsufficientFreeAddressesInSubnet",
    "TagLimitExceeded",
];

/// Whoever asks is not, or no longer, allowed to.
const IDENTITY: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
];

/// The account may not do that, whoever asks.
const RIGHTS: &[&str] = &[
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "OptInRequired",
    "PendingVerification",
    "Blocked",
    "OperationNotPermitted",
];

impl Failure {
    /// What a failed call of the SDK says.
    pub(super) fn of<E>(
        operation: &'static str,
        region: &str,
        effect: Effect,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let stage = match error {
            _ if lacks_credentials(error) => Stage::NoCredentials,
            SdkError::ConstructionFailure(_) => Stage::NotSent,
            SdkError::ServiceError(refused) => Stage::Refused(refused.raw().status().as_u16()),
            _ => Stage::NoAnswer,
        };
        let (code, message) = match error {
            SdkError::ServiceError(refused) => (
                refused.err().code().unwrap_or_default().to_owned(),
                refused.err().message().unwrap_or_default().to_owned(),
            ),
            other => (String::new(), innermost(other)),
        };
        Self {
            operation,
            region: region.to_owned(),
            effect,
            stage,
            code,
            message,
            request_id: error.request_id().map(str::to_owned),
        }
    }

    /// Whether the API refused with one of these codes.
    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Whether it was one call too many.
    pub(super) fn is_throttled(&self) -> bool {
        self.is(THROTTLED) || self.stage == Stage::Refused(429)
    }

    /// Whether a call that only looks may be tried again in a moment: no answer came, or the API broke.
    pub(super) fn may_pass_at_once(&self) -> bool {
        match self.stage {
            Stage::NoAnswer | Stage::Refused(500..) => !self.is_throttled() && !self.is(CAPACITY),
            Stage::Refused(_) => self.is(PASSING),
            Stage::NoCredentials | Stage::NotSent => false,
        }
    }

    /// Whether a launch at an address may have been refused for that: it is taken, or an API that is not AWS' own broke at it.
    pub(super) fn is_about_address(&self) -> bool {
        self.code.starts_with("InvalidIPAddress")
            || matches!(self.stage, Stage::Refused(500..)) && self.code.is_empty()
    }

    /// Whether the API says that there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        self.code.ends_with(".NotFound")
    }

    /// Whether one of the things that a call names was refused, and another call may do the rest.
    pub(super) fn is_about_one(&self) -> bool {
        self.is_not_found()
            || self.is(&[
                "OperationNotPermitted",
                "IncorrectInstanceState",
                "IncorrectState",
            ])
    }

    /// What the executor may do about it.
    pub(super) fn class(&self) -> ErrorClass {
        match self.stage {
            Stage::NoCredentials => ErrorClass::Operator,
            Stage::NotSent => ErrorClass::Permanent,
            Stage::NoAnswer => self.unanswered(),
            Stage::Refused(_) if self.is_throttled() => ErrorClass::Transient,
            Stage::Refused(_) if self.is(PASSING) || self.is(NOT_KNOWN_YET) || self.is(CAPACITY) => {
                ErrorClass::Transient
            }
            Stage::Refused(_) if self.is(&[ADDRESS_TAKEN]) => ErrorClass::Transient,
            Stage::Refused(_) if self.is(QUOTA) || self.is(IDENTITY) || self.is(RIGHTS) => {
                ErrorClass::Operator
            }
            // The API broke in the middle: like no answer.
            Stage::Refused(500..) => self.unanswered(),
            Stage::Refused(_) => ErrorClass::Permanent,
        }
    }

    const fn unanswered(&self) -> ErrorClass {
        match self.effect {
            Effect::Read => ErrorClass::Transient,
            Effect::Write => ErrorClass::Ambiguous,
        }
    }

    /// What the user can do about it.
    pub(super) fn hint(&self) -> Option<String> {
        let hint = match self.stage {
            Stage::NoCredentials => {
                "give credentials as for every AWS program: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile \
                 (`aws configure`, `aws sso login`, AWS_PROFILE), or the role of the instance that this runs on"
            }
            _ if self.is(IDENTITY) => {
                "the credentials are wrong or have expired: renew them (`aws sso login`, new keys), then resume"
            }
            _ if self.is(RIGHTS) => {
                "the account or its user may not do that: docs/iam-policy.json is a policy with all that mesosflow needs"
            }
            _ if self.is(&["SpotMaxPriceTooLow"]) => {
                "the ceiling is below the price of the moment: wait and resume, or destroy and run with a higher --spot-price or without one"
            }
            _ if self.is(CAPACITY) => {
                "AWS has none of these machines there at the moment: wait and resume, or destroy and run with another --zone or --instance-type"
            }
            _ if self.is(QUOTA) => {
                "ask AWS for a higher quota (Service Quotas), or end something else; then resume"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, message, .. } = self;
        match (code.is_empty(), message.is_empty()) {
            (false, false) => write!(f, "{code}: {message}")?,
            (false, true) => f.write_str(code)?,
            (true, _) => f.write_str(message)?,
        }
        match &self.request_id {
            Some(id) if !id.is_empty() => write!(f, " (request {id})"),
            _ => Ok(()),
        }
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        let Failure {
            operation, region, ..
        } = &failure;
        let doing = match failure.stage {
            Stage::NoCredentials => format!("there are no AWS credentials to call {operation} with"),
            Stage::NotSent => format!("{operation} could not be sent to EC2"),
            Stage::NoAnswer => format!("EC2 did not answer {operation} in {region}"),
            Stage::Refused(_) => format!("EC2 refused {operation} in {region}"),
        };
        Self {
            doing,
            class: failure.class(),
            hint: failure.hint(),
            source: Answer(failure.to_string()),
        }
    }
}

/// Whether somewhere in the chain of causes the credentials are to blame.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<aws_credential_types::provider::error::CredentialsError>())
}

/// The innermost cause, which says what the connection or the parser saw.
fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'e (dyn Error + 'static)| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(effect: Effect, status: u16, code: &str) -> Failure {
        Failure {
            operation: "RunInstances",
            region: "us-east-1".into(),
            effect,
            stage: Stage::Refused(status),
            code: code.into(),
            message: "so it is".into(),
            request_id: None,
        }
    }

    #[test]
    fn each_refusal_has_its_class() {
        for (status, code, class) in [
            (503, "RequestLimitExceeded", ErrorClass::Transient),
            (400, "Throttling", ErrorClass::Transient),
            (503, "Unavailable", ErrorClass::Transient),
            (400, "InvalidInstanceID.NotFound", ErrorClass::Transient),
            (400, "InvalidGroup.NotFound", ErrorClass::Transient),
            (500, "InsufficientInstanceCapacity", ErrorClass::Transient),
            (400, "SpotMaxPriceTooLow", ErrorClass::Transient),
            (400, "InvalidIPAddress.InUse", ErrorClass::Transient),
            (400, "VcpuLimitExceeded", ErrorClass::Operator),
            (400, "InstanceLimitExceeded", ErrorClass::Operator),
            (400, "RequestExpired", ErrorClass::Operator),
            (401, "AuthFailure", ErrorClass::Operator),
            (403, "UnauthorizedOperation", ErrorClass::Operator),
            (400, "InvalidParameterValue", ErrorClass::Permanent),
            (400, "InvalidAMIID.NotFound", ErrorClass::Permanent),
            (400, "Unsupported", ErrorClass::Permanent),
            (500, "InternalError", ErrorClass::Ambiguous),
            (502, "", ErrorClass::Ambiguous),
            (429, "", ErrorClass::Transient),
        ] {
            assert_eq!(
                refused(Effect::Write, status, code).class(),
                class,
                "{status} {code}"
            );
        }
        assert_eq!(
            refused(Effect::Read, 500, "InternalError").class(),
            ErrorClass::Transient
        );
    }

    #[test]
    fn no_answer_is_ambiguous_for_what_has_an_effect() {
        let unanswered = |effect| Failure {
            stage: Stage::NoAnswer,
            ..refused(effect, 0, "")
        };
        assert_eq!(unanswered(Effect::Write).class(), ErrorClass::Ambiguous);
        assert_eq!(unanswered(Effect::Read).class(), ErrorClass::Transient);
    }

    #[test]
    fn what_the_api_said_is_said() {
        let failure = Failure {
            request_id: Some("1-2-3".into()),
            ..refused(Effect::Write, 500, "InsufficientInstanceCapacity")
        };
        let error = ProviderError::from(failure);
        assert_eq!(error.to_string(), "EC2 refused RunInstances in us-east-1");
        assert_eq!(
            error.source.to_string(),
            "InsufficientInstanceCapacity: so it is (request 1-2-3)"
        );
        assert!(error.hint.unwrap().contains("--zone"));
    }
}
