//! Killed at any moment and run again, it is as if it had never been killed; and no file is ever half there.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::role::rig::{Facts, Node};

const TIMES: u32 = 24;

fn prepared(node: &Node) {
    node.forget();
    node.told(&Facts::slave());
    node.once();
    node.write("/etc/mesos-slave/isolation", "posix/cpu\n");
    node.write(
        "/etc/mesosflow/hosts",
        "10.9.9.9 demo-master-1\n10.9.9.44 demo-slave-1\n",
    );
    node.write(
        "/etc/mesosflow/names",
        include_str!("../../../steps/roles/mesos/names"),
    );
    node.write("/root/spark/conf/spark-defaults.conf", "x 10.9.9.9:9000\n");
    node.write(
        "/var/lib/mesosflow/role/published",
        "epoch=7\nfirst_master=10.9.9.8\nfirst_master_name=demo-master-1\n",
    );
    // Others of nearly everything.
    let next = Facts::slave()
        .with("epoch", "4")
        .with("zookeepers", "10.9.9.1:2181")
        .with("folders", "/mnt/a,/mnt/b");
    node.told(
        &next
            .without("agent_flag")
            .and("agent_flag", "--attributes=rack:1")
            .and("agent_flag", "--launcher=linux"),
    );
}

fn all(node: &Node) -> String {
    let hosts = node.sh("cat /etc/hosts /root/spark/conf/spark-defaults.conf; ls -A /etc /root/spark/conf | grep -e mesosflow").out;
    node.state() + &hosts
}

#[test]
fn a_run_that_is_killed_is_only_to_be_run_again() {
    let node = Node::plain();
    let hosts = node.read("/etc/hosts").unwrap();
    let reset = || {
        node.write("/etc/hosts", format!("{hosts}\n"));
        prepared(&node);
    };
    reset();
    let began = Instant::now();
    node.once();
    let whole = began.elapsed();
    let wanted = all(&node);
    assert!(
        wanted.contains("rack:1")
            && wanted.contains("10.9.9.8:9000")
            && wanted.contains("10.9.9.4 demo-slave-1"),
        "{wanted}"
    );
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    for time in 0..TIMES {
        reset();
        // Spread over the whole of it, and a little at random.
        let after = whole * time / TIMES + Duration::from_micros(u64::from(seed.rotate_left(time) % 4000));
        let mut child = node.role_command(&["--once"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let until = Instant::now() + after;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_micros(500));
        }
        // By its name inside: what was started is only the way in.
        node.sh("for at in /proc/[0-9]*; do tr '\\0' ' ' < $at/cmdline 2>/dev/null | grep -q '[m]esosflow-role --once' && kill -9 ${at#/proc/}; done; true").ok();
        let _ended = child.wait().unwrap();
        for (file, text) in [
            ("/etc/mesos-slave/ip", "10.9.9.4"),
            ("/etc/mesos-slave/work_dir", "/mnt/mesos-work"),
        ] {
            assert_eq!(node.read(file).as_deref(), Some(text), "{time}");
        }
        node.once();
        assert_eq!(all(&node), wanted, "killed after {after:?}");
    }
}

#[test]
fn a_disk_that_is_full_leaves_what_was_there() {
    let node = Node::plain();
    node.told(&Facts::slave());
    node.once();
    node.sh("cp -a /etc/mesos-slave /tmp/before && mount -t tmpfs -o size=64k none /etc/mesos-slave && cp -a /tmp/before/. /etc/mesos-slave/").ok();
    node.sh("dd if=/dev/zero of=/etc/mesos-slave/zz bs=512 2>/dev/null; mv /etc/mesos-slave/zz /etc/mesos-slave/.filler").ok();
    node.told(&Facts::slave().with("name", "another-name").with("epoch", "4"));
    assert_ne!(node.role(&["--once"]).code, 0);
    assert_eq!(node.read("/etc/mesos-slave/hostname").unwrap(), "demo-slave-1");
    node.sh("rm /etc/mesos-slave/.filler").ok();
    node.once();
    assert_eq!(node.read("/etc/mesos-slave/hostname").unwrap(), "another-name");
}
