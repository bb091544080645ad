//! What the journal promises, tried from outside: one module for each thing that can happen to it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod backup;
mod child;
mod contract;
mod crash;
mod damage;
mod disk;
mod displaced;
mod identity;
mod log;
mod long;
mod processes;
mod rights;
mod saved;
mod taken_down;
