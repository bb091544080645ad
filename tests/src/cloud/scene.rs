//! The cloud of a scenario, put together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::archive::Archive;
use super::call::Call;
use super::fault::{Fault, What, Which};
use super::front::Front;
use super::gate::{Gate, Held};
use super::instance::Instance;
use super::line::Lines;
use super::machines::Machines;
use super::metadata::Metadata;
use super::world::{Subnet, World};
use crate::bench::Bench;
use crate::moto::Moto;
use crate::nodes::Node;
use crate::wait::until;

/// How many calls are shown of a test that has failed.
const CALLS_SHOWN: usize = 20;
/// How long a machine may take to come to exist, or to go.
const MACHINE_LIMIT: Duration = Duration::from_secs(180);

/// EC2, for one scenario. It has to be dropped before the bench: declare it after.
#[derive(Debug)]
pub struct Cloud {
    // In this order they end: nobody looks after machines any more when moto is gone.
    machines: Option<Machines>,
    metadata: Option<Metadata>,
    front: Arc<Front>,
    port: u16,
    world: World,
    runtime: Option<Runtime>,
    _moto: Moto,
}

impl Cloud {
    /// A cloud whose instances are moto's: words, and nothing behind them. From now on the bench's programs have an account.
    ///
    /// # Panics
    /// Moto does not start.
    pub fn start(bench: &mut Bench) -> Self {
        bench.enter_cloud();
        let moto = Moto::start(bench);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = listener.expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        bench.ask_sts(format!("http://127.0.0.1:{port}"));
        let world = World::new(&moto.address(), runtime.handle().clone());
        let front = Front::new(moto.address(), world.client().clone());
        runtime.spawn(front.clone().serve(Lines(listener)));
        Self {
            machines: None,
            metadata: None,
            front,
            port,
            world,
            runtime: Some(runtime),
            _moto: moto,
        }
    }

    /// A cloud with a real machine behind each instance that is launched in [`Cloud::subnet`].
    ///
    /// # Panics
    /// Moto does not start, the images are not built, or the engine makes no network.
    pub fn with_nodes(bench: &mut Bench) -> Self {
        let mut cloud = Self::start(bench);
        let machines = Machines::start(bench, &cloud.world, cloud.front.clone());
        cloud.front.show(machines.consoles());
        let runtime = cloud.runtime.as_ref().expect("a runtime, until it is dropped");
        cloud.metadata = Some(Metadata::serve(
            runtime.handle(),
            &cloud.world,
            bench.engine(),
            &machines,
        ));
        cloud.machines = Some(machines);
        cloud
    }

    /// Where programs find it: for `--endpoint-url`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The cloud as it is, past all faults and unseen in [`Cloud::calls`].
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The network in which instances get machines.
    ///
    /// # Panics
    /// This cloud has no machines.
    #[track_caller]
    pub fn subnet(&self) -> &Subnet {
        self.machines().subnet()
    }

    /// Serves the archive with Hadoop and Spark to the machines.
    ///
    /// # Panics
    /// This cloud has no machines, or the archive is not in the cache.
    #[track_caller]
    pub fn serve_archive(&self) -> Archive {
        let runtime = self.runtime.as_ref().expect("a runtime, until it is dropped");
        Archive::serve(runtime.handle(), &self.subnet().cidr)
    }

    /// The metadata service of the machines.
    ///
    /// # Panics
    /// This cloud has no machines.
    #[track_caller]
    pub fn metadata(&self) -> &Metadata {
        match &self.metadata {
            Some(metadata) => metadata,
            None => panic!("this cloud has no machines: Cloud::with_nodes"),
        }
    }

    /// The label of the machines' containers and their network, for [`crate::Engine::containers`].
    ///
    /// # Panics
    /// This cloud has no machines.
    #[track_caller]
    pub fn label(&self) -> &str {
        self.machines().label()
    }

    /// Calls of an action so far, in order.
    pub fn calls(&self, action: &str) -> Vec<Call> {
        let mut calls = self.front.calls();
        calls.retain(|call| call.action == action);
        calls
    }

    /// All calls so far, in order.
    pub fn all_calls(&self) -> Vec<Call> {
        self.front.calls()
    }

    /// From now on, does this harm.
    pub fn fault(&self, fault: Fault) {
        self.front.faults().add(fault);
    }

    /// From now on, does no harm.
    pub fn heal(&self) {
        self.front.faults().clear();
    }

    /// From now on, calls are rationed as EC2 does it: a bucket of tokens for each kind, full at first.
    pub fn ration(&self) {
        self.front.ration();
    }

    /// How many calls were refused as too many since [`Cloud::ration`].
    pub fn throttled(&self) -> usize {
        self.front.refused()
    }

    /// From now on, a client token is worth nothing: the same one launches again. Only what looks for its machines before it
    /// launches finds them.
    pub fn ignore_tokens(&self) {
        self.world.wait_for(self.front.ignore_tokens());
    }

    /// From now on, no look shows what is launched, nor its volumes, by whichever name it is asked for: as if all of that were
    /// still on its way through AWS.
    pub fn lag(&self) {
        self.front.lag();
    }

    /// From now on, this instance is shown, whatever else is not.
    pub fn reveal(&self, id: &str) {
        self.front.reveal(id);
    }

    /// From now on, everything is shown.
    pub fn catch_up(&self) {
        self.front.catch_up();
    }

    /// Holds the next call of an action when it has had its effect, before it is answered.
    pub fn hold(&self, action: &'static str) -> Held {
        self.hold_if(action, |fault| fault)
    }

    /// The same for the next call that also matches: `cloud.hold_if("RunInstances", |f| f.only_if("mesosflow:role", "master"))`.
    pub fn hold_if(&self, action: &'static str, only: impl FnOnce(Fault) -> Fault) -> Held {
        let gate = Gate::new();
        self.fault(only(Fault::new(
            action,
            Which::First(1),
            What::Hold(gate.clone()),
        )));
        Held { gate, action }
    }

    /// A machine that somebody else starts in [`Cloud::subnet`], as an auto-scaling group does: in that group (its id), with that
    /// user data and these tags, which it sees in its metadata. No call of the scenario's program.
    ///
    /// # Panics
    /// This cloud has no machines.
    #[track_caller]
    pub fn launch_stranger(
        &self,
        image: &str,
        user_data: &str,
        tags: &[(&str, &str)],
        group: &str,
    ) -> Instance {
        let _launch = self.front.launching();
        self.world
            .launch(image, user_data, tags, group, &self.subnet().id)
    }

    /// An image of the account's own, made of a container's image: its id.
    ///
    /// # Panics
    /// This cloud has no machines.
    #[track_caller]
    pub fn image_of(&self, name: &str, image: &str) -> String {
        let ami = self.world.register_image(name);
        self.machines().add_image(&ami, image);
        ami
    }

    /// The machine behind an instance, once it exists.
    ///
    /// # Panics
    /// It does not come to exist.
    #[track_caller]
    pub fn node(&self, bench: &Bench, id: &str) -> Node {
        let machines = self.machines();
        let give_up = Instant::now() + MACHINE_LIMIT;
        until("a machine behind the instance", 2 * MACHINE_LIMIT, || {
            if machines.has(id) {
                return Some(());
            }
            let trouble = machines.trouble(id).unwrap_or_default();
            assert!(
                Instant::now() < give_up,
                "instance {id} has no machine: {trouble}"
            );
            None
        });
        let instance = self.world.instance(id);
        let role = instance.tag("mesosflow:role");
        Node::new(
            bench.engine().clone(),
            instance.tag("Name"),
            id,
            role,
            &instance.private_ip,
        )
    }

    /// Waits until nothing of a machine is left.
    ///
    /// # Panics
    /// It stays.
    #[track_caller]
    pub fn wait_gone(&self, id: &str) {
        let machines = self.machines();
        until("an end of the machine", MACHINE_LIMIT, || {
            (!machines.has(id)).then_some(())
        });
    }

    /// A machine loses its power; the cloud takes it for a running one.
    ///
    /// # Panics
    /// It has none.
    #[track_caller]
    pub fn power_off(&self, bench: &Bench, id: &str) {
        bench.engine().run(&["kill", id]).ok();
    }

    /// It gets its power back.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn power_on(&self, bench: &Bench, id: &str) {
        bench.engine().run(&["start", id]).ok();
    }

    #[track_caller]
    fn machines(&self) -> &Machines {
        match &self.machines {
            Some(machines) => machines,
            None => panic!("this cloud has no machines: Cloud::with_nodes"),
        }
    }
}

impl Cloud {
    /// The last calls, of a test that has failed.
    #[expect(clippy::print_stderr, reason = "the test harness shows it with a failed test")]
    fn explain(&self) {
        let calls = self.front.calls();
        let from = calls.len().saturating_sub(CALLS_SHOWN);
        for call in &calls[from..] {
            let parameters: Vec<_> = call
                .parameters
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let shown: String = parameters.join(" ").chars().take(200).collect();
            eprintln!("-- call {shown}");
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.explain();
        }
        self.machines = None;
        self.metadata = None;
        if let Some(runtime) = self.runtime.take() {
            // Calls that are held are not waited for.
            runtime.shutdown_background();
        }
    }
}
