//! Taking a cluster down: what `destroy`, `plan destroy` and the destroy of a damaged run share.

mod args;
mod damaged;
mod left;
mod spec;
mod told;

pub(crate) use args::DownArgs;
pub(crate) use damaged::damaged;
pub(crate) use left::{Left, left, loss, lost_data};
pub(crate) use spec::spec;
pub(crate) use told::{Done, not_begun, tell, told};
