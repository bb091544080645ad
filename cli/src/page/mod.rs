//! Pages: runs and clusters for a browser, from the journal alone. No node is asked for them, and nothing is fetched from elsewhere.

mod cluster;
mod frame;
mod guard;
mod history;
mod news;
mod overview;
mod reading;
mod run;
mod server;

pub(crate) use run::whole as report;
pub(crate) use server::{Site, serve};
