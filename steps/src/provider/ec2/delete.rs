//! Deleting: each kind of resource in its own way, repeatable, and waited for until it is seen gone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mesosflow_workflow::{ErrorClass, Resource};
use tokio::time::Instant;

use super::api::Api;
use super::crowd::Crowd;
use super::failure::Failure;
use super::groups::{GROUP, RULE};
use super::instances::{INSTANCE, SPOT_REQUEST, Seen, VOLUME, by_id};
use super::sight::Sight;
use super::tags::filter;
use super::volumes::Volumes;
use crate::provider::{Answer, Deletion, ProviderError};

/// How long a machine may take to end. A hung shutdown is forced by EC2 after a few minutes.
const END_LIMIT: Duration = Duration::from_secs(600);
/// Between two looks: the first comes at once, since an answer may be there already.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a machine that was asked to end is left alone before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(120);

/// What has been asked to end, and what is seen of it.
#[derive(Debug)]
pub(super) struct Ends {
    machines: Crowd,
    requests: Crowd,
    volumes: Volumes,
    /// When each was asked to end, and was not refused.
    asked: Mutex<HashMap<String, Instant>>,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            machines: Crowd::new(Duration::ZERO),
            requests: Crowd::new(Duration::ZERO),
            volumes: Volumes::default(),
            asked: Mutex::default(),
        }
    }
}

impl Ends {
    /// Asks for the end of everything at once: spot requests, which would still bring machines, and machines. What EC2 refuses
    /// to end is told when it is deleted by itself.
    pub(super) async fn release(&self, api: &Api, resources: &[Resource]) -> Result<(), ProviderError> {
        let of_kind = |kind: &str| -> Vec<String> {
            let all = resources.iter().filter(|resource| resource.kind == kind);
            all.map(|resource| resource.id.clone()).collect()
        };
        self.cancel(api, &of_kind(SPOT_REQUEST)).await?;
        self.end(api, &of_kind(INSTANCE)).await?;
        Ok(())
    }

    /// Deletes one thing and sees it gone.
    pub(super) async fn delete(
        &self,
        api: &Api,
        sight: &Sight,
        resource: &Resource,
    ) -> Result<Deletion, ProviderError> {
        match resource.kind.as_str() {
            INSTANCE => self.end_instance(api, sight, &resource.id).await.map(gone),
            VOLUME => self.volumes.delete(api, &resource.id).await,
            SPOT_REQUEST => Ok(self
                .cancel(api, std::slice::from_ref(&resource.id))
                .await
                .map(gone)?),
            RULE => revoke(api, &resource.id).await.map(gone),
            GROUP => delete_group(api, &resource.id).await,
            other => Err(ProviderError {
                doing: format!("{} cannot be deleted", resource.name),
                class: ErrorClass::Permanent,
                hint: None,
                source: Answer(format!("{other} is no kind of resource that this provider makes")),
            }),
        }
    }

    /// Those that have not been asked to end of late.
    fn due(&self, ids: &[String]) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |id: &&String| asked.get(*id).is_none_or(|at| at.elapsed() >= ASK_AGAIN);
        ids.iter().filter(is_due).cloned().collect()
    }

    fn asked(&self, ids: Vec<String>, refused: &[(String, Failure)]) {
        let taken = ids
            .into_iter()
            .filter(|id| !refused.iter().any(|(other, _)| other == id));
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(taken.map(|id| (id, now)));
    }

    /// Asks machines to end; those that may not, or are not there.
    async fn end(&self, api: &Api, ids: &[String]) -> Result<Vec<(String, Failure)>, Failure> {
        let ids = self.due(ids);
        let call = async |batch: Vec<String>| {
            let call = api.writes().terminate_instances().set_instance_ids(Some(batch));
            api.write("TerminateInstances", || call.clone().send())
                .await
                .map(drop)
        };
        let refused = self.machines.ask(&ids, call).await?;
        self.asked(ids, &refused);
        Ok(refused)
    }

    /// Takes spot requests back.
    async fn cancel(&self, api: &Api, ids: &[String]) -> Result<(), Failure> {
        let ids = self.due(ids);
        let call = async |batch: Vec<String>| {
            let call = api.writes().cancel_spot_instance_requests();
            let call = call.set_spot_instance_request_ids(Some(batch));
            api.write("CancelSpotInstanceRequests", || call.clone().send())
                .await
                .map(drop)
        };
        let refused = self.requests.ask(&ids, call).await?;
        self.asked(ids, &refused);
        let failed = refused.into_iter().find(|(_, failure)| !failure.is_not_found());
        failed.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    async fn end_instance(&self, api: &Api, sight: &Sight, id: &str) -> Result<(), ProviderError> {
        let give_up = Instant::now() + END_LIMIT;
        let one = [id.to_owned()];
        loop {
            let all = sight.look(api).await?;
            let shown = match all.iter().find(|seen| seen.id() == id) {
                Some(seen) => Some(seen.clone()),
                None => by_id(api, id).await?,
            };
            let Some(seen) = shown.filter(|seen| !seen.is_gone()) else {
                return Ok(());
            };
            if seen.is_alive() && !self.due(&one).is_empty() {
                match self.end(api, &one).await?.pop() {
                    // What a stand-in for AWS ends, it ends at once.
                    None => continue,
                    Some((_, failure)) if failure.is_not_found() => {}
                    Some((_, failure)) => return Err(protected(&seen, &failure)),
                }
            }
            pause(give_up, || {
                format!("{} ({id}) does not end: {}", seen.name(), seen.reason())
            })
            .await?;
        }
    }
}

const fn gone((): ()) -> Deletion {
    Deletion::Gone
}

/// A machine that somebody has protected is theirs to let go of.
fn protected(seen: &Seen, failure: &Failure) -> ProviderError {
    let (name, id) = (seen.name(), seen.id());
    ProviderError {
        doing: format!("{name} ({id}) may not be terminated"),
        class: ErrorClass::Operator,
        hint: Some(format!(
            "it is protected against that: `aws ec2 modify-instance-attribute --instance-id {id} \
             --no-disable-api-termination` lets it go; then destroy again"
        )),
        source: Answer(failure.to_string()),
    }
}

/// Takes away a rule that was added to a group of somebody else's.
async fn revoke(api: &Api, id: &str) -> Result<(), ProviderError> {
    let call = api
        .reads()
        .describe_security_group_rules()
        .security_group_rule_ids(id);
    let group = match api
        .read("DescribeSecurityGroupRules", || call.clone().send())
        .await
    {
        Ok(found) => found
            .security_group_rules()
            .first()
            .and_then(|rule| rule.group_id().map(str::to_owned)),
        Err(failure) if failure.is_not_found() => None,
        Err(failure) => return Err(failure.into()),
    };
    let Some(group) = group else { return Ok(()) };
    let call = api
        .writes()
        .revoke_security_group_ingress()
        .group_id(group)
        .security_group_rule_ids(id);
    match api
        .write("RevokeSecurityGroupIngress", || call.clone().send())
        .await
    {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        Err(failure) => Err(failure.into()),
    }
}

/// The groups of a cluster let one another in, and one that is let in somewhere cannot be deleted: so the rules go first, of
/// this group and of those that name it.
async fn delete_group(api: &Api, id: &str) -> Result<Deletion, ProviderError> {
    let mut is_forgotten = false;
    loop {
        let call = api.writes().delete_security_group().group_id(id);
        match api.write("DeleteSecurityGroup", || call.clone().send()).await {
            Ok(_) => return Ok(Deletion::Gone),
            Err(failure) if failure.is_not_found() => return Ok(Deletion::Gone),
            Err(failure) if failure.is(&["DependencyViolation", "InvalidGroup.InUse"]) => {
                // Nothing lets it in any more: a machine is in it, which may be one that was not seen yet.
                if is_forgotten {
                    return Ok(Deletion::Held(format!("group {id} is still in use: {failure}")));
                }
                let others = forget(api, id).await?;
                if !others.is_empty() {
                    return Err(ProviderError {
                        hint: Some("take that rule away, then destroy again".into()),
                        class: ErrorClass::Operator,
                        doing: format!("group {id} cannot be deleted"),
                        source: Answer(format!(
                            "it is let in by {}, which is not mesosflow's",
                            others.join(", ")
                        )),
                    });
                }
                is_forgotten = true;
            }
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// Takes the group out of the rules of every group of mesosflow's; who else lets it in.
async fn forget(api: &Api, id: &str) -> Result<Vec<String>, ProviderError> {
    let call = api
        .reads()
        .describe_security_groups()
        .filters(filter("ip-permission.group-id", &[id]));
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let groups: Vec<aws_sdk_ec2::types::SecurityGroup> = api.read("DescribeSecurityGroups", pages).await?;
    let mut others = Vec::new();
    for group in groups {
        let name = group.group_name().unwrap_or_default();
        let group_id = group.group_id().unwrap_or_default();
        if super::tags::value(group.tags(), super::tags::RUN).is_none() {
            others.push(format!("{name} ({group_id})"));
            continue;
        }
        let naming = group.ip_permissions().iter().filter_map(|permission| {
            let pairs: Vec<_> = permission
                .user_id_group_pairs()
                .iter()
                .filter(|pair| pair.group_id() == Some(id))
                .cloned()
                .collect();
            (!pairs.is_empty()).then(|| {
                aws_sdk_ec2::types::IpPermission::builder()
                    .set_ip_protocol(permission.ip_protocol().map(str::to_owned))
                    .set_from_port(permission.from_port())
                    .set_to_port(permission.to_port())
                    .set_user_id_group_pairs(Some(pairs))
                    .build()
            })
        });
        let call = api
            .writes()
            .revoke_security_group_ingress()
            .group_id(group_id)
            .set_ip_permissions(Some(naming.collect()));
        match api
            .write("RevokeSecurityGroupIngress", || call.clone().send())
            .await
        {
            Ok(_) => {}
            Err(failure) if failure.is_not_found() => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(others)
}

/// Waits for the next look, or says what was waited for in vain.
async fn pause(give_up: Instant, what: impl Fn() -> String) -> Result<(), ProviderError> {
    if Instant::now() >= give_up {
        return Err(ProviderError {
            doing: "EC2 takes too long".into(),
            class: ErrorClass::Transient,
            hint: Some("run destroy again in some minutes: it goes on from here".into()),
            source: Answer(what()),
        });
    }
    tokio::time::sleep(LOOK_EVERY).await;
    Ok(())
}

/// Spot requests that carry these tags and can still bring, or have brought, a machine.
pub(super) async fn spot_requests(
    api: &Api,
    tag: aws_sdk_ec2::types::Filter,
) -> Result<Vec<aws_sdk_ec2::types::SpotInstanceRequest>, Failure> {
    let call = api.reads().describe_spot_instance_requests().filters(tag);
    let pages = || call.clone().into_paginator().items().send().try_collect();
    let mut found: Vec<aws_sdk_ec2::types::SpotInstanceRequest> =
        api.read("DescribeSpotInstanceRequests", pages).await?;
    found.retain(|request| {
        let state = request.state().map_or("", |state| state.as_str());
        matches!(state, "open" | "active" | "disabled")
    });
    Ok(found)
}
