//! EC2's metadata service, version 2 of it, for the machines of a cloud: whatever they ask at `http://169.254.169.254` is answered
//! out of what the cloud knows at that moment, unless a scenario has it lie.

mod door;
mod known;
mod service;
mod tokens;

use std::sync::Arc;

use tokio::runtime::Handle;

use self::door::Door;
use self::service::Service;
use super::gateway;
use super::machines::Machines;
use super::world::World;
use crate::engine::Engine;

pub use self::service::{Asked, Lie};

/// The service of one cloud. Dropped, nobody gets there any more.
#[derive(Debug)]
pub struct Metadata {
    service: Arc<Service>,
    _door: Door,
}

impl Metadata {
    /// Serves the machines.
    ///
    /// # Panics
    /// There is no way for them to get there.
    pub(super) fn serve(runtime: &Handle, world: &World, engine: &Engine, machines: &Machines) -> Self {
        let listener = gateway::listen(&machines.subnet().cidr);
        let address = listener.local_addr().expect("its address");
        let service = Service::new(world.clone(), engine.clone(), machines.label());
        runtime.spawn(service.clone().serve(listener));
        let door = Door::open(machines.bridge(), machines.label(), address);
        Self { service, _door: door }
    }

    /// From now on, lies to everybody who asks for that path with a good token: `/latest/user-data`, or one below
    /// `/latest/meta-data/` (`tags/instance/mesosflow:epoch`); for all below a path that ends with a slash (`/` for all there are).
    /// Lies about `/latest/api/token` need no token. The last lie that fits counts.
    pub fn answer(&self, path: &str, lie: Lie) {
        self.service.lie(None, path, lie);
    }

    /// The same for what one instance asks.
    pub fn answer_to(&self, id: &str, path: &str, lie: Lie) {
        self.service.lie(Some(id), path, lie);
    }

    /// From now on, tells the truth.
    pub fn heal(&self) {
        self.service.heal();
    }

    /// All that was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.service.asked()
    }

    /// Which paths an instance has asked for so far, in order, and how each was answered.
    pub fn asked_by(&self, id: &str) -> Vec<(String, u16)> {
        let mut all = self.asked();
        all.retain(|asked| asked.instance.as_deref() == Some(id));
        all.into_iter().map(|asked| (asked.path, asked.status)).collect()
    }
}
