//! The nodes of a cluster as steps have them: single ones are driven there, without the workflow that they belong to.

use std::sync::{Arc, Mutex};

use mesosflow_journal::SqliteJournal;
use mesosflow_steps::cluster::{ClusterSpec, Node};
use mesosflow_steps::{World, awaited, key_of, verify};
use mesosflow_workflow::{
    CatalogueEntry, ClusterId, ErrorReport, MemoryStore, NewRun, Outcome, Run, RunId, Settings, Step, Stop,
    SystemClock,
};
use tokio::runtime::Runtime;

use crate::bench::Bench;

/// Outside of the cluster's fence, and of its history.
pub struct Floor {
    runtime: Runtime,
    world: Arc<World>,
    nodes: Vec<Node>,
}

impl Floor {
    /// The cluster that a run has deployed.
    ///
    /// # Panics
    /// It has not.
    pub fn of(bench: &Bench, run: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let run: RunId = run.parse().expect("the id of a run");
        let (world, nodes) = runtime.block_on(async {
            let journal = SqliteJournal::open_existing(bench.journal()).expect("a journal");
            let journal = journal.expect("a journal that is there");
            let state = mesosflow_workflow::run::load(&journal, run).await;
            let state = state.expect("a history");
            let spec: ClusterSpec = serde_json::from_value(state.spec.clone()).expect("a spec");
            let spec = verify(spec).await.expect("a spec that its provider takes");
            let folder = bench.cluster_dir(&run.to_string());
            let world = World::open(spec, run, &folder, None, &key_of(&state)).await;
            (Arc::new(world.expect("a way to the nodes")), awaited(&state))
        });
        Self {
            runtime,
            world,
            nodes,
        }
    }

    /// The node of that name.
    ///
    /// # Panics
    /// There is none.
    pub fn node(&self, name: &str) -> Node {
        let found = self.nodes.iter().find(|node| node.name == name);
        found.expect("a node of that name").clone()
    }

    /// What steps touch.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Awaits something that touches the nodes.
    pub fn await_it<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Drives one step in a run of its own; what it gives, or why it fails.
    ///
    /// # Errors
    /// The step's.
    ///
    /// # Panics
    /// The run ends otherwise.
    pub fn drive<S>(&self, step: impl Fn() -> S) -> Result<S::Output, ErrorReport>
    where
        S: Step<World = World>,
    {
        let given = Mutex::new(None);
        let new = NewRun {
            workflow: "step".to_owned(),
            cluster: "floor".to_owned(),
            cluster_id: ClusterId::generate(),
            provider: "local".to_owned(),
            spec: serde_json::Value::Null,
            tool_version: String::new(),
            catalogue: vec![CatalogueEntry::new(step().id(), "-", "the step")],
            over: Vec::new(),
        };
        let (given, step) = (&given, &step);
        let outcome = self.runtime.block_on(async {
            let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(SystemClock));
            let run = Run::create(store, clock, RunId::generate(), new, Arc::new(|_| {})).await;
            let body = |flow: mesosflow_workflow::Flow<World>| {
                Box::pin(async move {
                    let output = flow.step(step()).await?;
                    *given.lock().expect("nobody has panicked") = Some(output);
                    Ok(())
                })
            };
            let run = run.expect("a run");
            run.drive(self.world.clone(), Settings::default(), Stop::default(), body)
                .await
        });
        match outcome {
            Outcome::Succeeded => Ok(given
                .lock()
                .expect("nobody has panicked")
                .take()
                .expect("an output")),
            Outcome::Failed { error, .. } => Err(error),
            Outcome::Interrupted { reason } => Err(reason),
            other => panic!("{other:?}"),
        }
    }
}
