//! A run in this process's hands, from its taking to its end: what `run`, `resume` and `replay` share.

mod drive;
mod next;
mod outcome;
mod take;
mod told;

pub(crate) use drive::{Driving, begin, drive, rehearse, unless_stopped, work};
pub(crate) use next::{UNDOABLE, mends, next, refuse_ended, replay_of_founder};
pub(crate) use take::{adopt, adopter, create, heard, reconcile};
pub(crate) use told::{taken_down, taken_down_to, told_already};
