//! A cloud for a scenario: moto behind a front that watches every call and can do harm to it, and, where it is asked for,
//! real machines behind moto's instances.

mod ami;
mod archive;
mod buckets;
mod call;
mod disk;
mod fault;
mod front;
mod gate;
mod gateway;
mod instance;
mod line;
mod machines;
mod metadata;
mod options;
mod scene;
mod seed;
mod tokens;
mod world;

pub use ami::{AMI_FULL, AMI_STOCK};
pub use archive::Archive;
pub use call::Call;
pub use fault::{Fault, What, Which};
pub use gate::Held;
pub use instance::{Group, Instance, Rule, Tags, Volume};
pub use metadata::{Asked, Lie, Metadata};
pub use scene::Cloud;
pub use world::{Subnet, World};
