//! What the end-to-end scenarios are written with: the real program, the real engine, a journal and clusters of their
//! own, and the certainty that nothing of them stays behind.
//!
//! A scenario starts with a [`Bench`]. It runs the built `mesosflow` beside the test binary (or the one that
//! `MESOSFLOW_BIN` names) on the machine's container engine, with the Mesos stand-in of `fixtures/mesos-standin`.
//!
//! What is about EC2 adds a [`Cloud`]: moto, behind a front that writes down every call and does harm to those that a
//! [`Fault`] names, and with [`Cloud::with_nodes`] a container behind each instance, booted from the images of
//! `fixtures/ami` and configured by cloud-init from the instance's user data:
//!
//! ```text
//! let mut bench = Bench::new();
//! let cloud = Cloud::with_nodes(&mut bench);          // declared after the bench, so that it goes first
//! let held = cloud.hold("RunInstances");
//! let mut live = bench.start(&["run", "--provider", "ec2", "--endpoint-url", &cloud.endpoint(), "--ami", AMI_FULL, …]);
//! held.wait_reached(RUN_LIMIT);                       // launched, and not told yet
//! live.kill();
//! ```
//!
//! From within such a container `http://169.254.169.254` is EC2's metadata service, to which a scenario can put words in its
//! mouth: [`Cloud::metadata`].
//!
//! [`Cloud::world`] tells what there is in the cloud, whatever the program was told.

mod ansible;
mod bench;
mod cloud;
mod engine;
mod floor;
mod guard;
mod hdfs;
mod health;
mod history;
mod live;
mod locked;
mod login;
mod machines;
mod moto;
mod mount;
mod nodes;
mod program;
mod said;
mod status;
mod wait;
mod watch;

pub use ansible::{ansible, ansible_lint, ansible_playbook};
pub use bench::{Bench, RUN_LIMIT};
pub use cloud::{
    AMI_FULL, AMI_STOCK, Archive, Asked, Call, Cloud, Fault, Group, Held, Instance, Lie, Metadata, Rule,
    Subnet, Tags, Volume, What, Which, World,
};
pub use engine::{Engine, Ran};
pub use floor::Floor;
pub use hdfs::{FileSystem, Hdfs};
pub use health::{assert_healthy, leader, leader_and_slaves, until_up};
pub use history::{History, Started};
pub use live::Live;
pub use locked::Locked;
pub use login::log_in;
pub use machines::{Host, Machines};
pub use moto::Moto;
pub use mount::SmallDisk;
pub use nodes::{Node, Nodes};
pub use said::Said;
pub use status::Status;
pub use wait::until;
pub use watch::{Point, Reached, Seen, Watch};
