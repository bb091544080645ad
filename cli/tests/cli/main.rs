//! The program as scripts see it: what it prints, where, and how it ends. Nothing here needs a node.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod bad_input;
mod care;
mod chosen_run;
mod damaged;
mod doctor;
mod endpoints;
mod everyday;
mod hosts;
mod house;
mod journals;
mod logs;
mod metrics;
mod notify;
mod pages;
mod plan;
mod refusals;
mod roles;
mod shapes;
mod support;
