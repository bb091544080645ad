//! The EC2 provider, against moto's API: without machines behind it where only the account matters, and with real ones.

mod account;
mod calls;
mod cluster;
mod crashes;
mod doctor;
mod doors;
mod dying;
mod errors;
mod gone;
mod joined;
mod kept;
mod late;
mod metadata;
mod money;
mod places;
mod rolled;
mod stage;
mod stopped;
mod told;

pub(crate) use stage::ADMINS;
