//! Arguments that several commands take; all others stand beside the function of their command.

mod ec2;
mod mesos;
mod spec;
mod value;

pub(crate) use self::ec2::PlaceArgs;
pub(crate) use self::mesos::MesosArgs;
pub(crate) use self::spec::SpecArgs;
pub(crate) use self::value::{cidr, set, set_option, word};
