//! Where nodes come from: the two traits that the steps act through ([`Provider`], and [`Launcher`] of those that make machines),
//! what passes through them, and a folder for each provider.

#[cfg(feature = "ec2")]
pub mod ec2;
#[cfg(not(feature = "ec2"))]
#[path = "without_ec2.rs"]
mod ec2;
pub mod ec2_facts;
mod ec2_plan;
pub mod hosts;
pub mod local;

mod boot;
mod error;
mod facts;
mod launch;
mod machine;
mod maker;
mod need;
mod open;
mod order;
mod planned;
mod slot;
mod stranger;
mod tagged;
mod traits;

pub(crate) use boot::Boot;
pub(crate) use error::not_launched;
pub use error::{Answer, ProviderError};
pub use facts::{FACTS, Facts};
pub use launch::{Groups, Image, Launch, Launched, Order};
pub use machine::{Condition, HostKeys, Machine, Outdated};
pub use maker::{driver_in, driver_tag};
pub use need::Need;
pub use open::{Verified, creates, examine, open_provider, precheck, settle, survey, verify};
pub(crate) use order::{ORDER, kinds, made_kinds};
pub use planned::PlannedResource;
pub use slot::{Owner, Slot};
pub use stranger::Stranger;
pub use tagged::{Deletion, Tagged, UserTags};
pub use traits::{Launcher, Provider};
