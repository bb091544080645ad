//! A cluster's record: what the histories of all its runs say together. Nothing else remembers a cluster.

use std::collections::{BTreeMap, BTreeSet};

use mesosflow_workflow::store::ends_cluster;
use mesosflow_workflow::{
    Driver, Effect, EffectKey, Epoch, Heritage, Inherited, ItemKey, Phase, Progress, Resource, RunId,
    RunState, StepId, StepState, Trace,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::ClusterSpec;
use crate::hdfs::FileSystems;
use crate::life::{Ended, Gone, SeeGone, delete_steps};
use crate::provision::{AwaitNode, LAUNCHES};
use crate::setup::{HdfsFormat, PersistentHdfsFormat};
use crate::view::{output, outputs};

/// The workflow that makes a cluster.
pub const FOUNDS: &str = "deploy";
/// The workflow that stops it.
pub const STOPS: &str = "stop";
/// The workflow that removes slaves.
pub const REMOVES: &str = "remove-slaves";
/// The workflow that puts another machine in the place of one.
pub const REPLACES: &str = "replace-node";
/// The workflow that undoes another.
pub const ROLLS_BACK: &str = "rollback";

/// The runs of one cluster, in the order in which they began.
#[derive(Debug, Clone)]
pub struct Record {
    runs: Vec<RunState>,
    /// The place of the one that made it.
    founder: usize,
}

impl Record {
    /// The record of a cluster that has this run, and these others.
    pub fn of(run: RunState, others: impl IntoIterator<Item = RunState>) -> Self {
        let id = run.run;
        let mut runs: Vec<_> = others.into_iter().chain([run]).collect();
        runs.sort_by_key(|state| (state.started_at, state.run));
        let place = |is_it: &dyn Fn(&RunState) -> bool| runs.iter().position(is_it);
        let made_it = place(&|state| state.workflow == FOUNDS);
        // Where that cannot be read, whichever is asked by stands for it.
        let founder = made_it
            .or_else(|| place(&|state| state.run == id))
            .unwrap_or_default();
        Self { runs, founder }
    }

    /// The run that made the cluster, by whose tags everything is known.
    pub fn founder(&self) -> &RunState {
        &self.runs[self.founder]
    }

    /// The run that was driven last.
    pub fn newest(&self) -> &RunState {
        let newest = self.runs.iter().max_by_key(|state| state.epoch);
        newest.unwrap_or_else(|| self.founder())
    }

    /// The run that keeps others off the cluster, if one does.
    pub fn unfinished(&self) -> Option<&RunState> {
        self.runs
            .iter()
            .find(|state| state.phase.kind().is_unfinished() && !state.destroyed)
    }

    /// The cluster as its deploy knows it, with what other runs have made and deleted since: all that asks a run for nodes and
    /// things asks this one.
    pub fn cluster(&self) -> RunState {
        let spec = self.spec();
        RunState {
            steps: self.steps(&spec),
            spec,
            was_up: self
                .runs
                .iter()
                .any(|state| state.was_up && !ends_cluster(&state.workflow)),
            resources: self.resources(),
            drivers: self.drivers(),
            effects: self
                .effects()
                .into_iter()
                .map(|effect| (effect.key.clone(), effect))
                .collect(),
            destroyed: self.runs.iter().any(|state| state.destroyed),
            ..self.founder().clone()
        }
    }

    /// The deploy's steps, with machines and nodes as the newest run that had to do with each has left them, and without nodes that
    /// are the cluster's no more.
    fn steps(&self, spec: &Value) -> Vec<StepState> {
        let mut steps = self.founder().steps.clone();
        let spec = ClusterSpec::within(spec).ok();
        for step in &mut steps {
            if !LAUNCHES.contains(&step.entry.id) && step.entry.id != AwaitNode::ID {
                continue;
            }
            for (item, done) in self.done_since(&step.entry.id) {
                if let Some(item) = item {
                    step.items.insert(item.clone(), done.clone());
                }
            }
            if let Some(spec) = &spec {
                step.items.retain(|item, _| spec.has_node(item));
            }
        }
        steps
    }

    /// What other runs have done of a step of the deploy since that itself has, the newest of each item.
    fn done_since(&self, step: &StepId) -> BTreeMap<Option<&ItemKey>, &Progress> {
        let own = self.founder().step(step);
        let mut newest: BTreeMap<Option<&ItemKey>, &Progress> = BTreeMap::new();
        let others = self.runs.iter().filter(|state| state.run != self.founder().run);
        for other in others.filter_map(|state| state.step(step)) {
            let items = other.items.iter().map(|(item, done)| (Some(item), done));
            let whole = (other.items.is_empty()).then_some((None, &other.progress));
            for (item, done) in items.chain(whole) {
                let known = newest.get(&item).copied().or_else(|| own?.of(item));
                let known = known.map_or(Epoch(0), |known| known.given);
                if done.output.is_some() && done.given > known {
                    newest.insert(item, done);
                }
            }
        }
        newest
    }

    /// What a step of the deploy gave when it last succeeded, in whichever run that was.
    pub fn outcome<T: DeserializeOwned>(&self, step: &StepId) -> Option<T> {
        let since = self.done_since(step);
        let newest = since.get(&None).copied();
        let newest = newest.or_else(|| Some(&self.founder().step(step)?.progress));
        serde_json::from_value(newest?.output.clone()?).ok()
    }

    /// The number that the next slave gets: no slave, be it gone, has had it.
    pub fn next_slave(&self) -> u16 {
        let specs = self.runs.iter().map(|run| &run.spec);
        let specs = specs.filter_map(|spec| ClusterSpec::within(spec).ok());
        let members = specs.flat_map(|spec| spec.members());
        members.map(|member| member.index).max().unwrap_or_default() + 1
    }

    /// Both file systems, once each was formatted.
    pub fn file_systems(&self) -> Option<FileSystems> {
        Some(FileSystems {
            ephemeral: self.outcome(&HdfsFormat::ID)?,
            persistent: self.outcome(&PersistentHdfsFormat::ID)?,
        })
    }

    /// What a replay of the deploy has to know of what other runs have done since: it acts on the cluster as that is now.
    pub fn heritage(&self) -> Heritage {
        let founder = self.founder();
        let spec = self.spec();
        let members = ClusterSpec::within(&spec).ok();
        let is_there = |item: Option<&ItemKey>| match (item, &members) {
            (Some(item), Some(members)) => members.has_node(item),
            _ => true,
        };
        // How it is written down is no difference.
        let is_same = match (&members, ClusterSpec::within(&founder.spec)) {
            (Some(now), Ok(own)) => *now == own,
            _ => spec == founder.spec,
        };
        if is_same {
            return Heritage::default();
        }
        let mut inherited = Vec::new();
        for step in &founder.steps {
            let id = &step.entry.id;
            for (item, done) in self.done_since(id) {
                if let (true, Some(digest), Some(output)) = (is_there(item), &done.input_digest, &done.output)
                {
                    inherited.push(Inherited {
                        step: id.clone(),
                        item: item.cloned(),
                        input_digest: digest.clone(),
                        output: output.clone(),
                    });
                }
            }
        }
        // How it is written down is no difference.
        Heritage {
            spec: Some(spec),
            inherited,
        }
    }

    /// The run whose spec is in force: the last that has ended as it should, be it replayed since; or that which made the cluster, by the
    /// last replay of it that was asked for: to take it over changes nothing of what it was asked for.
    pub fn shaper(&self) -> &RunState {
        self.shaper_but(None)
    }

    /// The same as if that run were none.
    fn shaper_but(&self, but: Option<RunId>) -> &RunState {
        let founder = self.founder();
        let others = self.runs.iter().filter(|state| state.run != founder.run);
        others
            .filter(|state| Some(state.run) != but && has_come_to_its_end(state))
            .max_by_key(|state| state.epoch)
            .filter(|other| other.epoch > founder.replayed_by)
            .unwrap_or(founder)
    }

    /// The run of that workflow that was closed on its way since the spec in force was: nodes may have of it what nobody else knows of.
    pub fn closed_since(&self, workflow: &str) -> Option<&RunState> {
        let since = self.shaper().epoch;
        let closed = self.runs.iter().filter(|state| {
            state.phase == Phase::Closed && state.workflow == workflow && state.epoch > since
        });
        closed.max_by_key(|state| state.epoch)
    }

    /// The cluster's spec in force, without slaves whose machines a removal has deleted that was closed then.
    pub fn spec(&self) -> Value {
        self.spec_by(self.shaper())
    }

    /// The same as it was before that run.
    pub fn spec_before(&self, run: RunId) -> Value {
        self.spec_by(self.shaper_but(Some(run)))
    }

    fn spec_by(&self, shaper: &RunState) -> Value {
        let spec = &shaper.spec;
        let spec = match spec.get("cluster") {
            Some(cluster @ Value::Object(_)) => cluster.clone(),
            _ => spec.clone(),
        };
        let gone = self.removed_and_closed(shaper.epoch);
        match ClusterSpec::within(&spec) {
            Ok(known) if !gone.is_empty() => {
                let mut members = known.members();
                members.retain(|member| !gone.contains(&member.index));
                serde_json::to_value(known.with_members(members)).unwrap_or(spec)
            }
            _ => spec,
        }
    }

    /// The numbers of slaves that a removal was about to take away since, and whose machines it has deleted, before it was closed.
    fn removed_and_closed(&self, since: Epoch) -> Vec<u16> {
        let closed = self
            .runs
            .iter()
            .filter(|state| state.phase == Phase::Closed && state.workflow == REMOVES && state.epoch > since);
        let deleted = |state: &RunState, node: &Value| {
            let id = node.get("id")?.as_str()?;
            let index = u16::try_from(node.get("index")?.as_u64()?).ok()?;
            let is_gone = |trace: &Trace| trace.resource.id == id && !trace.exists;
            state.traces.iter().any(is_gone).then_some(index)
        };
        closed
            .flat_map(|state| {
                let leaving = state.spec["leaving"].as_array().into_iter().flatten();
                leaving.filter_map(move |node| deleted(state, node))
            })
            .collect()
    }

    /// The run by which the cluster came to be as it is: the last that ended as it should, of those that change whether it is up.
    fn standing(&self) -> Option<&RunState> {
        let ended = self.runs.iter().filter(|state| has_come_to_its_end(state));
        ended.max_by_key(|state| state.epoch)
    }

    /// Whether its machines, or the daemons on them, were stopped, and nobody has started them since.
    pub fn is_stopped(&self) -> bool {
        self.standing()
            .is_some_and(|state| state.workflow == STOPS || undoes(state, "start"))
    }

    /// The ids of its runs.
    pub fn runs(&self) -> impl Iterator<Item = RunId> {
        self.runs.iter().map(|state| state.run)
    }

    /// What exists, in the order in which it was first heard of: of what several runs say of a thing, the newest take-over counts.
    pub fn resources(&self) -> Vec<Resource> {
        let mut newest: BTreeMap<(&str, &str), &Trace> = BTreeMap::new();
        let mut order = Vec::new();
        for trace in self.runs.iter().flat_map(|state| &state.traces) {
            let id = (trace.resource.kind.as_str(), trace.resource.id.as_str());
            match newest.get(&id) {
                Some(known) if known.epoch >= trace.epoch => {}
                Some(_) => {
                    newest.insert(id, trace);
                }
                None => {
                    newest.insert(id, trace);
                    order.push(id);
                }
            }
        }
        let existing = order.into_iter().filter_map(|id| newest.get(&id));
        existing
            .filter(|trace| trace.exists)
            .map(|trace| trace.resource.clone())
            .collect()
    }

    /// Everybody who has driven the cluster.
    pub fn drivers(&self) -> BTreeSet<Driver> {
        self.runs
            .iter()
            .flat_map(|state| &state.drivers)
            .copied()
            .collect()
    }

    /// Effects in doubt, less those of which a destroy has seen the end.
    pub fn effects(&self) -> Vec<Effect> {
        let settled: BTreeSet<EffectKey> = self
            .runs
            .iter()
            .filter_map(|state| output::<Gone>(state, &SeeGone::ID))
            .flat_map(|gone| gone.settled)
            .map(|past| past.effect_key)
            .collect();
        // What was undone has been seen to its end by who has undone it.
        let undone = self
            .runs
            .iter()
            .filter(|state| state.workflow == ROLLS_BACK && has_come_to_its_end(state));
        let undone: BTreeSet<_> = undone.filter_map(|state| state.spec["run"].as_str()).collect();
        let all = self
            .runs
            .iter()
            .filter(|state| !undone.contains(&*state.run.to_string()));
        let all = all.flat_map(|state| state.effects.values());
        all.filter(|effect| !settled.contains(&effect.key))
            .cloned()
            .collect()
    }

    /// Whether a destroy of it has begun, and nobody has driven another run since.
    pub fn is_destroying(&self) -> bool {
        let last = self.runs.iter().max_by_key(|state| state.epoch);
        last.is_some_and(|state| ends_cluster(&state.workflow))
    }

    /// All runs but that one, the oldest first.
    pub fn others(&self, run: RunId) -> Vec<RunState> {
        let others = self.runs.iter().filter(|state| state.run != run);
        others.cloned().collect()
    }
}

/// Whether a run has ever ended as it should. What it has brought about then is so from there on: a replay of it asks for nothing else, and
/// takes nothing back where it is left or closed on the way.
const fn has_come_to_its_end(state: &RunState) -> bool {
    state.was_up
}

/// Whether a run has undone one of that workflow.
fn undoes(state: &RunState, workflow: &str) -> bool {
    state.workflow == ROLLS_BACK && state.spec["undoes"] == workflow
}

/// What a destroy has deleted, and seen gone, in the order of its steps.
pub fn deleted(state: &RunState) -> Vec<Resource> {
    let steps = delete_steps();
    let ended = steps.iter().flat_map(|step| outputs::<Ended>(state, step));
    let late = output::<Gone>(state, &SeeGone::ID).map(|gone| gone.late);
    ended
        .filter(|ended| ended.is_gone)
        .map(|ended| ended.resource)
        .chain(late.into_iter().flatten())
        .collect()
}

/// What a destroy has asked of whom, once nothing was left.
pub fn asked(state: &RunState) -> Option<String> {
    Some(output::<Gone>(state, &SeeGone::ID)?.asked)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mesosflow_workflow::{
        Attempt, CatalogueEntry, ClusterId, EVENT_FORMAT, Epoch, ErrorClass, ErrorReport, Event, Generation,
        How, ItemKey, Nonce, Recorded, RunId, Seq,
    };

    use super::*;

    fn thing(id: &str) -> Resource {
        Resource {
            kind: "instance".into(),
            id: id.into(),
            name: format!("name-{id}"),
        }
    }

    fn started(cluster: ClusterId, workflow: &str, catalogue: Vec<CatalogueEntry>) -> Event {
        Event::RunStarted {
            workflow: workflow.into(),
            cluster: "demo".into(),
            cluster_id: Some(cluster),
            provider: "local".into(),
            spec: serde_json::Value::Null,
            tool_version: "0".into(),
            catalogue,
            nonce: Some(Nonce::generate()),
            over: Vec::new(),
        }
    }

    /// A run of a workflow on the cluster, begun under that epoch; what it says of things, each under an epoch of its own.
    fn run(cluster: ClusterId, workflow: &str, epoch: u64, says: &[(&str, bool, u64)]) -> RunState {
        let begun = Recorded {
            run: RunId::generate(),
            seq: Seq::FIRST,
            at: Timestamp::from_second(i64::try_from(epoch).unwrap()).unwrap(),
            epoch: Epoch(epoch),
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event: started(cluster, workflow, Vec::new()),
        };
        let mut state = RunState::begin(&begun).unwrap();
        for (number, (id, exists, epoch)) in says.iter().enumerate() {
            let resource = thing(id);
            state.epoch = Epoch(*epoch);
            let event = match exists {
                true => Event::ResourceCreated {
                    step: "launch-slaves".into(),
                    item: None,
                    resource,
                },
                false => Event::ResourceDeleted { resource },
            };
            let recorded = Recorded {
                seq: Seq(number as u64 + 2),
                epoch: Epoch(*epoch),
                generation: Generation::FIRST,
                event,
                ..begun.clone()
            };
            state.apply(&recorded).unwrap();
        }
        state
    }

    #[test]
    fn of_what_several_runs_say_the_newest_take_over_counts() {
        let cluster = ClusterId::generate();
        let deploy = run(
            cluster,
            "deploy",
            1,
            &[("i-1", true, 1), ("i-2", true, 1), ("i-1", true, 7)],
        );
        let destroy = run(
            cluster,
            "destroy",
            4,
            &[("i-1", false, 4), ("i-2", false, 4), ("i-9", false, 5)],
        );
        let record = Record::of(destroy.clone(), [deploy.clone()]);
        assert_eq!(record.resources(), [thing("i-1")]);
        assert_eq!(record.founder().run, deploy.run);
        assert_eq!(record.cluster().run, deploy.run);
        // Somebody has driven the deploy since.
        assert!(!record.is_destroying());
        assert!(Record::of(destroy.clone(), [run(cluster, "deploy", 1, &[])]).is_destroying());
        assert_eq!(record.unfinished().map(|state| state.run), Some(deploy.run));
        // Whichever of them is asked by, the record is the same.
        assert_eq!(Record::of(deploy, [destroy]).resources(), record.resources());
    }

    /// A run that came to its end under that epoch; its only item, of `await-nodes`, gave that output.
    fn ended(cluster: ClusterId, workflow: &str, epoch: u64, output: serde_json::Value) -> RunState {
        let bare = run(cluster, workflow, epoch, &[]);
        let (step, item) = (AwaitNode::ID, ItemKey::from("demo-slave-1"));
        let recorded = |seq: u64, event| Recorded {
            run: bare.run,
            seq: Seq(seq),
            at: bare.started_at,
            epoch: Epoch(epoch),
            generation: Generation::FIRST,
            format: EVENT_FORMAT,
            event,
        };
        let entry = CatalogueEntry::new(step.clone(), "-", "").over("nodes");
        let begun = started(cluster, workflow, vec![entry]);
        let mut state = RunState::begin(&recorded(1, begun)).unwrap();
        let starts = |state: &RunState, item: Option<&ItemKey>| {
            let (attempt, effect_key) = state.next_try(&step, item);
            Event::StepStarted {
                step: step.clone(),
                item: item.cloned(),
                attempt,
                input: serde_json::Value::Null,
                input_digest: String::new(),
                effect_key,
            }
        };
        let succeeds = |item: Option<&ItemKey>, output| Event::StepSucceeded {
            step: step.clone(),
            item: item.cloned(),
            attempt: Attempt::FIRST,
            how: How::Applied,
            output,
        };
        let events = [
            starts(&state, None),
            starts(&state, Some(&item)),
            succeeds(Some(&item), output),
            succeeds(None, serde_json::Value::Null),
            Event::RunSucceeded,
        ];
        for (event, seq) in events.into_iter().zip(2..) {
            state.apply(&recorded(seq, event)).unwrap();
        }
        state
    }

    #[test]
    fn a_node_is_where_the_newest_run_has_seen_it() {
        let cluster = ClusterId::generate();
        let seen = |workflow: &str, epoch: u64, address: &str| {
            let output = serde_json::json!({"private_ip": address});
            ended(cluster, workflow, epoch, output)
        };
        let (deploy, start) = (seen("deploy", 1, "10.0.0.1"), seen("start", 3, "10.0.0.2"));
        let address = |record: &Record| {
            let outputs: Vec<serde_json::Value> = outputs(&record.cluster(), &AwaitNode::ID);
            outputs[0]["private_ip"].as_str().unwrap().to_owned()
        };
        assert_eq!(address(&Record::of(deploy.clone(), [start.clone()])), "10.0.0.2");
        // The deploy was replayed since.
        let later = seen("deploy", 5, "10.0.0.3");
        assert_eq!(address(&Record::of(start, [later])), "10.0.0.3");
        assert_eq!(address(&Record::of(deploy, [])), "10.0.0.1");
    }

    #[test]
    fn a_cluster_is_stopped_by_the_last_run_that_came_to_its_end() {
        let cluster = ClusterId::generate();
        let came = |workflow: &str, epoch| ended(cluster, workflow, epoch, serde_json::Value::Null);
        let (deploy, stop, start) = (came("deploy", 1), came("stop", 2), came("start", 3));
        assert!(!Record::of(deploy.clone(), []).is_stopped());
        assert!(Record::of(deploy.clone(), [stop.clone()]).is_stopped());
        assert!(!Record::of(deploy.clone(), [stop.clone(), start]).is_stopped());
        // One that was begun and not ended changes nothing.
        let unfinished = run(cluster, "start", 4, &[]);
        assert!(Record::of(deploy, [stop, unfinished]).is_stopped());
    }

    #[test]
    fn who_drove_any_run_is_known_to_all() {
        let cluster = ClusterId::generate();
        let (deploy, destroy) = (run(cluster, "deploy", 1, &[]), run(cluster, "destroy", 2, &[]));
        let record = Record::of(deploy.clone(), [destroy.clone()]);
        assert_eq!(record.drivers().len(), 2);
        assert!(
            record.drivers().is_superset(&deploy.drivers) && record.drivers().is_superset(&destroy.drivers)
        );
    }

    /// A run of a workflow that came to its end under that epoch, on a cluster with so many slaves.
    fn shaped(cluster: ClusterId, workflow: &str, epoch: u64, slaves: u16) -> RunState {
        let mut state = ended(cluster, workflow, epoch, Value::Null);
        let spec = serde_json::json!({"cluster": "demo", "slaves": slaves});
        state.spec = match workflow {
            FOUNDS => spec,
            _ => serde_json::json!({"cluster": spec}),
        };
        state
    }

    fn slaves(record: &Record) -> u16 {
        ClusterSpec::within(&record.spec()).unwrap().slaves
    }

    #[test]
    fn the_spec_in_force_is_that_of_the_last_that_shaped_the_cluster_and_not_of_who_was_taken_over() {
        let cluster = ClusterId::generate();
        let (deploy, add) = (shaped(cluster, FOUNDS, 1, 2), shaped(cluster, "add-slaves", 2, 3));
        assert_eq!(slaves(&Record::of(deploy.clone(), [add.clone()])), 3);
        // A replay of the deploy died before it was asked for.
        let mut taken_over = deploy.clone();
        taken_over.epoch = Epoch(3);
        let record = Record::of(taken_over, [add.clone()]);
        assert_eq!((slaves(&record), record.next_slave()), (3, 4));
        assert!(!record.heritage().is_empty());
        let mut replayed = deploy;
        (replayed.epoch, replayed.replayed_by) = (Epoch(3), Epoch(3));
        replayed.spec = serde_json::json!({"cluster": "demo", "slaves": 3});
        let record = Record::of(replayed, [add]);
        assert_eq!(slaves(&record), 3);
        assert!(record.heritage().is_empty());
    }

    #[test]
    fn what_has_come_to_its_end_is_in_force_while_it_is_replayed_and_after_that_was_closed() {
        let cluster = ClusterId::generate();
        let deploy = shaped(cluster, FOUNDS, 1, 2);
        let mut add = shaped(cluster, "add-slaves", 2, 3);
        let error = ErrorReport::new(ErrorClass::Permanent, "no space left");
        let closed_first = RunState {
            was_up: false,
            phase: Phase::Closed,
            ..add.clone()
        };
        assert_eq!(slaves(&Record::of(deploy.clone(), [closed_first])), 2);
        add.epoch = Epoch(3);
        for phase in [Phase::Running, Phase::Failed(error), Phase::Closed] {
            add.phase = phase;
            let record = Record::of(deploy.clone(), [add.clone()]);
            assert_eq!(slaves(&record), 3, "{:?}", add.phase);
            // What undoes it goes by what was before.
            let before = ClusterSpec::within(&record.spec_before(add.run)).unwrap();
            assert_eq!(before.slaves, 2);
            assert_eq!(record.spec_before(deploy.run), record.spec());
        }
    }

    #[test]
    fn what_was_closed_on_the_way_is_known_until_the_cluster_is_shaped_again() {
        let cluster = ClusterId::generate();
        let deploy = run(cluster, FOUNDS, 1, &[]);
        let mut closed = run(cluster, "configure", 2, &[]);
        closed.phase = Phase::Closed;
        let record = Record::of(deploy.clone(), [closed.clone()]);
        assert_eq!(
            record.closed_since("configure").map(|state| state.epoch),
            Some(Epoch(2))
        );
        assert!(record.closed_since("redeploy").is_none());
        let record = Record::of(deploy, [closed, shaped(cluster, ROLLS_BACK, 3, 2)]);
        assert!(record.closed_since("configure").is_none());
    }

    #[test]
    fn a_slave_whose_machine_a_removal_has_deleted_is_none_once_that_is_closed() {
        let cluster = ClusterId::generate();
        let mut deploy = run(cluster, FOUNDS, 1, &[("i-1", true, 1), ("i-2", true, 1)]);
        deploy.spec = serde_json::json!({"cluster": "demo", "slaves": 2});
        let mut removal = run(cluster, REMOVES, 2, &[("i-2", false, 2)]);
        removal.spec = serde_json::json!({
            "cluster": {"cluster": "demo", "slaves": 1},
            "leaving": [{"id": "i-2", "index": 2}, {"id": "i-1", "index": 1}],
        });
        assert_eq!(slaves(&Record::of(deploy.clone(), [removal.clone()])), 2);
        removal.phase = Phase::Closed;
        let record = Record::of(deploy, [removal]);
        let members = ClusterSpec::within(&record.spec()).unwrap().members();
        assert_eq!(members.iter().map(|member| member.index).collect::<Vec<_>>(), [1]);
    }
}
