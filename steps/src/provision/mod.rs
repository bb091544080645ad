//! Section 1 of the deploy notes: the machines, and the configuration on the first master. One file per step.

mod await_nodes;
mod copy_ssh_key;
mod dead;
mod groups;
mod image_metadata;
mod launch;
pub(crate) mod loss;
mod push_config;
mod render_config;
mod sanity_check;
mod security_groups;
mod setup_options;
mod tag_resources;

pub use await_nodes::AwaitNode;
pub use copy_ssh_key::CopySshKey;
pub use image_metadata::ImageMetadata;
pub use launch::{LaunchMachine, Place, launches};
pub use push_config::PushConfig;
pub use render_config::{RenderConfig, RenderedConfig};
pub use sanity_check::SanityCheck;
pub use security_groups::SecurityGroups;
pub(crate) use setup_options::PATH as OPTIONS_PATH;
pub use setup_options::SetupOptions;
pub use tag_resources::TagResources;

pub use dead::gone;
pub(crate) use dead::{AGE_UNKNOWN, dead};
pub(crate) use loss::LAUNCHES;
