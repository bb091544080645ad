//! `build-mesos` (notes 2.12): Mesos on the first master, by the way that the user chose.
//!
//! - Changes: `/root/mesos` on the first master, in the layout of `make install`, with a mark of where it came from.
//! - Twice is safe: it is unpacked or built beside the old one and moved over it; the mark says what is there. A build is
//!   a durable job. A `/root/mesos` that is somebody else's is moved aside.
//! - Not undone.

use std::path::Path;
use std::time::Duration;

use mesosflow_workflow::{Effect, Limits, Probe, Retry, Settled, Step, StepCx, StepError as _, StepId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::act::ActError;
use crate::cluster::{MesosSource, MesosSpec, Node};
use crate::remote::{JobLimits, quote};
use crate::world::{Script, World};
use crate::{aside, mesos, netrc};

/// Building 1.11 took 45 minutes on two cores; four times that is stuck.
const BUILD_LIMITS: JobLimits = JobLimits {
    deadline: Duration::from_secs(3 * 3600),
    silence: Duration::from_secs(1800),
};

/// Where a tarball waits on the first master.
const TARBALL: &str = "/var/lib/mesosflow/mesos.tarball";

/// A URL is fetched by the first master, which has the better line; tried again, and checked when a digest is known. What begins
/// on a line that nobody else reads goes on so. A password goes only to whom the netrc names.
const FETCH: &str = r#"trap '[ -z "$secret" ] || rm -rf -- "$secret"' EXIT
mkdir -p /var/lib/mesosflow
set -- --fail --location --silent --show-error --retry 5 --retry-connrefused --proto '=http,https'
case $url in https://*) set -- "$@" --proto-redir '=https' ;; esac
[ -z "$secret" ] || set -- "$@" --netrc-file "$secret/.netrc"
curl "$@" --output "$file.new" -- "$url"
mv "$file.new" "$file""#;
const CHECK: &str = r#"digest=$(sha256sum "$file" | cut -d ' ' -f 1)
[ -z "$wanted" ] || [ "$digest" = "$wanted" ] || { echo "sha256 is $digest" >&2; exit 4; }
echo "$digest""#;

/// The tree of `make install` may stand at the top of the tarball or in folders of its own (`mesos-1.11.0/`, a prefix).
const UNPACK: &str = r#"rm -rf /root/.mesosflow-mesos.new
mkdir /root/.mesosflow-mesos.new
tar --extract --no-same-owner --directory /root/.mesosflow-mesos.new --file "$file"
master=$(cd /root/.mesosflow-mesos.new && find . -path '*/sbin/mesos-master' | sort | head -n 1)
[ -n "$master" ] || { echo 'the tarball holds no sbin/mesos-master' >&2; exit 4; }
master=${master#./}
top=/root/.mesosflow-mesos.new
[ "$master" = sbin/mesos-master ] || top=$top/${master%/sbin/mesos-master}
printf '%s\n' "$mark" > "$top/.mesosflow-source"
put "$top"
rm -rf /root/.mesosflow-mesos.new"#;

/// What a build takes (an estimate for 1.11, whose objects alone are about 10 GiB), GiB free below /root; and memory, MiB, swap
/// counted in: one compiler takes up to 2 GiB, and linking libmesos as much again.
const BUILD_DISK_GB: u32 = 12;
const BUILD_MEMORY_MB: u32 = 3_500;
/// What a build is made with; Mesos' own libraries are looked for by its configure, which says what is missing.
const BUILD_TOOLS: &str = "git make g++ patch autoconf automake libtoolize";
/// What they are called as packages of Debian and Ubuntu.
const BUILD_PACKAGES: &str = "git make g++ patch autoconf automake libtool";

/// An earlier build that goes on counts as space that is there.
const BUILD_NEEDS: &str = r#"for tool in $tools; do
  command -v "$tool" >/dev/null || missing="${missing:-}${missing:+, }$tool"
done
[ -z "${missing:-}" ] || { echo "tools: $missing"; exit 0; }
free=$(df --block-size=1M --output=avail -- "$folder" | tail -n 1)
[ ! -d "$folder/.mesosflow-build" ] || free=$((free + $(du --summarize --block-size=1M -- "$folder/.mesosflow-build" | cut -f 1)))
[ "$free" -ge "$((disk_gb * 1024))" ] || { echo "disk: $((free / 1024))"; exit 0; }
memory=$(awk '/^(MemTotal|SwapTotal):/ { total += $2 } END { print int(total / 1024) }' /proc/meminfo)
[ "$memory" -ge "$memory_mb" ] || { echo "memory: $memory"; exit 0; }
echo enough"#;

/// Puts a tree that says where it came from in Mesos' place.
const PUT: &str = r#"put() {
  make_way /root/mesos
  rm -rf /root/.mesosflow-mesos.old
  [ ! -e /root/mesos ] || mv -T /root/mesos /root/.mesosflow-mesos.old
  mv -T "$1" /root/mesos
  rm -rf /root/.mesosflow-mesos.old
}
"#;

/// Installed below a folder of its own first: what is half built is never taken for Mesos. Whoever asks for a password is told
/// what the netrc says, or nothing: there is nobody to ask. The number of a commit is never taken for the name of a branch.
const BUILD: &str = r#"trap '[ -z "$secret" ] || rm -rf -- "$secret"' EXIT
export GIT_TERMINAL_PROMPT=0
fetching() { if [ -n "$secret" ]; then GIT_CONFIG_GLOBAL=${HOME:-/root}/.gitconfig HOME=$secret git "$@"; else git "$@"; fi; }
mkdir -p /root/.mesosflow-build
cd /root/.mesosflow-build
if [ ! -d source/.git ]; then
  rm -rf source.new
  fetching clone -- "$repository" source.new
  mv source.new source
fi
cd source
fetching fetch --tags origin
[ -z "$secret" ] || rm -rf -- "$secret"
case $branch in
  *[!0-9a-fA-F]*) is_commit=no ;;
  *) case ${#branch} in 40 | 64) is_commit=yes ;; *) is_commit=no ;; esac ;;
esac
if [ "$is_commit" = yes ]; then git checkout --force --detach "$branch^{commit}"
else git checkout --force --detach "origin/$branch" 2>/dev/null || git checkout --force --detach "$branch"
fi
[ -x configure ] || ./bootstrap
mkdir -p build
cd build
eval "../configure --prefix=/root/mesos $flags"
# No more compilers at once than there is memory for.
jobs=$(awk '/^(MemTotal|SwapTotal):/ { total += $2 } END { jobs = int(total / 2097152); print jobs < 1 ? 1 : jobs }' /proc/meminfo)
[ "$jobs" -le "$(nproc)" ] || jobs=$(nproc)
make -j"$jobs"
rm -rf /root/.mesosflow-build/install
make install DESTDIR=/root/.mesosflow-build/install
printf '%s\n' "$mark" > /root/.mesosflow-build/install/root/mesos/.mesosflow-source
put /root/.mesosflow-build/install/root/mesos"#;

/// Where Mesos comes from, and where it goes.
#[derive(Debug, Serialize)]
pub struct BuildMesos {
    /// The first master.
    pub hub: Node,
    /// The source.
    pub mesos: MesosSpec,
}

/// What stands on the first master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltMesos {
    /// What `mesos-master --version` prints.
    pub version: String,
    /// Digest of the folder, which every other node has to have.
    pub digest: String,
}

impl BuildMesos {
    /// What tells this source from another, for the mark.
    fn mark(&self) -> Result<String, ActError> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Ok(match self.mesos.source {
            MesosSource::None => "image".into(),
            MesosSource::Tarball => match self.local_tarball() {
                Some(path) => format!("tarball sha256:{}", file_digest(path)?),
                None => format!("tarball {} {}", text(&self.mesos.url), text(&self.mesos.sha256)),
            },
            MesosSource::Git => format!(
                "git {} {} {}",
                text(&self.mesos.repository),
                text(&self.mesos.branch),
                self.mesos.configure_flags.join(" ")
            ),
        })
    }

    fn local_tarball(&self) -> Option<&Path> {
        let url = self.mesos.url.as_deref()?;
        (!url.starts_with("http://") && !url.starts_with("https://")).then(|| Path::new(url))
    }

    async fn built(&self, cx: &StepCx<World>) -> Result<BuiltMesos, ActError> {
        let version = mesos::version(cx.world(), &self.hub, "mesos-master").await?;
        let digest = mesos::digest(cx.world(), &self.hub).await?;
        Ok(BuiltMesos { version, digest })
    }

    /// Runs a job that fetches with what the user gave to log in with, which is gone afterwards.
    async fn fetching(
        &self,
        cx: &StepCx<World>,
        script: Script<'_>,
        limits: JobLimits,
    ) -> Result<(), ActError> {
        let world = cx.world();
        let secret = netrc::hold(world, &self.hub, cx.effect_key(), netrc::read(&self.mesos)?).await?;
        let script = script.var("secret", &secret);
        let fetched = world.job(&self.hub, cx.effect_key(), script, limits).await;
        let ended = netrc::end(world, &self.hub, &secret).await;
        fetched?;
        Ok(ended?)
    }

    async fn unpack(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let world = cx.world();
        let limits = JobLimits {
            deadline: Duration::from_secs(1800),
            silence: Duration::from_secs(600),
        };
        match self.local_tarball() {
            Some(path) => world.session(&self.hub).upload_file(path, TARBALL, 0o644).await?,
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
            .run(&self.hub, check.within(Duration::from_secs(120)))
            .await?;
        let functions = format!("{}{PUT}", aside::FUNCTIONS);
        let unpack = Script::new("unpack Mesos", UNPACK)
            .before(&functions)
            .var("file", TARBALL)
            .var("mark", self.mark()?);
        world
            .run(&self.hub, unpack.within(Duration::from_secs(300)))
            .await?;
        Ok(())
    }

    /// Refuses a build that cannot end well, before an hour is spent on it.
    async fn check_needs(&self, cx: &StepCx<World>) -> Result<(), ActError> {
        let look = build_needs(BUILD_TOOLS, "/root", BUILD_DISK_GB, BUILD_MEMORY_MB);
        let said = cx.world().run(&self.hub, look).await?.stdout_str();
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
            .var("repository", self.mesos.repository.clone().unwrap_or_default())
            .var("branch", self.mesos.branch.clone().unwrap_or_default())
            .var("flags", flags)
            .var("mark", self.mark()?);
        self.fetching(cx, build, BUILD_LIMITS).await
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

fn file_digest(path: &Path) -> Result<String, ActError> {
    let failed = |source| ActError::Local {
        doing: format!("cannot read {}", path.display()),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest).map_err(failed)?;
    Ok(hex::encode(digest.finalize()))
}

impl Step for BuildMesos {
    type World = World;
    type Output = BuiltMesos;
    type Error = ActError;

    const ID: StepId = StepId::from_static("build-mesos");

    async fn probe(&self, cx: &StepCx<World>) -> Result<Probe<BuiltMesos>, ActError> {
        if self.mesos.source == MesosSource::None {
            return Ok(Probe::NotDone);
        }
        let look = Script::new(
            "look where Mesos came from",
            r#"[ "$(cat /root/mesos/.mesosflow-source 2>/dev/null)" = "$mark" ] || exit 1"#,
        );
        if !cx.world().ask(&self.hub, look.var("mark", self.mark()?)).await? {
            return Ok(Probe::NotDone);
        }
        aside::tell(cx.world(), &self.hub).await?;
        Ok(Probe::Done(self.built(cx).await?))
    }

    async fn apply(&self, cx: &StepCx<World>) -> Result<BuiltMesos, ActError> {
        mesos::install_packages(cx.world(), &self.hub, &self.mesos.packages).await?;
        match self.mesos.source {
            MesosSource::None => {}
            MesosSource::Tarball => self.unpack(cx).await?,
            MesosSource::Git => self.build(cx).await?,
        }
        aside::tell(cx.world(), &self.hub).await?;
        self.built(cx).await.map_err(|error| match self.mesos.source {
            MesosSource::None => ActError::wrong(format!("the image has no Mesos that works: {error}"))
                .hinted("set `mesos.source` to `tarball` or `git`"),
            _ => match error.hint() {
                Some(_) => error,
                None => ActError::wrong(format!("what was installed does not work: {error}"))
                    .hinted("name the libraries that it needs in `mesos.packages`"),
            },
        })
    }

    async fn verify(&self, cx: &StepCx<World>, built: &BuiltMesos) -> Result<(), ActError> {
        if self.built(cx).await? == *built {
            return Ok(());
        }
        Err(ActError::not_yet(format!(
            "/root/mesos on {} changes while it is looked at",
            self.hub.name
        )))
    }

    async fn settle(&self, cx: &StepCx<World>, effect: &Effect) -> Result<Settled, ActError> {
        let settled = World::settle(cx, &self.hub, effect, BUILD_LIMITS).await?;
        netrc::end(cx.world(), &self.hub, &netrc::folder(&effect.key)).await?;
        Ok(settled)
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: BUILD_LIMITS.deadline + Duration::from_secs(600),
            retry: Retry::STANDARD,
        }
    }
}

#[cfg(test)]
mod tests;
