//! One's own files over the deployed tree, and clusters side by side in one journal: an unknown variable is refused before
//! anything is pushed, with the file and the variable; a file that replaces one of ours, and a new one, land rendered on
//! every node; of two clusters brought up at once, destroying one leaves the other as it was.

use mesosflow_tests::{Bench, RUN_LIMIT, assert_healthy};

#[test]
fn an_overlay_is_rendered_strictly_and_two_clusters_live_side_by_side() {
    let mut bench = Bench::new();
    let (plain, overlaid) = (bench.cluster(), bench.cluster());
    bench.write(
        "deploy/root/mesos-ec2/site/motto",
        "{{ cluster }} has {{ slavs }}\n",
    );
    let config = format!("cluster = '{overlaid}'\nmasters = 1\nslaves = 1\ndeploy_dir = 'deploy'\n");
    let config = bench.config(&config).display().to_string();

    let mut second = bench.start(&["run", "--config", &config]);
    let overlaid_run = second.run();
    let said = second.finish(RUN_LIMIT).ended(1);
    said.complains(&["render-config", "root/mesos-ec2/site/motto", "slavs", "resume"]);
    let history = bench.history(&overlaid_run);
    assert!(
        !history.started_steps(1).contains("push-config"),
        "something was pushed"
    );

    let slaves = "{% for slave in slaves %}{{ slave.name }}{% endfor %}";
    bench.write(
        "deploy/root/mesos-ec2/site/motto",
        &format!("{{{{ cluster }}}} has {slaves}\n"),
    );
    bench.write(
        "deploy/root/mesos-ec2/zookeeper/log4j.properties",
        "# quorum {{ quorum }}\n",
    );
    let mut first = bench.start(&[
        "run",
        "--cluster",
        &plain,
        "--masters",
        "1",
        "--slaves",
        "1",
        "--config",
        &config,
    ]);
    let plain_run = first.run();
    let second = bench.start(&["resume", &overlaid_run]);
    second.finish(RUN_LIMIT).ended(0);
    first.finish(RUN_LIMIT).ended(0);

    let nodes = bench.nodes(&overlaid_run);
    let slave = nodes.of("slave")[0];
    for node in nodes.all() {
        let motto = node.ask("cat /root/mesos-ec2/site/motto");
        assert_eq!(
            motto,
            format!("{overlaid} has {}", slave.name),
            "on {}",
            node.name
        );
        let replaced = node.ask("cat /root/mesos-ec2/zookeeper/log4j.properties");
        assert_eq!(replaced, "# quorum 1", "on {}", node.name);
    }
    side_by_side(&mut bench, [&plain_run, &overlaid_run], [&plain, &overlaid]);
}

fn side_by_side(bench: &mut Bench, [kept, gone]: [&str; 2], clusters: [&str; 2]) {
    let nodes = bench.nodes(kept);
    for run in [kept, gone] {
        bench.status(run).all_done();
        assert_healthy(&bench.nodes(run));
    }
    assert_eq!(
        bench
            .say(&["list", "--json"])
            .ended(0)
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Without saying which, nothing is destroyed.
    bench.say(&["destroy", "--yes"]).ended(2).complains(&[kept, gone]);

    bench
        .say(&["destroy", "--cluster", clusters[1], "--yes"])
        .ended(0);
    assert!(bench.engine().containers(clusters[1]).is_empty());
    assert!(bench.engine().networks(clusters[1]).is_empty());
    assert_eq!(bench.engine().containers(clusters[0]), nodes.containers());
    bench.status(kept).all_done();
    assert_healthy(&nodes);
}
