//! End to end: the real program on a real container engine, with the Mesos stand-in.
//!
//!     cargo build -p mesosflow -p mesos-standin && cargo nextest run -p mesosflow-tests
//!
//! Needs root and podman or docker; for EC2, podman, `make setup-moto` and `make ami`. Each scenario has a journal and clusters
//! of its own, and removes them, also when it is killed; any number of suites can run side by side. With `cargo test`, add
//! `-- --test-threads 2`.

#![cfg(test)]
#![expect(clippy::print_stdout, reason = "what is shown with a failed test")]

mod changed;
mod check;
mod checkpoint;
mod cloud_faults;
mod cloud_harness;
mod configured;
mod crash;
mod cut_off;
mod decommission;
mod demo_cluster;
mod doctor;
mod ec2;
mod engine_failures;
mod everyday;
mod everyday_bench;
mod harness;
mod hosts;
mod hosts_firewall;
mod image;
mod journal_failures;
mod launch_crash;
mod long_build;
mod lost;
mod mended;
mod node_keys;
mod overlay;
mod random;
mod reboot;
mod recorded;
mod redeployed;
mod replaced;
mod replay;
mod role;
mod roles_ansible;
mod roles_elsewhere;
mod secret;
mod sources;
mod stop_and_refusals;
mod stopped;
mod stopped_early;
mod take_over;
mod undone;
mod victim;
