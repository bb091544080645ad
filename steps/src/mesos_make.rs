//! Mesos made on the first master, by the way that the user chose: unpacked or built, complete, and put in a place.

use std::path::Path;
use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Retry, Settled, StepCx, StepError as _};

use crate::act::ActError;
use crate::cluster::{MesosSource, MesosSpec, Node, Tarball};
use crate::file_digest;
use crate::packages;
use crate::remote::{JobLimits, quote};
use crate::world::{Script, World};
use crate::{aside, claim, mesos, netrc};

/// Building 1.11 took 45 minutes on two cores; four times that is stuck.
pub(crate) const BUILD_LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(3 * 3600),
    silence: Duration::from_secs(1800),
};

/// Where a tarball waits on the first master.
const TARBALL: &str = "/var/lib/mesosflow/mesos.tarball";

const FETCH: &str = shell!("mesos-fetch.sh");
const CHECK: &str = r#"digest=$(sha256sum "$file" | cut -d ' ' -f 1)
[ -z "$wanted" ] || [ "$digest" = "$wanted" ] || { echo "sha256 is $digest" >&2; exit 4; }
echo "$digest""#;

const UNPACK: &str = shell!("mesos-unpack.sh");

/// What a build takes (an estimate for 1.11, whose objects alone are about 10 GiB), GiB free below /root; and memory, MiB, swap
/// counted in: one compiler takes up to 2 GiB, and linking libmesos as much again.
const BUILD_DISK_GB: u32 = 12;
const BUILD_MEMORY_MB: u32 = 3_500;
/// What a build is made with; Mesos' own libraries are looked for by its configure, which says what is missing.
const BUILD_TOOLS: &str = "git make g++ patch autoconf automake libtoolize";
/// What they are called as packages of Debian and Ubuntu.
const BUILD_PACKAGES: &str = "git make g++ patch autoconf automake libtool";

const BUILD_NEEDS: &str = shell!("mesos-build-needs.sh");

const PUT: &str = shell!("mesos-put.sh");

const BUILD: &str = shell!("mesos-build.sh");

/// What a step may take that makes it.
pub(crate) const LIMITS: Limits = Limits {
    deadline: Duration::from_secs(BUILD_LIMITS.deadline.as_secs() + 600),
    retry: Retry::STANDARD,
};

/// What is made, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Making<'a> {
    /// The first master.
    pub(crate) hub: &'a Node,
    /// The source.
    pub(crate) mesos: &'a MesosSpec,
    /// The folder that it is put in.
    pub(crate) place: &'static str,
}

impl Making<'_> {
    fn mark(&self) -> Result<String, ActError> {
        mark(self.mesos)
    }

    /// What stands there: what it calls itself, and the folder's digest.
    pub(crate) async fn standing(&self, world: &World) -> Result<(String, String), ActError> {
        let version = mesos::version_in(world, self.hub, self.place, "mesos-master").await?;
        let digest = mesos::digest_of(world, self.hub, self.place).await?;
        Ok((version, digest))
    }

    /// Refuses where that is not the same at a second look.
    pub(crate) async fn stands_as(&self, world: &World, version: &str, digest: &str) -> Result<(), ActError> {
        let standing = self.standing(world).await?;
        if (standing.0.as_str(), standing.1.as_str()) == (version, digest) {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "{} on {} changes while it is looked at",
            self.place, self.hub.name
        )))
    }

    /// Runs a job that fetches with what the user gave to log in with, which is gone afterwards.
    async fn fetching(
        &self,
        cx: &StepCx<World>,
        script: Script<'_>,
        limits: JobLimits,
    ) -> Result<(), ActError> {
        let world = cx.world();
        let secret = netrc::hold(world, self.hub, cx.effect_key(), netrc::read(self.mesos)?).await?;
        let script = script.var("secret", &secret);
        let fetched = world.job(self.hub, cx.effect_key(), script, limits).await;
        let ended = netrc::end(world, self.hub, &secret).await;
        fetched?;
        Ok(ended?)
    }

    async fn unpack(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        let limits = JobLimits {
            deadline: Duration::from_secs(1800),
            silence: Duration::from_secs(600),
        };
        match local_tarball(self.mesos) {
            Some(path) => world.session(self.hub).upload_file(path, TARBALL, 0o644).await?,
            None => {
                let url = self.mesos.url.clone().unwrap_or_default();
                let fetch = Script::new("fetch the Mesos tarball", FETCH)
                    .var("url", url)
                    .var("file", TARBALL);
                self.fetching(cx, fetch, limits).await?;
            }
        }
        let wanted = self.mesos.sha256.clone().unwrap_or_default().to_lowercase();
        let check = Script::new("check the Mesos tarball", CHECK)
            .var("file", TARBALL)
            .var("wanted", wanted);
        world
            .run(self.hub, check.within(Duration::from_secs(120)))
            .await?;
        let functions = format!("{}{PUT}", aside::FUNCTIONS);
        let unpack = Script::new("unpack Mesos", UNPACK)
            .before(&functions)
            .var("place", self.place)
            .var("file", TARBALL)
            .var("mark", self.mark()?);
        world
            .run(self.hub, unpack.within(Duration::from_secs(300)))
            .await?;
        Ok(())
    }

    /// Refuses a build that cannot end well, before an hour is spent on it.
    async fn check_needs(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let look = build_needs(BUILD_TOOLS, "/root", BUILD_DISK_GB, BUILD_MEMORY_MB);
        let said = cx.world().run(self.hub, look).await?.stdout_str();
        lacking(&self.hub.name, said.trim())
    }

    async fn build(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        self.check_needs(cx).await?;
        let unquotable =
            |error: quote::QuoteError| ActError::wrong(format!("mesos.configure_flags: {error}"));
        let flags = quote::join(self.mesos.configure_flags.iter().map(String::as_str)).map_err(unquotable)?;
        let functions = format!("{}{PUT}", aside::FUNCTIONS);
        let build = Script::new("build Mesos", BUILD)
            .before(&functions)
            .var("place", self.place)
            .var("repository", self.mesos.repository.clone().unwrap_or_default())
            .var("branch", self.mesos.branch.clone().unwrap_or_default())
            .var("flags", flags)
            .var("mark", self.mark()?);
        self.fetching(cx, build, BUILD_LIMITS).await
    }

    /// Makes it, and looks at it.
    ///
    /// # Errors
    /// It cannot be had, is not what was asked for, or does not work here.
    pub(crate) async fn make(&self, cx: &StepCx<World>) -> Result<(String, String), ActError> {
        packages::install(cx.world(), self.hub, &self.mesos.packages).await?;
        match self.mesos.source {
            MesosSource::None => {}
            MesosSource::Tarball => self.unpack(cx).await?,
            MesosSource::Git => self.build(cx).await?,
        }
        claim::tell(cx.world(), self.hub).await?;
        let standing = self.standing(cx.world()).await;
        standing.map_err(|error| match self.mesos.source {
            MesosSource::None => ActError::wrong(format!("the image has no Mesos that works: {error}"))
                .hinted("set `mesos.source` to `tarball` or `git`"),
            _ => match error.hint() {
                Some(_) => error,
                None => ActError::wrong(format!("what was installed does not work: {error}"))
                    .hinted("name the libraries that it needs in `mesos.packages`"),
            },
        })
    }

    /// Whether what stands in its place came from this source.
    ///
    /// # Errors
    /// The node cannot be reached, or the tarball not be read.
    pub(crate) async fn is_made(&self, world: &World) -> Result<bool, ActError> {
        if self.mesos.source == MesosSource::None {
            return Ok(false);
        }
        has_mark(world, self.hub, self.place, &self.mark()?).await
    }

    /// Sees to a job of an older effect.
    ///
    /// # Errors
    /// The node cannot be reached, or the job not be ended.
    pub(crate) async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        let settled = World::settle(cx, self.hub, effect, BUILD_LIMITS).await?;
        netrc::end(cx.world(), self.hub, &netrc::folder(&effect.key)).await?;
        Ok(settled)
    }
}

/// Whether what stands in a place of a node came from the source with that mark.
pub(crate) async fn has_mark(world: &World, node: &Node, place: &str, mark: &str) -> Result<bool, ActError> {
    let look = Script::new(
        "look where Mesos came from",
        r#"[ "$(cat "$place/.mesosflow-source" 2>/dev/null)" = "$mark" ] || exit 1"#,
    );
    Ok(world
        .ask(node, look.var("place", place).var("mark", mark))
        .await?)
}

/// What tells a source from another: it lies beside what was made of it.
///
/// # Errors
/// The tarball cannot be read.
pub(crate) fn mark(mesos: &MesosSpec) -> Result<String, ActError> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    Ok(match mesos.source {
        MesosSource::None => "image".into(),
        MesosSource::Tarball => match local_tarball(mesos) {
            Some(path) => format!("tarball sha256:{}", digest_of(path)?),
            None => format!("tarball {} {}", text(&mesos.url), text(&mesos.sha256)),
        },
        MesosSource::Git => format!(
            "git {} {} {}",
            text(&mesos.repository),
            text(&mesos.branch),
            mesos.configure_flags.join(" ")
        ),
    })
}

/// Whether what a source gives is the same each time: a branch moves on, and so may what is at an address.
pub(crate) fn is_settled(mesos: &MesosSpec) -> bool {
    match mesos.source {
        MesosSource::None => true,
        MesosSource::Git => false,
        MesosSource::Tarball => mesos.sha256.is_some() || local_tarball(mesos).is_some(),
    }
}

fn local_tarball(mesos: &MesosSpec) -> Option<&Path> {
    match Tarball::named(mesos.url.as_deref()?) {
        Tarball::At(_) => None,
        Tarball::Here(path) => Some(path),
    }
}

fn build_needs(tools: &str, folder: &str, disk_gb: u32, memory_mb: u32) -> Script<'static> {
    Script::new("see whether Mesos can be built", BUILD_NEEDS)
        .var("tools", tools)
        .var("folder", folder)
        .var("disk_gb", disk_gb)
        .var("memory_mb", memory_mb)
}

/// What the look has found to be missing, and what to do about it.
fn lacking(node: &str, said: &str) -> Result<(), ActError> {
    let (what, hint) = match said.split_once(": ") {
        None if said == "enough" => return Ok(()),
        Some(("tools", missing)) => (
            format!("Mesos cannot be built on {node}: {missing} is missing"),
            format!(
                "name their packages in `mesos.packages` (Debian: {BUILD_PACKAGES}, and what Mesos' own guide lists)"
            ),
        ),
        Some(("disk", free)) => (
            format!(
                "Mesos cannot be built on {node}: {free} GiB are free below /root, and a build takes {BUILD_DISK_GB}"
            ),
            "give the masters a larger root disk (--root-vol-size), or build elsewhere and name the tarball"
                .to_owned(),
        ),
        Some(("memory", found)) => (
            format!(
                "Mesos cannot be built on {node}: it has {found} MiB of memory and swap, and one compiler with its linker takes {BUILD_MEMORY_MB}"
            ),
            "take a larger --master-instance-type or more --swap, or build elsewhere and name the tarball"
                .to_owned(),
        ),
        _ => return Err(ActError::not_yet(format!("{node} answered {said:?}"))),
    };
    Err(ActError::wrong(what).hinted(hint))
}

fn digest_of(path: &Path) -> Result<String, ActError> {
    let read = file_digest::of(path).map_err(|source| ActError::Local {
        doing: format!("cannot read {}", path.display()),
        source,
    });
    Ok(read?.1)
}

#[cfg(test)]
mod tests;
