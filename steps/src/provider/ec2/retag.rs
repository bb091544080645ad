//! A user's own tags on what there is: other ones than it was made with.

use aws_sdk_ec2::types::Tag;

use super::provider::Ec2Provider;
use super::tags::NAME;
use crate::provider::{Owner, ProviderError, UserTags};

/// Things that one call takes at most (`CreateTags` and `DeleteTags` take up to 1000).
const BATCH: usize = 500;

impl Ec2Provider {
    /// Tags everything of the run that lacks them, and takes away those that are dropped. What stays of AWS' own pages is ours: a thing's
    /// name.
    pub(super) async fn retag_all(&self, owner: &Owner, tags: &UserTags) -> Result<(), ProviderError> {
        let others: Vec<_> = self.lacking(owner, tags).await?;
        let set = tags.set.iter().filter(|(name, _)| *name != NAME);
        let set: Vec<_> = set
            .map(|(name, value)| Tag::builder().key(name).value(value).build())
            .collect();
        let dropped = tags.dropped.iter().filter(|name| *name != NAME);
        let dropped: Vec<_> = dropped.map(|name| Tag::builder().key(name).build()).collect();
        for ids in others.chunks(BATCH) {
            if !set.is_empty() {
                let call = self.api.writes().create_tags();
                let call = call.set_resources(Some(ids.to_vec())).set_tags(Some(set.clone()));
                self.api.write("CreateTags", || call.clone().send()).await?;
            }
            if !dropped.is_empty() {
                let call = self.api.writes().delete_tags();
                let call = call
                    .set_resources(Some(ids.to_vec()))
                    .set_tags(Some(dropped.clone()));
                self.api.write("DeleteTags", || call.clone().send()).await?;
            }
        }
        Ok(())
    }

    /// The ids of what has not these tags.
    pub(super) async fn lacking(&self, owner: &Owner, tags: &UserTags) -> Result<Vec<String>, ProviderError> {
        let all = self.everything(Some(owner.run)).await?.into_iter();
        let without_name = UserTags {
            set: tags
                .set
                .iter()
                .filter(|(name, _)| *name != NAME)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            dropped: tags
                .dropped
                .iter()
                .filter(|name| *name != NAME)
                .cloned()
                .collect(),
        };
        let lacks = all.filter(|with| !without_name.are_on(&with.tags));
        Ok(lacks.map(|with| with.resource.id).collect())
    }
}
