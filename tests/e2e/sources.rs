//! Hadoop and Spark out of tarballs of Apache's layout, one fetched by the first master and one of this machine: what is laid out, what
//! serves and runs, a slave that comes later, and what is refused.

use std::path::{Path, PathBuf};

use mesosflow_steps::provider::local::image::image_name;
use mesosflow_tests::{Bench, Hdfs, Node, RUN_LIMIT, assert_healthy};

/// The image's jars packed as Apache does it, in /out.
const PACK: &str = r#"set -eu
cd /out
common=hadoop-2.7.3/share/hadoop/common hdfs=hadoop-2.7.3/share/hadoop/hdfs
mkdir -p $common/lib $hdfs/lib $hdfs/webapps/hdfs hadoop-2.7.3/bin
cp /opt/mesosflow/hadoop-2.7.3/jars/*.jar $common/lib/
mv $common/lib/hadoop-hdfs-*.jar $hdfs/
mv $common/lib/hadoop-*.jar $common/
echo '<h1>the pages of HDFS</h1>' > $hdfs/webapps/hdfs/dfshealth.html
echo 'a program of its own' > hadoop-2.7.3/bin/hdfs
tar --use-compress-program 'gzip -1' -cf hadoop-2.7.3.tar.gz hadoop-2.7.3
spark=spark-3.5.9-bin-hadoop3
mkdir $spark
cp -a /opt/mesosflow/spark-3.5.9/bin /opt/mesosflow/spark-3.5.9/jars /opt/mesosflow/spark-3.5.9/python $spark/
echo 'Spark 3.5.9 built for Hadoop 3.3.4' > $spark/RELEASE
tar -cf $spark.tar $spark
rm -r hadoop-2.7.3 $spark"#;

#[test]
fn tarballs_of_apaches_are_laid_out_and_stay_what_they_are() {
    let mut bench = Bench::new();
    let tars = pack(&bench);
    let (hadoop, spark) = (
        tars.join("hadoop-2.7.3.tar.gz"),
        tars.join("spark-3.5.9-bin-hadoop3.tar"),
    );
    let cluster = bench.cluster();
    let words = ["run", "--cluster", &cluster, "--masters", "1", "--slaves", "1"];
    let tables = |hadoop: &str, spark: &str| format!("[hadoop]\n{hadoop}\n[spark]\n{spark}\n");
    let from = |path: &Path| format!("source = \"url\"\nurl = {:?}", path.display().to_string());

    // Before anything is made.
    let zeros = format!("{}\nsha256 = \"{}\"", from(&hadoop), "0".repeat(64));
    for (of_hadoop, says) in [
        (zeros.as_str(), "`hadoop.sha256` is not that of"),
        (
            "url = \"https://example.org/hadoop.tar.gz\"",
            "`hadoop.source` is `pypi`",
        ),
        ("source = \"url\"", "`hadoop.url` is missing"),
        ("source = \"url\"\nurl = \"nowhere.tar.gz\"", "is not a file"),
        (
            "source = \"url\"\nurl = \"https://example.org/h.tgz\"",
            "`hadoop.sha256` is missing",
        ),
    ] {
        bench.config(&tables(of_hadoop, &from(&spark)));
        bench.say(&words).ended(2).complains(&[says]);
    }
    assert!(!bench.journal().exists());

    bench.config(&tables(&from(&hadoop), &from(&spark)));
    let said = bench.start(&words).finish(RUN_LIMIT).ended(0);
    let run = said.run();
    let nodes = bench.nodes(&run);
    assert_healthy(&nodes);
    let history = bench.history(&run);
    let report = history
        .of("step_succeeded", 1)
        .find(|event| event["step"] == "report")
        .unwrap();
    let report = &report["output"];
    assert_eq!(
        (&report["spark_version"], &report["hadoop_version"]),
        (&"3.5.9".into(), &"2.7.3".into()),
        "{report}"
    );
    assert!(report.get("warnings").is_none(), "{report}");
    nodes.all().iter().for_each(is_laid_out);
    let page = nodes.hub().ask(
        "curl --silent --show-error --fail http://$(hostname -i | cut -d ' ' -f 1):50070/dfshealth.html",
    );
    assert_eq!(page, "<h1>the pages of HDFS</h1>");

    // A slave that comes later has the same, also where the files are gone from here: the first master has it.
    std::fs::remove_file(&spark).unwrap();
    let written = nodes.hub().ask(&format!(
        "head -c 3000000 /dev/urandom > /root/data; {} -put /root/data /kept; sha256sum < /root/data",
        Hdfs::Persistent.command("dfs")
    ));
    bench
        .start(&["add-slaves", "1", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    let nodes = bench.nodes(&run);
    nodes.all().iter().for_each(is_laid_out);
    assert_healthy(&nodes);
    let read = format!("{} -cat /kept | sha256sum", Hdfs::Persistent.command("dfs"));
    assert_eq!(nodes.hub().ask(&read), written);

    // Nor is either needed for the first master's next machine: the others have what was in them.
    std::fs::remove_dir_all(&tars).unwrap();
    bench
        .start(&["replace-node", "master-1", "--yes"])
        .finish(RUN_LIMIT)
        .ended(0);
    let nodes = bench.nodes(&run);
    nodes.all().iter().for_each(is_laid_out);
    assert_healthy(&nodes);
    assert_eq!(nodes.hub().ask(&read), written);

    // Another one is for another cluster.
    bench.config(&tables("source = \"pypi\"", "source = \"pypi\""));
    bench
        .say(&["configure", "--yes"])
        .ended(2)
        .complains(&["hadoop.source", "another cluster"]);
    is_laid_out(nodes.hub());
}

/// The tarballs, in a folder of the bench.
fn pack(bench: &Bench) -> PathBuf {
    let out = bench.path("tars");
    std::fs::create_dir(&out).unwrap();
    let volume = format!("{}:/out", out.display());
    let image = image_name();
    let limits = bench.engine().run_args().iter().map(String::as_str);
    let mut words = vec!["run", "--rm", "--volume", &volume];
    words.extend(limits.filter(|arg| arg.starts_with("--ulimit")));
    words.extend([&image, "bash", "-c", PACK]);
    bench.engine().run(&words).ok();
    out
}

/// Both come from their tarballs, and what runs is that.
#[track_caller]
fn is_laid_out(node: &Node) {
    let seen = node.ask(
        "readlink /root/ephemeral-hdfs/bin/hdfs /root/persistent-hdfs/bin/hadoop /root/spark/jars; ls /opt/mesosflow | grep -E 'hadoop|spark'
         pgrep -af hdfs.server | grep -c -v /opt/mesosflow/hadoop/jars || true",
    );
    let expected = "/opt/mesosflow/hadoop/bin/hdfs\n/opt/mesosflow/hadoop/bin/hdfs\n/opt/mesosflow/spark/jars\nhadoop\nspark\n0";
    assert_eq!(seen, expected, "{}", node.name);
}
