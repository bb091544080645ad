use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

macro_rules! machine {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/lsblk/", $name, ".json"))
    };
}

/// All of `fixtures/lsblk`, each with the plan for that machine.
fn machines() -> Vec<(&'static str, DisksToFind)> {
    vec![
        (machine!("m1.large"), plan(2, false)),
        (machine!("m3.2xlarge"), plan(2, false)),
        (machine!("m3.2xlarge-old-lsblk"), plan(2, false)),
        (machine!("i3.8xlarge"), plan(4, true)),
        (machine!("m5d.4xlarge"), plan(2, true)),
        (machine!("m5d.4xlarge-mounted"), plan(2, true)),
        (machine!("m5d.4xlarge-one-store"), plan(2, true)),
        (machine!("m5.large"), plan(0, true)),
        (machine!("m5.large-root-second"), plan(0, true)),
        (machine!("m5.large-not-attached"), plan(0, true)),
        (machine!("m5.large-foreign"), plan(0, true)),
    ]
}

fn plan(ephemeral: usize, nvme: bool) -> DisksToFind {
    let volume = EbsVolume {
        id: "vol-0a1b2c3d4e5f60718".into(),
        device: "/dev/sdv".into(),
    };
    DisksToFind {
        ephemeral,
        nvme,
        volume: Some(volume),
    }
}

fn found(ephemeral: &[&str], volume: &str) -> Result<DisksSpec, DiskError> {
    Ok(DisksSpec {
        ephemeral: ephemeral.iter().map(|name| format!("/dev/{name}")).collect(),
        volume: Some(format!("/dev/{volume}")),
    })
}

#[test]
fn each_recorded_machine_shows_its_disks() {
    let [m1, m3, m3_old, i3, m5d, mounted, _, m5, second, _, foreign] = &machines()[..] else {
        panic!("one for each fixture")
    };
    let find = |(seen, plan): &(&str, DisksToFind)| plan.find_in(seen);
    // Xen keeps the letters of the mapping, under a name of its own.
    for xen in [m1, m3, m3_old] {
        assert_eq!(find(xen), found(&["xvdb", "xvdc"], "xvdv"));
    }
    // The order is that of the serial numbers, whatever the names.
    assert_eq!(
        find(i3),
        found(&["nvme1n1", "nvme3n1", "nvme0n1", "nvme2n1"], "xvdv")
    );
    assert_eq!(find(m5d), found(&["nvme2n1", "nvme0n1"], "nvme3n1"));
    // But a disk that is mounted stays where it is.
    assert_eq!(find(mounted), found(&["nvme2n1", "nvme1n1"], "nvme3n1"));
    assert_eq!(find(m5), found(&[], "nvme1n1"));
    assert_eq!(find(second), found(&[], "nvme0n1"));
    // Other volumes are not ours, mounted or blank.
    assert_eq!(find(foreign), found(&[], "nvme2n1"));
}

#[test]
fn what_has_a_line_in_fstab_keeps_its_mount_point() {
    let noted = "/dev/nvme0n1 /mnt\n/dev/nvme3n1 /vol\n/dev/nvme2n1 /elsewhere\n";
    let seen = format!("{noted}{}", machine!("m5d.4xlarge"));
    assert_eq!(
        plan(2, true).find_in(&seen),
        found(&["nvme0n1", "nvme2n1"], "nvme3n1")
    );
    // With fewer wanted than there are, the one that is at home comes first.
    assert_eq!(plan(1, true).find_in(&seen), found(&["nvme0n1"], "nvme3n1"));
    assert_eq!(plan(0, true).find_in(&seen), found(&[], "nvme3n1"));
}

#[test]
fn what_is_missing_may_still_come() {
    let stores = plan(2, true)
        .find_in(machine!("m5d.4xlarge-one-store"))
        .unwrap_err();
    assert_eq!(
        stores.to_string(),
        "the instance type has 2 instance stores, the node shows 1: /dev/nvme1n1"
    );
    assert!(stores.may_pass());
    assert_eq!(stores.class(), ErrorClass::Permanent);
    // Without NVMe the letters count, and here nothing has them.
    let mapped = plan(1, false).find_in(machine!("m5d.4xlarge")).unwrap_err();
    assert_eq!(
        mapped.to_string(),
        "the instance type has 1 instance store, the node shows none"
    );

    let volume = plan(0, true)
        .find_in(machine!("m5.large-not-attached"))
        .unwrap_err();
    assert_eq!(
        volume.to_string(),
        "volume vol-0a1b2c3d4e5f60718 is not attached as /dev/sdv; the node shows 1: \
         /dev/nvme0n1 Amazon Elastic Block Store vol0f9e8d7c6b5a49382"
    );
    assert!(volume.may_pass());
    assert_eq!(volume.class(), ErrorClass::Transient);
}

fn one(name: &str, serial: Option<&str>, mounts: &[&str]) -> Value {
    let model = serial.map(|serial| {
        if serial.starts_with("AWS") {
            STORE_MODEL
        } else {
            VOLUME_MODEL
        }
    });
    json!({ "name": name, "type": "disk", "model": model, "serial": serial, "mountpoints": mounts })
}

fn listing(disks: &[Value]) -> String {
    json!({ "blockdevices": disks }).to_string()
}

#[test]
fn what_cannot_be_told_apart_or_is_in_use_is_refused() {
    let refused = |plan: &DisksToFind, disks: &[Value]| {
        let error = plan.find_in(&listing(disks)).unwrap_err();
        assert!(!error.may_pass(), "{error}");
        error.to_string()
    };
    let volume = Some("vol0a1b2c3d4e5f60718");
    let twice = [one("/dev/nvme1n1", volume, &[]), one("/dev/nvme2n1", volume, &[])];
    assert_eq!(
        refused(&plan(0, true), &twice),
        "vol-0a1b2c3d4e5f60718 could be /dev/nvme1n1 or /dev/nvme2n1"
    );
    let letters = [one("/dev/sdb", None, &[]), one("/dev/xvdb", None, &[])];
    assert_eq!(
        refused(&plan(1, false), &letters),
        "/dev/sdb could be /dev/sdb or /dev/xvdb"
    );
    let mut clash = plan(1, false);
    clash.volume.as_mut().unwrap().device = "/dev/sdb".into();
    assert_eq!(
        refused(&clash, &letters[1..]),
        "/dev/xvdb would be an instance store and volume vol-0a1b2c3d4e5f60718 as well"
    );
    let mut system = one("/dev/xvdv", None, &[]);
    system["children"] = json!([{ "name": "/dev/xvdv1", "type": "part", "mountpoint": "/" }]);
    assert_eq!(
        refused(&plan(0, false), &[system]),
        "vol-0a1b2c3d4e5f60718 is /dev/xvdv, which the node runs from"
    );
    assert_eq!(
        refused(
            &plan(0, true),
            &[one("/dev/nvme1n1", volume, &["/var/lib/docker"])]
        ),
        "/dev/nvme1n1 is in use: mounted on /var/lib/docker"
    );
    // An instance store that the node runs from is not one of ours, and is not counted.
    let mut root = one("/dev/nvme0n1", Some("AWS0"), &[]);
    root["children"] = json!([{ "name": "/dev/nvme0n1p15", "type": "part", "mountpoints": ["/boot/efi"] }]);
    let stores = [root, one("/dev/nvme1n1", Some("AWS1"), &[])];
    let only_stores = |ephemeral| DisksToFind {
        volume: None,
        ..plan(ephemeral, true)
    };
    let rest = only_stores(1).find_in(&listing(&stores)).unwrap();
    assert_eq!(rest.ephemeral, ["/dev/nvme1n1"]);
    assert!(only_stores(2).find_in(&listing(&stores)).unwrap_err().may_pass());
    let mut raid = one("/dev/nvme1n1", Some("AWS1"), &[]);
    raid["children"] = json!([{ "name": "/dev/md0", "type": "raid0", "mountpoints": ["/mnt"] }]);
    assert_eq!(
        refused(&plan(1, true), &[raid]),
        "/dev/nvme1n1 is in use: mounted on /mnt"
    );
    for text in [
        "",
        "lsblk: no such thing",
        "{}",
        r#"{"blockdevices": [{"name": 1}]}"#,
        "é{",
    ] {
        let error = plan(0, true).find_in(text).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("what lsblk printed cannot be read: "),
            "{error}"
        );
    }
}

#[test]
fn a_node_of_named_disks_is_recorded_as_ever() {
    let named = DisksSpec {
        ephemeral: vec!["/dev/vdb".into()],
        volume: Some("/dev/vdc".into()),
    };
    for spec in [DisksSpec::default(), named] {
        let plan = DiskPlan::from(spec.clone());
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(text, serde_json::to_string(&spec).unwrap());
        assert_eq!(serde_json::from_str::<DiskPlan>(&text).unwrap(), plan);
    }
    let found = DiskPlan::Find(plan(2, true));
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(
        text,
        r#"{"ephemeral":2,"nvme":true,"volume":{"id":"vol-0a1b2c3d4e5f60718","device":"/dev/sdv"}}"#
    );
    assert_eq!(serde_json::from_str::<DiskPlan>(&text).unwrap(), found);
    assert_eq!(DiskPlan::default().ephemeral(), 0);
    assert_eq!(found.ephemeral(), 2);
}

#[test]
fn there_are_names_for_the_most_disks_and_none_is_the_volumes() {
    let names: Vec<_> = ephemeral_names().collect();
    assert_eq!(names.len(), 24);
    assert_eq!(names[..2], ["/dev/sdb", "/dev/sdc"]);
    assert!(!names.contains(&"/dev/sdv".into()));
}

/// A Nitro machine that has just booted: its disks in the order of their serial numbers, their names in any order.
#[derive(Debug, Clone)]
struct Booted {
    stores: Vec<String>,
    volume: String,
    /// As lsblk lists them, the root disk and others' volumes among them.
    listed: Vec<Value>,
}

fn booted() -> impl Strategy<Value = Booted> {
    (0_usize..6, 0_usize..4).prop_flat_map(|(stores, others)| {
        let total = stores + others + 2;
        let names: Vec<_> = (0..total).map(|n| format!("/dev/nvme{n}n1")).collect();
        let order: Vec<_> = (0..total).collect();
        let shuffled = (Just(names).prop_shuffle(), Just(order).prop_shuffle());
        shuffled.prop_map(move |(names, order)| {
            let mut root = one(&names[stores + 1], Some("vol0f9e8d7c6b5a49382"), &[]);
            root["children"] = json!([{ "name": "p1", "type": "part", "mountpoints": ["/"] }]);
            let disks: Vec<_> = (0..stores)
                .map(|n| one(&names[n], Some(&format!("AWS{n}")), &[]))
                .chain([one(&names[stores], Some("vol0a1b2c3d4e5f60718"), &[]), root])
                .chain((0..others).map(|n| one(&names[stores + 2 + n], Some(&format!("vol0{n}")), &["/srv"])))
                .collect();
            Booted {
                stores: names[..stores].to_vec(),
                volume: names[stores].clone(),
                listed: order.iter().map(|n| disks[*n].clone()).collect(),
            }
        })
    })
}

proptest! {
    #[test]
    fn names_and_order_of_the_list_do_not_matter(machine in booted()) {
        let disks = plan(machine.stores.len(), true).find_in(&listing(&machine.listed)).unwrap();
        prop_assert_eq!(disks.ephemeral, machine.stores);
        prop_assert_eq!(disks.volume, Some(machine.volume));
    }

    #[test]
    fn a_recorded_machine_means_the_same_in_any_order(
        (seen, plan, listed) in prop::sample::select(machines()).prop_flat_map(|(seen, plan)| {
            let listing: Value = serde_json::from_str(seen).unwrap();
            let disks = listing["blockdevices"].as_array().unwrap().clone();
            (Just(seen), Just(plan), Just(disks).prop_shuffle())
        }),
    ) {
        let shuffled = plan.find_in(&listing(&listed));
        match plan.find_in(seen) {
            Ok(disks) => prop_assert_eq!(shuffled, Ok(disks)),
            Err(_) => prop_assert!(shuffled.unwrap_err().may_pass()),
        }
    }

    #[test]
    fn whatever_is_asked_no_disk_is_given_twice_and_the_root_never(
        (seen, _) in prop::sample::select(machines()),
        ephemeral in 0_usize..6,
        nvme: bool,
        serial in "vol-0(a1b2c3d4e5f60718|f9e8d7c6b5a49382|123456789abcdef0)",
        letter in prop::char::range('a', 'z'),
        noted in prop::collection::vec(("/dev/(xvd[a-d]|nvme[0-3]n1)", "/(mnt|mnt2|mnt3|vol)"), 0..5),
    ) {
        let volume = EbsVolume { id: serial, device: format!("/dev/sd{letter}") };
        let plan = DisksToFind { ephemeral, nvme, volume: Some(volume) };
        let noted: String = noted.iter().map(|(device, mount)| format!("{device} {mount}\n")).collect();
        let Ok(disks) = plan.find_in(&format!("{noted}{seen}")) else { return Ok(()) };
        let given: Vec<_> = disks.ephemeral.iter().chain(&disks.volume).collect();
        let mut once = given.clone();
        once.sort();
        once.dedup();
        prop_assert_eq!(once.len(), given.len());
        for disk in read(seen).unwrap().iter().filter(|disk| disk.is_system) {
            prop_assert!(!given.contains(&&disk.name));
        }
    }
}
