//! A user's own tags on what there is: other ones than it was made with.

use aws_sdk_ec2::types::Tag;

use super::crowd::BATCH;
use super::provider::Ec2Provider;
use super::tags::NAME;
use crate::provider::{Owner, ProviderError, UserTags};

impl Ec2Provider {
    /// Tags everything of the run that lacks them, and takes away those that are dropped.
    pub(super) async fn retag_all(&self, owner: &Owner, tags: &UserTags) -> Result<(), ProviderError> {
        let others = self.lacking(owner, tags).await?;
        let tags = without_name(tags);
        let tag = |(name, value): (&String, &String)| Tag::builder().key(name).value(value).build();
        let set: Vec<_> = tags.set.iter().map(tag).collect();
        let dropped = tags.dropped.iter();
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
        let (all, tags) = (self.everything(Some(owner.run)).await?, without_name(tags));
        let lacks = all.into_iter().filter(|with| !tags.are_on(&with.tags));
        Ok(lacks.map(|with| with.resource.id).collect())
    }
}

/// But for the one that AWS' own pages show: a thing's name is ours.
fn without_name(tags: &UserTags) -> UserTags {
    let mut tags = tags.clone();
    tags.set.remove(NAME);
    tags.dropped.retain(|name| name != NAME);
    tags
}
