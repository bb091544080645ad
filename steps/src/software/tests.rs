//! The layout script in a container of the node image, whose own layout is what it has to give again.
//!
//! The archive is packed anew from what the image has, so that nothing is downloaded and nothing outside is needed.

use std::process::Command;
use std::time::{Duration, Instant};

use super::choice::Choice;
use super::recipe::digest;
use crate::cluster::{ClusterSpec, LocalSpec, Node, SoftwareSource};
use crate::disks::DiskPlan;
use crate::node_setup::NodeSetup;
use crate::packages;
use crate::provider::local::engine::Engine;
use crate::provider::local::image::image_name;
use crate::setup::SetupNode;
use crate::zookeeper::{children, children_script, data, data_script, mode_script};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/image/software/layout.sh");

/// The image's software as the archives that it came from, under digests of their own, with what an archive has beside.
const PACK: &str = r#"set -eu
mkdir -p /scratch/served /scratch/pyspark-2.4.8/deps/bin /scratch/pyspark-3.5.9/deps
cp -a /opt/mesosflow/hadoop-2.7.3/jars /scratch/pyspark-2.4.8/deps
touch /scratch/pyspark-2.4.8/deps/jars/spark-core_2.11-2.4.8.jar /scratch/pyspark-2.4.8/deps/bin/spark-submit
cp -a /opt/mesosflow/spark-3.5.9/jars /opt/mesosflow/spark-3.5.9/bin /scratch/pyspark-3.5.9/deps
cp -a /opt/mesosflow/spark-3.5.9/python/pyspark /opt/mesosflow/spark-3.5.9/python/lib /scratch/pyspark-3.5.9
touch /scratch/pyspark-3.5.9/deps/jars/kubernetes-client-6.7.2.jar /scratch/pyspark-3.5.9/deps/bin/pyspark.cmd
cp -R /opt/mesosflow/layout /scratch/layout
for archive in HADOOP:pyspark-2.4.8 SPARK:pyspark-3.5.9; do
  name=${archive#*:}
  tar -C /scratch -cf - "$name" | gzip -1 > "/scratch/served/$name.tar.gz"
  rm -r "/scratch/$name"
  sha=$(sha256sum "/scratch/served/$name.tar.gz" | cut -d ' ' -f 1)
  sed -i "s/^${archive%:*}_SHA256=.*/${archive%:*}_SHA256=$sha/" /scratch/layout/archive.env
done"#;

/// A server that goes on where it was asked to and notes where that was; it ends with the container.
const SERVE: &str = r#"import http.server, re
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open('/scratch/served' + self.path, 'rb').read()
        found = re.match(r'bytes=(\d+)-', self.headers.get('Range') or '')
        start = int(found.group(1)) if found else 0
        open('/scratch/starts', 'a').write(f'{start}\n')
        self.send_response(206 if found else 200)
        self.send_header('Content-Length', str(len(body) - start))
        if found:
            self.send_header('Content-Range', f'bytes {start}-{len(body) - 1}/{len(body)}')
        self.end_headers()
        self.wfile.write(body[start:])
server = http.server.HTTPServer(('127.0.0.1', 8000), Handler)
open('/scratch/serving', 'w').close()
server.serve_forever()"#;

/// Paths, modes, links and sizes below a layout, without what the image alone has or what holds a digest.
const LIST: &str = r"find opt/mesosflow root/ephemeral-hdfs root/persistent-hdfs root/spark \
  ! -name hdfs.jsa ! -path opt/mesosflow/software ! -name archive.env ! -path '*/conf/*' ! -path opt/mesosflow/zookeeper/classpath \
  \( -type d -printf '%p/ %m\n' -o -printf '%p %m %s %l\n' \) | LC_ALL=C sort";

struct Machine {
    engine: Vec<String>,
    name: String,
}

impl Machine {
    async fn start(test: &str) -> Self {
        let engine = Engine::find(&LocalSpec::default()).await.unwrap();
        let name = format!("mesosflow-{test}-{}", std::process::id());
        let line = engine.command_line().into_iter().map(str::to_owned).collect();
        let machine = Self { engine: line, name };
        let mut args = vec!["run", "--detach", "--rm", "--name", &machine.name];
        let limits = engine.run_args().iter().map(String::as_str);
        args.extend(limits.filter(|arg| arg.starts_with("--ulimit")));
        // It ends by itself should this process not come to remove it.
        let image = image_name();
        args.extend([image.as_str(), "sleep", "600"]);
        machine
            .call(&args)
            .expect("the node image is built by `make image`");
        machine
    }

    fn call(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.engine[0])
            .args(&self.engine[1..])
            .args(args)
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        match output.status.success() {
            true => Ok(out.trim().to_owned()),
            false => Err(format!("{}: {out}{err}", output.status)),
        }
    }

    fn sh(&self, script: &str) -> Result<String, String> {
        self.call(&["exec", &self.name, "bash", "-c", script])
    }

    fn layout(&self, arguments: &str) -> Result<String, String> {
        self.sh(&format!("bash /scratch/layout/layout.sh {arguments}"))
    }

    /// Starts what stays, and comes back at once.
    fn start_program(&self, script: &str) {
        self.call(&["exec", "--detach", &self.name, "bash", "-c", script])
            .unwrap();
    }

    /// Asks until it is so; what it said then.
    fn until(&self, limit: Duration, script: &str) -> String {
        let begun = Instant::now();
        loop {
            match self.sh(script) {
                Ok(said) => return said,
                Err(why) => assert!(begun.elapsed() < limit, "{script}: {why}"),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.call(&["rm", "--force", "--volumes", "--time", "0", &self.name]);
    }
}

fn node(index: u16) -> Node {
    let node = serde_json::json!({
        "id": "x", "name": format!("demo-zookeeper-{index}"), "role": "zookeeper", "index": index,
        "private_ip": format!("127.0.0.{index}"), "user": "root", "port": 22,
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGjOH5fDqWHuvjT0ZDvVUKo4Q0cdT0wOv0Fjfz0OXbGK",
    });
    serde_json::from_value(node).unwrap()
}

fn setup() -> NodeSetup {
    NodeSetup {
        node: node(1),
        disks: DiskPlan::default(),
        swap_mb: 0,
        firewall: None,
    }
}

#[test]
fn the_layout_is_named_as_its_own_script_does() {
    let output = Command::new("bash").args([SCRIPT, "--digest"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), digest(None));
}

#[test]
fn what_is_copied_is_what_the_script_lays_out() {
    let script = std::fs::read_to_string(SCRIPT).unwrap();
    let mut spec = ClusterSpec::default();
    let pypi = Choice::of(&spec).folders();
    spec.hadoop.source = SoftwareSource::Url;
    spec.spark.source = SoftwareSource::Url;
    for folder in pypi.into_iter().chain(Choice::of(&spec).folders()) {
        let (_, name) = folder.rsplit_once('/').unwrap();
        let says = |text: &str| script.contains(text);
        assert!(
            says(&format!("={folder}\n")) || says(&format!("$stage/opt/mesosflow/{name}\"\n")),
            "{folder}"
        );
    }
}

/// Recorded runs have inputs without it.
#[test]
fn the_software_is_no_further_input_unless_its_archive_is_another_one() {
    let as_before = serde_json::to_string(&setup()).unwrap();
    let mut spec = ClusterSpec::default();
    for input in [
        SetupNode::first(&spec, setup(), Vec::new()),
        SetupNode::of(&spec, &node(2), setup()),
    ] {
        assert_eq!(serde_json::to_string(&input).unwrap(), as_before);
    }
    spec.archive_url = Some("http://mirror/x".into());
    spec.spark.source = SoftwareSource::None;
    let input = serde_json::to_value(SetupNode::first(&spec, setup(), Vec::new())).unwrap();
    assert_eq!(input["archive_url"], "http://mirror/x");
    // The archives are the first master's business, and what is laid out is everybody's.
    let input = serde_json::to_value(SetupNode::of(&spec, &node(2), setup())).unwrap();
    assert!(input.get("archive_url").is_none(), "{input}");
    assert_eq!(input["spark"]["source"], "none");
}

#[tokio::test]
async fn a_bare_machine_gets_what_the_image_has_and_a_zookeeper_without_its_package() {
    let machine = Machine::start("software").await;
    assert_eq!(machine.sh("cat /opt/mesosflow/software").unwrap(), digest(None));
    assert!(machine.sh("bash /opt/mesosflow/layout/layout.sh check /").is_ok());
    machine.sh(PACK).unwrap();
    a_download_is_gone_on_with_and_checked(&machine);
    the_layout_is_that_of_the_image(&machine);
    the_archives_zookeeper_forms_a_quorum(&machine);
    tarballs_of_apaches_are_known_by_their_layout(&machine);
}

/// Holds the lock of apt's lists as apt itself does, until it is told to let go.
const HOLD: &str = r#"import fcntl, os, time
lock = open('/var/lib/apt/lists/lock', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
open('/scratch-held', 'w').close()
while not os.path.exists('/scratch-release'): time.sleep(0.1)"#;

/// The daily update of a machine that has just booted holds the lists; what fails for another reason fails at once.
#[tokio::test]
async fn the_lock_of_the_lists_is_waited_for() {
    let machine = Machine::start("lock").await;
    machine
        .sh("mkdir -p /var/lib/apt/lists/partial; rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
        .unwrap();
    machine
        .sh(&format!("cat > /scratch-hold.py <<'END'\n{HOLD}\nEND"))
        .unwrap();
    machine.start_program("exec python3 /scratch-hold.py");
    machine.until(Duration::from_secs(30), "[ -e /scratch-held ]");
    let script = packages::installing(&["mesosflow-no-such-package".to_owned()])
        .text()
        .unwrap();
    machine
        .sh(&format!("cat > /scratch-install.sh <<'END'\n{script}\nEND"))
        .unwrap();
    machine.start_program("sh /scratch-install.sh > /scratch-log 2>&1; echo $? > /scratch-code");
    machine.until(Duration::from_secs(60), "grep waiting /scratch-log");
    machine.sh("[ ! -e /scratch-code ]").unwrap();
    machine.sh("touch /scratch-release").unwrap();
    machine.until(Duration::from_secs(60), "[ -e /scratch-code ]");
    let log = machine.sh("cat /scratch-log").unwrap();
    assert!(
        log.contains("Unable to locate package mesosflow-no-such-package"),
        "{log}"
    );
}

fn a_download_is_gone_on_with_and_checked(machine: &Machine) {
    machine
        .sh(&format!("cat > /scratch/serve.py <<'END'\n{SERVE}\nEND"))
        .unwrap();
    machine.start_program("exec python3 /scratch/serve.py 2>/dev/null");
    machine.until(Duration::from_secs(30), "[ -e /scratch/serving ]");
    let fetch = "fetch /scratch/nothing /scratch/archives http://127.0.0.1:8000";
    let same = "for name in pyspark-2.4.8 pyspark-3.5.9; do cmp /scratch/archives/$name.tar.gz /scratch/served/$name.tar.gz || exit 1; done
                ! ls /scratch/archives/*.part 2>/dev/null";
    let first = "/scratch/archives/pyspark-2.4.8.tar.gz";

    // Broken off in the middle: the rest is asked for, and then the other one.
    machine
        .sh(&format!(
            "mkdir /scratch/archives; head -c 1000000 /scratch/served/pyspark-2.4.8.tar.gz > {first}.part"
        ))
        .unwrap();
    machine.layout(fetch).unwrap();
    machine.sh(same).unwrap();
    assert_eq!(machine.sh("cat /scratch/starts").unwrap(), "1000000\n0");
    // They are there: nothing is asked for.
    machine.layout(fetch).unwrap();
    assert_eq!(machine.sh("cat /scratch/starts").unwrap(), "1000000\n0");

    // The first part is of another file: noticed by the digest, and begun anew. The folder may be named by one of its files.
    machine
        .sh(&format!(
            "rm {first} /scratch/starts; head -c 1000000 /dev/urandom > {first}.part"
        ))
        .unwrap();
    machine.layout(&format!("{fetch}/pyspark-2.4.8.tar.gz")).unwrap();
    machine.sh(same).unwrap();
    assert_eq!(machine.sh("cat /scratch/starts").unwrap(), "1000000\n0");

    // Another file is there, and not for once: two looks are enough.
    machine.sh("rm /scratch/starts").unwrap();
    let wrong = format!(
        "echo HADOOP_SOURCE=url > /scratch/layout/choice.env; bash /scratch/layout/layout.sh bring /scratch/nothing /scratch/wrong hadoop \
         http://127.0.0.1:8000/pyspark-2.4.8.tar.gz {}",
        "0".repeat(64)
    );
    let refused = machine.sh(&wrong).unwrap_err();
    assert!(
        refused.contains("exit status: 4") && refused.contains("is another file: its SHA-256 is "),
        "{refused}"
    );
    assert_eq!(machine.sh("cat /scratch/starts").unwrap(), "0\n0");
    machine
        .sh("rm -r /scratch/layout/choice.env /scratch/wrong")
        .unwrap();

    // A file that was changed is not used.
    machine.sh(&format!("echo >> {first}")).unwrap();
    let refused = machine
        .layout("unpack /scratch/root /scratch/archives")
        .unwrap_err();
    assert!(refused.contains("is not pyspark-2.4.8"), "{refused}");
    machine.sh("[ ! -e /scratch/root/opt/mesosflow ]").unwrap();
}

fn the_layout_is_that_of_the_image(machine: &Machine) {
    let archives = "/scratch/served";
    // What a killed try left is in nobody's way, and is no layout.
    machine
        .sh("mkdir -p /scratch/root/opt/mesosflow.new/opt /scratch/root/opt/mesosflow/zookeeper")
        .unwrap();
    machine.layout("check /scratch/root").unwrap_err();
    machine
        .layout(&format!("unpack /scratch/root {archives}"))
        .unwrap();
    machine.layout("check /scratch/root").unwrap_err();
    machine.layout("link /scratch/root").unwrap();
    machine.layout("check /scratch/root").unwrap();
    let list = |root: &str| machine.sh(&format!("cd {root} && {LIST}")).unwrap();
    assert_eq!(list("/scratch/root"), list("/"));
    machine
        .sh("cmp /opt/mesosflow/hadoop-2.7.3/classpath /scratch/root/opt/mesosflow/hadoop-2.7.3/classpath")
        .unwrap();
    assert_eq!(machine.sh("ls -A /scratch/root/opt").unwrap(), "mesosflow");

    // Once more over itself; and without a jar, or for another layout, it is not there.
    machine
        .layout(&format!("unpack /scratch/root {archives}"))
        .unwrap();
    machine.layout("link /scratch/root").unwrap();
    machine.layout("check /scratch/root").unwrap();
    machine
        .sh("rm /scratch/root/opt/mesosflow/hadoop-2.7.3/jars/jetty-6*.jar")
        .unwrap();
    machine.layout("check /scratch/root").unwrap_err();
    machine
        .sh("bash /opt/mesosflow/layout/layout.sh check /scratch/root")
        .unwrap_err();
}

/// The image's jars as Apache packs them: two trees that are taken, and some that are not.
const APACHES: &str = r#"set -eu
mkdir -p /scratch/tars /scratch/a/hadoop-2.7.9/share/hadoop/common/lib /scratch/a/hadoop-2.7.9/share/hadoop/hdfs/lib
cd /scratch/a
share=hadoop-2.7.9/share/hadoop
cp /opt/mesosflow/hadoop-2.7.3/jars/*.jar $share/common/lib
mv $share/common/lib/hadoop-common-2.7.3.jar $share/common/hadoop-common-2.7.9.jar
mv $share/common/lib/hadoop-hdfs-2.7.3.jar $share/hdfs/hadoop-hdfs-2.7.9.jar
mv $share/common/lib/hadoop-[a-z]*.jar $share/common/
touch $share/hdfs/hadoop-hdfs-2.7.9-tests.jar
cp $share/common/lib/guava-*.jar $share/hdfs/lib/
mkdir -p $share/hdfs/webapps/hdfs $share/doc hadoop-2.7.9/bin
echo '<h1>pages</h1>' > $share/hdfs/webapps/hdfs/dfshealth.html
echo long > $share/doc/index.html
tar -czf /scratch/tars/hadoop.tgz hadoop-2.7.9
# A file of another release beside it.
mv $share/common/hadoop-common-2.7.9.jar $share/common/hadoop-common-3.3.6.jar
tar -cf /scratch/tars/hadoop3.tar -C hadoop-2.7.9 .
spark=spark-3.5.9-bin-hadoop3
mkdir $spark
cp -a /opt/mesosflow/spark-3.5.9/bin /opt/mesosflow/spark-3.5.9/jars /opt/mesosflow/spark-3.5.9/python $spark
mkdir -p $spark/examples $spark/sbin
touch $spark/jars/kubernetes-client-6.7.2.jar $spark/bin/pyspark.cmd
tar -cf /scratch/tars/spark.tar $spark
rm $spark/jars/spark-mesos_*
tar -cf /scratch/tars/spark4.tar --exclude='parquet*' $spark
rm $spark/jars/hadoop-client-*
tar -cf /scratch/tars/spark-without.tar --exclude='parquet*' $spark
tar -cf /scratch/tars/empty.tar $spark/sbin
mkdir -p two/share/hadoop/hdfs
touch two/share/hadoop/hdfs/hadoop-hdfs-2.6.0.jar $share/common/lib/asm-0.jar
tar -cf /scratch/tars/hollow.tar $share
rm $share/common/lib/asm-0.jar
tar -cf /scratch/tars/two.tar two $share
mv $share/common/hadoop-common-3.3.6.jar $share/common/hadoop-common-2.7.9.jar
odd() { tar -cf /scratch/tars/$1.tar $share && rm "$2"; }
ln -s /etc/shadow $share/hdfs/webapps/hdfs/shadow.html
odd leads $share/hdfs/webapps/hdfs/shadow.html
mkfifo $share/common/lib/pipe.jar
odd pipe $share/common/lib/pipe.jar
echo jar > "$share/common/lib/two
lines.jar"
odd lines "$share/common/lib/two
lines.jar"
echo '<html>' > /scratch/tars/page
rm -r /scratch/a"#;

fn tarballs_of_apaches_are_known_by_their_layout(machine: &Machine) {
    machine.sh(APACHES).unwrap();
    let root = "/scratch/chosen";
    let choose = |hadoop: &str, spark: &str| {
        let line = |name: &str, tar: &str| {
            match tar {
            "pypi" | "none" => format!("echo {name}_SOURCE={tar} >> $env"),
            _ => format!(
                "echo {name}_SOURCE=url >> $env; echo {name}_TARBALL=$(sha256sum /scratch/tars/{tar} | cut -d ' ' -f 1) >> $env
                 ln -sfn /scratch/tars/{tar} /scratch/served/{}.tarball",
                name.to_lowercase()
            ),
        }
        };
        let (hadoop, spark) = (line("HADOOP", hadoop), line("SPARK", spark));
        machine
            .sh(&format!(
                "env=/scratch/layout/choice.env; rm -f $env; {hadoop}; {spark}"
            ))
            .unwrap();
    };
    let lay = || machine.layout(&format!("unpack {root} /scratch/served"));
    let is_whole = || machine.layout(&format!("check {root}"));

    for (hadoop, spark, why) in [
        ("page", "pypi", "is no tarball"),
        (
            "empty.tar",
            "pypi",
            "holds no share/hadoop/hdfs/hadoop-hdfs-*.jar",
        ),
        (
            "spark.tar",
            "pypi",
            "holds no share/hadoop/hdfs/hadoop-hdfs-*.jar",
        ),
        ("two.tar", "pypi", "holds more than one"),
        ("hollow.tar", "pypi", "asm-0.jar, which is empty"),
        ("leads.tar", "pypi", "shadow.html, which leads out of it"),
        ("pipe.tar", "pypi", "pipe.jar, which is no file"),
        ("lines.tar", "pypi", "no class path takes that name"),
        ("hadoop.tgz", "spark4.tar", "no backend for Mesos"),
        ("hadoop.tgz", "spark-without.tar", "no client of Hadoop"),
        ("hadoop.tgz", "hadoop.tgz", "holds no jars/spark-core_*.jar"),
    ] {
        choose(hadoop, spark);
        let refused = lay().unwrap_err();
        assert!(
            refused.contains(why) && refused.contains("exit status: 4"),
            "{refused}"
        );
        let left = machine.sh(&format!("ls {root}/opt 2>/dev/null || true")).unwrap();
        assert_eq!(left, "", "{why}");
    }

    choose("hadoop.tgz", "spark.tar");
    lay().unwrap();
    machine.layout(&format!("link {root}")).unwrap();
    is_whole().unwrap();
    let seen = machine
        .sh(&format!(
            "cd {root}/opt/mesosflow; ls; cat hadoop/version; ls hadoop/jars | grep -c guava; find . -name '*-tests.jar' -o -name '*.cmd' -o \
             -name 'kubernetes-*' -o -name doc -o -name examples; cat hadoop/webapps/hdfs/*.html; ls -d hadoop/webapps/secondary
             readlink {root}/root/persistent-hdfs/bin/hdfs {root}/root/spark/jars; ls {root}/opt"
        ))
        .unwrap();
    let expected = "hadoop\nlayout\nsoftware\nspark\nzookeeper\n2.7.9\n1\n<h1>pages</h1>\nhadoop/webapps/secondary\n\
                    /opt/mesosflow/hadoop/bin/hdfs\n/opt/mesosflow/spark/jars\nmesosflow";
    assert_eq!(seen, expected);

    // What is there is not made again, what is damaged is; without a top folder, and packed otherwise.
    let made = || {
        machine.sh(&format!(
            "stat -c %i {root}/opt/mesosflow/spark {root}/opt/mesosflow/hadoop"
        ))
    };
    let before = made().unwrap();
    machine
        .sh(&format!("rm {root}/opt/mesosflow/hadoop/jars/guava-*.jar"))
        .unwrap();
    is_whole().unwrap_err();
    lay().unwrap();
    machine.layout(&format!("link {root}")).unwrap();
    is_whole().unwrap();
    let after = made().unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&before), lines(&after));
    assert!(
        before[0] == after[0] && before[1] != after[1],
        "{before:?} {after:?}"
    );
    laid_out_elsewhere(machine, root);

    choose("hadoop3.tar", "none");
    lay().unwrap();
    machine.layout(&format!("link {root}")).unwrap();
    is_whole().unwrap();
    assert_eq!(
        machine
            .sh(&format!(
                "cat {root}/opt/mesosflow/hadoop/version; ls -d {root}/opt/mesosflow/spark"
            ))
            .unwrap(),
        format!("3.3.6\n{root}/opt/mesosflow/spark"),
    );

    // Back to PyPI's: nothing of the others is left.
    choose("pypi", "pypi");
    lay().unwrap();
    machine.layout(&format!("link {root}")).unwrap();
    is_whole().unwrap();
    assert_eq!(
        machine.sh(&format!("ls {root}/opt/mesosflow")).unwrap(),
        "hadoop-2.7.3\nlayout\nsoftware\nspark-3.5.9\nzookeeper"
    );
}

/// Another version of the script keeps what is there, and whoever lacks a part has it from whoever has it; the tarballs are gone by then.
fn laid_out_elsewhere(machine: &Machine, root: &str) {
    let sh = |script: &str| machine.sh(script).unwrap();
    let lacks = || machine.layout(&format!("lacks {root} hadoop"));
    let adopt = || machine.layout(&format!("adopt {root} /scratch/served hadoop"));
    let again = || {
        machine.layout(&format!("unpack {root} /scratch/served")).unwrap();
        machine.layout(&format!("link {root}")).unwrap();
        machine.layout(&format!("check {root}")).unwrap();
    };
    sh(
        "rm /scratch/served/*.tarball; cp /scratch/layout/layout.sh /scratch/kept.sh; echo '# another' >> /scratch/layout/layout.sh",
    );
    lacks().unwrap_err();
    machine.layout(&format!("check {root}")).unwrap_err();
    again();

    let pack = format!("tar -C {root}/opt/mesosflow -cf /scratch/served/hadoop.laid hadoop");
    let jar = format!("{root}/opt/mesosflow/hadoop/jars/guava-*.jar");
    sh(&format!("{pack}; rm {jar}"));
    let made_from = lacks().unwrap();
    assert_eq!(
        made_from,
        sh(&format!("cat {root}/opt/mesosflow/hadoop/made-from"))
    );
    adopt().unwrap();
    again();
    // What another one lacks too is nobody's.
    sh(&format!("rm {jar}; {pack}"));
    let refused = adopt().unwrap_err();
    assert!(
        refused.contains("is not what this machine would have"),
        "{refused}"
    );
    assert_eq!(sh(&format!("ls {root}/opt")), "mesosflow");
    lacks().unwrap();
    sh("mv /scratch/kept.sh /scratch/layout/layout.sh");
}

fn the_archives_zookeeper_forms_a_quorum(machine: &Machine) {
    let packaged = machine.sh("cat /opt/mesosflow/zookeeper/classpath").unwrap();
    assert!(
        packaged.starts_with("/usr/share/java/zookeeper-3.8."),
        "{packaged}"
    );
    // As on a system that has no such package: the launcher reads the class path that was found there.
    let classpath = machine
        .sh("cat /scratch/root/opt/mesosflow/zookeeper/classpath")
        .unwrap();
    assert!(
        classpath.starts_with("/opt/mesosflow/hadoop-2.7.3/jars/zookeeper-3.4.6.jar:"),
        "{classpath}"
    );
    machine
        .sh("cp /scratch/root/opt/mesosflow/zookeeper/classpath /opt/mesosflow/zookeeper/classpath")
        .unwrap();

    let deployed = include_str!("../../deploy/root/mesos-ec2/zookeeper/zoo.cfg");
    let log4j = include_str!("../../deploy/root/mesos-ec2/zookeeper/log4j.properties");
    let servers = [node(1), node(2), node(3)];
    let variables = serde_json::json!({
        "cluster": "demo",
        "zookeepers": servers.each_ref().map(|node| serde_json::json!({"id": node.index, "private_ip": node.private_ip})),
    });
    let mut tera = tera::Tera::new();
    tera.add_raw_template("zoo.cfg", deployed).unwrap();
    let config = tera
        .render("zoo.cfg", &tera::Context::from_serialize(&variables).unwrap())
        .unwrap();
    for server in &servers {
        let (id, address) = (server.index, server.private_ip);
        // All on one machine: each its own address and folder.
        let config = config.replace(
            "dataDir=/var/lib/mesosflow-zookeeper",
            &format!("dataDir=/scratch/zk{id}/data"),
        );
        let script = format!(
            "set -eu; mkdir -p /scratch/zk{id}/data; cd /scratch/zk{id}; echo {id} > data/myid\n\
             cat > zoo.cfg <<'END'\n{config}\nclientPortAddress={address}\nEND\n\
             cat > log4j.properties <<'END'\n{log4j}\nEND"
        );
        machine.sh(&script).unwrap();
        // As the unit starts it; Debian's path of Java is not there on every system, and `java` is taken then.
        machine.start_program(&format!(
            "JAVA_HOME=/usr/lib/jvm/nosuch ZOOKEEPER_HEAP_MB=128 \
             ZOOKEEPER_OPTS=-Dzookeeper.fastleader.maxNotificationInterval=1000 \
             exec /opt/mesosflow/zookeeper/bin/zookeeper-server /scratch/zk{id}/zoo.cfg > /scratch/zk{id}/log 2>&1"
        ));
    }
    let mut modes: Vec<_> = servers
        .iter()
        .map(|server| machine.until(Duration::from_secs(60), &mode_script(server).text().unwrap()))
        .collect();
    modes.sort();
    assert_eq!(modes, ["follower", "follower", "leader"]);
    let version = "exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && head -n 1 <&3";
    assert!(machine.sh(version).unwrap().contains("version: 3.4.6"));

    // A newer client, as Mesos and everybody else has one: that of Debian's package.
    let client = |server: u16, words: &str| {
        let main = "org.apache.zookeeper.ZooKeeperMain -waitforconnection";
        machine.sh(&format!(
            "java -cp '{packaged}:/scratch/zk1' {main} -server 127.0.0.{server}:2181 {words} 2>&1"
        ))
    };
    client(1, "create /mesos text").unwrap();
    let read = client(3, "get /mesos").unwrap();
    assert!(read.lines().any(|line| line == "text"), "{read}");
    // And without any client, in the servers' own words.
    let ask = |script: crate::script::Script<'_>| machine.sh(&script.text().unwrap()).unwrap();
    assert_eq!(
        data(&ask(data_script(&servers[1], "/mesos"))),
        Ok(Some(b"text".to_vec()))
    );
    client(1, "create /mesos/json.info_0000000002 {}").unwrap();
    let names = children(&ask(children_script(&servers[0], "/mesos"))).unwrap();
    assert_eq!(names.unwrap(), ["json.info_0000000002"]);
    assert_eq!(children(&ask(children_script(&servers[0], "/none"))), Ok(None));
    let nobody = children_script(&node(9), "/mesos").text().unwrap();
    assert!(machine.sh(&nobody).is_err());
}
