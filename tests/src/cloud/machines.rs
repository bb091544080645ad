//! Real machines behind the instances: whatever the cloud says runs is a container that boots, with the instance's address,
//! disks and user data, and what it says is terminated goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ami::Boots;
use super::disk::{self, Disk};
use super::front::{Consoles, Front};
use super::instance::Instance;
use super::seed;
use super::world::{Subnet, World};
use crate::bench::Bench;
use crate::engine::{Engine, Ran};

/// How soon machines follow a call; and what a test changes itself, past the front, or what had no success.
const SOON: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// As much of a console as EC2 keeps.
const CONSOLE: usize = 64 << 10;
const SEED: &str = "/var/lib/cloud/seed/nocloud";

/// The machines of one cloud. Dropped, no more are made; those that are left are the guard's.
#[derive(Debug)]
pub(super) struct Machines {
    room: Arc<Room>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Room {
    engine: Engine,
    world: World,
    front: Arc<Front>,
    boots: Boots,
    /// Of containers and network, by which the guard knows them; the network's name, too.
    label: String,
    /// The network's interface on this machine.
    bridge: String,
    folder: PathBuf,
    subnet: Subnet,
    is_over: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Instances that have a container, be it a stopped one.
    machines: BTreeSet<String>,
    /// Those of them that are stopped.
    off: BTreeSet<String>,
    /// By volume, and by [`store`].
    disks: BTreeMap<String, Disk>,
    /// Which volume an instance's machine has seen.
    plugged: BTreeSet<(String, String)>,
    /// Why an instance has none yet.
    troubles: BTreeMap<String, String>,
}

impl Machines {
    /// A network, its twin in the cloud, and somebody who looks after the machines.
    pub(super) fn start(bench: &mut Bench, world: &World, front: Arc<Front>) -> Self {
        let label = bench.label();
        let engine = bench.engine().clone();
        let boots = Boots::find();
        for image in boots.all() {
            let is_there = engine.run(&["image", "inspect", image]).code == 0;
            assert!(
                is_there,
                "{image} is missing: `make ami` comes before the EC2 tests"
            );
        }
        engine
            .run(&["network", "create", "--label", &labelled(&label), &label])
            .ok();
        let networks = engine.run(&["network", "inspect", &label]).ok();
        let networks: serde_json::Value =
            serde_json::from_str(&networks).expect("the engine's network as JSON");
        let cidr = networks[0]["subnets"][0]["subnet"]
            .as_str()
            .expect("the network's range");
        let bridge = networks[0]["network_interface"]
            .as_str()
            .expect("the network's interface")
            .to_owned();
        let room = Arc::new(Room {
            subnet: world.make_subnet(cidr),
            world: world.clone(),
            front,
            folder: bench.path("cloud"),
            engine,
            boots,
            label,
            bridge,
            is_over: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let keeper = std::thread::spawn({
            let room = room.clone();
            move || room.keep()
        });
        Self {
            room,
            keeper: Some(keeper),
        }
    }

    /// Where instances have to be launched to have a machine.
    pub(super) fn subnet(&self) -> &Subnet {
        &self.room.subnet
    }

    /// The network's interface on this machine.
    pub(super) fn bridge(&self) -> &str {
        &self.room.bridge
    }

    /// The label of the containers and the network.
    pub(super) fn label(&self) -> &str {
        &self.room.label
    }

    /// From now on, instances of that image are started from this one of the engine's.
    pub(super) fn add_image(&self, ami: &str, image: &str) {
        self.room.boots.add(ami, image);
    }

    /// Whether an instance has its machine.
    pub(super) fn has(&self, id: &str) -> bool {
        self.room.state().machines.contains(id)
    }

    /// Why it has none yet.
    pub(super) fn trouble(&self, id: &str) -> Option<String> {
        self.room.state().troubles.get(id).cloned()
    }

    /// What consoles show, for the front.
    pub(super) fn consoles(&self) -> Arc<Consoles> {
        let room = self.room.clone();
        Arc::new(move |id| room.console(id))
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        self.room.is_over.store(true, Ordering::SeqCst);
        if let Some(keeper) = self.keeper.take() {
            let _ended = keeper.join();
        }
    }
}

impl Room {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) {
        while !self.is_over.load(Ordering::SeqCst) {
            let (begun, changes) = (Instant::now(), self.front.changes());
            let instances = {
                let _still = self.front.still();
                self.world.all_instances()
            };
            // First, so that addresses are free.
            for instance in instances.iter().filter(|instance| instance.is_over()) {
                self.remove(&instance.id);
            }
            self.detach();
            self.power(&instances);
            self.plug(&instances);
            let mut news: Vec<_> = instances.iter().filter(|instance| instance.is_alive()).collect();
            news.retain(|instance| !self.state().machines.contains(&instance.id));
            // Most of it is the engine's time, not the machine's.
            std::thread::scope(|scope| {
                for instance in news {
                    scope.spawn(|| self.boot_noting(instance));
                }
            });
            // Each look is work for a moto that the programs ask too.
            let is_due = || self.front.changes() != changes || begun.elapsed() >= LOOK_EVERY;
            loop {
                std::thread::sleep(SOON);
                if is_due() || self.is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    }

    fn boot_noting(&self, instance: &Instance) {
        let booted = self.boot(instance);
        let mut state = self.state();
        match booted {
            Ok(()) => {
                state.troubles.remove(&instance.id);
                state.machines.insert(instance.id.clone());
            }
            // Tried again: what is removed may have its address still.
            Err(trouble) => {
                state.troubles.insert(instance.id.clone(), trouble);
            }
        }
    }

    fn boot(&self, instance: &Instance) -> Result<(), String> {
        let id = instance.id.as_str();
        // What a failed attempt has left.
        self.engine.run(&["rm", "--force", "--volumes", "--ignore", id]);
        let seed = seed::write(&self.folder, &self.world, instance).map_err(|error| error.to_string())?;
        let udev = self.attach(instance)?;
        let (name, _) = instance.private_name.split_once('.').unwrap_or((id, ""));
        let label = labelled(&self.label);
        let volume = format!("{}:/run/udev/data:ro", udev.display());
        // The terminal is the machine's console, which the engine keeps in a file of its own.
        let mut args = vec![
            "create",
            "--name",
            id,
            "--tty",
            "--log-driver",
            "k8s-file",
            "--privileged",
        ];
        args.extend([
            "--hostname",
            name,
            "--network",
            &self.label,
            "--ip",
            &instance.private_ip,
        ]);
        args.extend(["--network-alias", &instance.private_name, "--network-alias", name]);
        args.extend(["--label", &label, "--volume", &volume]);
        args.extend(self.engine.run_args().iter().map(String::as_str));
        let image = self.boots.of(&instance.image);
        args.extend([image.as_str(), "/sbin/init"]);
        done(self.engine.run(&args))?;
        let source = format!("{}/.", seed.display());
        done(self.engine.run(&["cp", &source, &format!("{id}:{SEED}")]))?;
        done(self.engine.run(&["start", id]))
    }

    /// Machines follow their instances when these are stopped and started.
    fn power(&self, instances: &[Instance]) {
        for instance in instances {
            let (has, is_off) = {
                let state = self.state();
                (
                    state.machines.contains(&instance.id),
                    state.off.contains(&instance.id),
                )
            };
            let done = match (has, is_off) {
                (true, false) if instance.is_stopped() => self.turn_off(&instance.id),
                (true, true) if instance.is_alive() => self.turn_on(instance),
                _ => continue,
            };
            let mut state = self.state();
            match done {
                Ok(()) => drop(state.troubles.remove(&instance.id)),
                Err(trouble) => drop(state.troubles.insert(instance.id.clone(), trouble)),
            }
        }
    }

    /// Its own disks go with its power, and with all that was on them.
    fn turn_off(&self, id: &str) -> Result<(), String> {
        done(self.engine.run(&["stop", "--time", "60", id]))?;
        let State { off, disks, .. } = &mut *self.state();
        disks.retain(|name, _| !name.starts_with(&store(id, "")));
        off.insert(id.to_owned());
        Ok(())
    }

    /// It gets the devices that there are when it starts.
    fn turn_on(&self, instance: &Instance) -> Result<(), String> {
        self.attach(instance)?;
        done(self.engine.run(&["start", &instance.id]))?;
        self.state().off.remove(&instance.id);
        Ok(())
    }

    /// The disks of an instance, and what its udev would know of them. The container has to come after them: it gets the
    /// devices that there are.
    fn attach(&self, instance: &Instance) -> Result<PathBuf, String> {
        let stores: Vec<_> = (1..=self.world.stores(&instance.kind))
            .map(|number| store(&instance.id, number))
            .collect();
        let mut state = self.state();
        for name in &stores {
            if !state.disks.contains_key(name) {
                let disk = Disk::store(&self.folder, name)?;
                state.disks.insert(name.clone(), disk);
            }
        }
        for volume in instance.further_volumes() {
            if !state.disks.contains_key(volume) {
                let disk = Disk::volume(&self.folder, volume)?;
                state.disks.insert(volume.clone(), disk);
            }
        }
        for volume in instance.further_volumes() {
            state.plugged.insert((instance.id.clone(), volume.clone()));
        }
        let volumes = instance.further_volumes();
        let disks = stores
            .iter()
            .chain(volumes)
            .filter_map(|name| state.disks.get(name));
        disk::udev_data(&self.folder, &instance.id, disks)
    }

    /// Volumes that were attached to a machine that runs already: the device appears there, and what udev knows of it.
    fn plug(&self, instances: &[Instance]) {
        for instance in instances.iter().filter(|instance| instance.is_alive()) {
            let has_news = {
                let state = self.state();
                let is_new =
                    |volume: &String| !state.plugged.contains(&(instance.id.clone(), volume.clone()));
                state.machines.contains(&instance.id) && instance.further_volumes().any(is_new)
            };
            if has_news && self.attach(instance).is_ok() {
                for device in self.devices(instance) {
                    let make = format!("[ -b {device} ] || mknod {device} b 7 \"${{0#/dev/loop}}\"");
                    let _made = self
                        .engine
                        .run(&["exec", &instance.id, "sh", "-c", &make, &device]);
                }
            }
        }
    }

    /// The devices of an instance's volumes.
    fn devices(&self, instance: &Instance) -> Vec<String> {
        let state = self.state();
        let disks = instance
            .further_volumes()
            .filter_map(|volume| state.disks.get(volume));
        disks.map(|disk| disk.device().to_owned()).collect()
    }

    fn remove(&self, id: &str) {
        if self.state().machines.contains(id)
            && self
                .engine
                .run(&["rm", "--force", "--volumes", "--time", "0", id])
                .code
                == 0
        {
            let mut state = self.state();
            state.machines.remove(id);
            state.off.remove(id);
        }
    }

    /// Disks whose volumes or machines are gone go too.
    fn detach(&self) {
        if self.state().disks.is_empty() {
            return;
        }
        let volumes: BTreeSet<_> = self.world.volumes().into_iter().map(|volume| volume.id).collect();
        let State { machines, disks, .. } = &mut *self.state();
        disks.retain(|name, _| volumes.contains(name) || machines.iter().any(|id| name.starts_with(id)));
    }

    fn console(&self, id: &str) -> Option<Vec<u8>> {
        if !self.state().machines.contains(id) {
            return None;
        }
        let text = self.engine.run(&["logs", id]).out.into_bytes();
        let from = text.len().saturating_sub(CONSOLE);
        Some(text[from..].to_vec())
    }
}

/// The name of one of an instance's own disks.
fn store(id: &str, number: impl std::fmt::Display) -> String {
    format!("{id}-store-{number}")
}

fn labelled(label: &str) -> String {
    format!("org.mesosflow.cluster={label}")
}

fn done(ran: Ran) -> Result<(), String> {
    if ran.code == 0 { Ok(()) } else { Err(ran.err) }
}
