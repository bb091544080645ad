//! The hosts provider: machines of one's own, listed in the configuration. It makes and ends none.
//!
//! What it leaves on a machine is a line in the `authorized_keys` of who logs in, and a mark that says whose the machine is
//! ([`marks`]). Both are one resource of the journal, an `authorized-key`, and `destroy` takes both away.

mod examine;
mod login;
mod marks;
mod plan;
mod provider;
mod survey;

pub use examine::examine;
pub use marks::MARK_PATH;
pub(in crate::provider) use plan::creates;
pub use provider::{HostsProvider, LISTED};
