//! How the files of each crate stand to one another: what a file takes from another, it takes from below. A `mod.rs` that hands a name on
//! is no room of its own: who takes the name takes it from the file that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a room of `steps` takes nothing from: what stands above it.
const FLOORS: [(&str, &str); 9] = [
    ("cluster", "provider"),
    ("cluster", "software"),
    ("cluster", "remote"),
    ("provider", "software"),
    ("provider", "disks"),
    ("provider", "world"),
    ("world", "setup"),
    ("world", "provision"),
    ("check", "setup"),
];

fn is_in(module: &str, room: &str) -> bool {
    module
        .strip_prefix(room)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Which module takes something from which others.
type Needs = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_files_need_one_another() {
    let crates = ["cli", "steps", "workflow", "journal"].map(|name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        (name, house(&folder.join("src")))
    });
    let [(_, program), (_, steps), (_, workflow), (_, journal)] = &crates;
    assert!(program["error"].contains("exit"), "{program:?}");
    assert!(program["commands"].contains("commands::run"), "{program:?}");
    assert!(journal["read"].contains("walk"), "{journal:?}");
    assert!(workflow["fan_out"].contains("flow"), "{workflow:?}");
    assert!(
        steps["workflows::set_up"].contains("setup::hdfs_format"),
        "{steps:?}"
    );
    for (floor, above) in FLOORS {
        for (module, needs) in steps.iter().filter(|(module, _)| is_in(module, floor)) {
            let reached: Vec<_> = needs.iter().filter(|other| is_in(other, above)).collect();
            assert!(reached.is_empty(), "{module} reaches up to {reached:?}");
        }
    }
    for (name, needs) in &crates {
        assert_eq!(
            circle(needs),
            None,
            "these files of {name} need one another in a circle"
        );
    }
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let code = |name: &str, code: &str| (name.to_owned(), code.to_owned());
    let found = |sources: &[(String, String)]| {
        let all: BTreeMap<_, _> = sources.iter().cloned().collect();
        circle(&needs_of(&all))
    };
    let (ui, main) = (
        code("ui", "use crate::error::CliError;"),
        code("", "use crate::ui::Ui;"),
    );
    let straight = code("error", "use crate::exit::Exit;\nfn f() { exit() }");
    assert_eq!(found(&[ui.clone(), straight, main.clone()]), None);
    for back in [
        "use crate::ui::clean;",
        "use crate::{exit, ui};",
        "use crate::{exit::{self, Exit}, ui::{clean, width}};",
        "fn f() { crate::ui::clean() }",
    ] {
        let circle = found(&[ui.clone(), code("error", back), main.clone()]).unwrap();
        assert_eq!(circle, ["error", "ui"], "{back}");
    }
    // Through the face of a folder.
    let face = code(
        "steps",
        "mod one;\nmod two;\npub use one::One;\npub(crate) use two::{Two as Second, three};",
    );
    let one = |uses: &str| code("steps::one", uses);
    let two = code("steps::two", "use super::One;");
    assert_eq!(found(&[face.clone(), one(""), two.clone()]), None);
    assert!(found(&[face, one("use crate::steps::Second;"), two]).is_some());
    let below = code("render::plain", "use super::{event, progress::Show};");
    let above = code("render::progress", "use super::plain::Plain;");
    assert!(found(&[below, above]).is_some());
}

/// What each file under `src` needs.
fn house(src: &Path) -> Needs {
    let mut sources = BTreeMap::new();
    let mut folders = vec![(src.to_owned(), Vec::new())];
    while let Some((folder, path)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap().path();
            let name = entry.file_stem().unwrap().to_string_lossy().into_owned();
            let within: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
            if entry.is_dir() {
                folders.push((entry, within));
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let module = match name.as_str() {
                    "mod" | "main" | "lib" => path.join("::"),
                    _ => within.join("::"),
                };
                sources.insert(module, code(&std::fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    needs_of(&sources)
}

/// A source without its tests and comments.
fn code(source: &str) -> String {
    let (code, _) = source
        .split_once("#[cfg(test)]\nmod tests")
        .unwrap_or((source, ""));
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn needs_of(sources: &BTreeMap<String, String>) -> Needs {
    let handed_on = handed_on(sources);
    let needs = sources.iter().map(|(module, code)| {
        let (code, _) = parted(code);
        let code = &code;
        let above = module.rsplit_once("::").map_or("", |(above, _)| above);
        let mut named = Vec::new();
        for (word, base) in [("crate", ""), ("super", above), ("self", module)] {
            for rest in behind(code, word) {
                paths(rest, base, &mut named);
            }
        }
        // What it declares it may name without any more words.
        for child in sources.keys() {
            let parted = child.rsplit_once("::").unwrap_or(("", child));
            if parted.0 == module && !child.is_empty() && !behind(code, parted.1).is_empty() {
                named.push(child.clone());
            }
        }
        let found = named.iter().filter_map(|path| owner(path, sources, &handed_on));
        let others = found.filter(|other| other != module);
        (module.clone(), others.collect())
    });
    needs.collect()
}

/// What follows each `word::` that is not a part of a longer path.
fn behind<'c>(code: &'c str, word: &str) -> Vec<&'c str> {
    let places = code.match_indices(word).filter_map(|(at, _)| {
        let begins = !code[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric());
        let rest = code[at + word.len()..].strip_prefix("::")?;
        begins.then_some(rest)
    });
    places.collect()
}

/// The paths that a use tree names, from `base` on. Returns what comes behind it.
fn paths<'c>(tree: &'c str, base: &str, named: &mut Vec<String>) -> &'c str {
    let tree = tree.trim_start();
    if let Some(mut rest) = tree.strip_prefix('{') {
        loop {
            rest = paths(rest, base, named).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            if rest.is_empty() || rest.starts_with('}') {
                return rest.strip_prefix('}').unwrap_or(rest);
            }
        }
    }
    let end = tree.find(|c: char| c != '_' && !c.is_alphanumeric());
    let (word, rest) = tree.split_at(end.unwrap_or(tree.len()));
    let path = match base {
        "" => word.to_owned(),
        _ => format!("{base}::{word}"),
    };
    named.push(path.clone());
    match rest.strip_prefix("::") {
        Some(below) => paths(below, &path, named),
        // What is neither a word nor a sign of a tree ends it.
        None if word.is_empty() => rest.get(1..).unwrap_or_default(),
        None => rest,
    }
}

/// A source without what it hands on, and the use trees of that.
fn parted(code: &str) -> (String, Vec<&str>) {
    let (mut own, mut trees, mut rest) = (String::new(), Vec::new(), code);
    while let Some(at) = rest.find("pub") {
        let (before, from) = rest.split_at(at);
        own.push_str(before);
        let tree = from["pub".len()..]
            .trim_start_matches("(crate)")
            .trim_start_matches("(super)");
        match tree.strip_prefix(" use ").and_then(|tree| tree.split_once(';')) {
            Some((tree, behind)) => {
                trees.push(tree);
                rest = behind;
            }
            None => {
                own.push_str("pub");
                rest = &from["pub".len()..];
            }
        }
    }
    own.push_str(rest);
    (own, trees)
}

/// What each name that a module hands on is called where it is.
fn handed_on(sources: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (module, code) in sources {
        let above = module.rsplit_once("::").map_or("", |(above, _)| above);
        for tree in parted(code).1 {
            let (tree, base) = match tree.split_once("::") {
                Some(("crate", tree)) => (tree, ""),
                Some(("super", tree)) => (tree, above),
                Some(("self", tree)) => (tree, module.as_str()),
                _ => (tree, module.as_str()),
            };
            let mut named = Vec::new();
            paths(tree, base, &mut named);
            for path in named {
                if let Some((_, name)) = path.rsplit_once("::") {
                    let name = match module.as_str() {
                        "" => name.to_owned(),
                        _ => format!("{module}::{name}"),
                    };
                    all.insert(name, path);
                }
            }
        }
    }
    all
}

/// The module that has what `path` names, if `path` goes into one and no further.
fn owner(
    path: &str,
    sources: &BTreeMap<String, String>,
    handed_on: &BTreeMap<String, String>,
) -> Option<String> {
    let mut path = path.to_owned();
    // A name may be handed on several times; one that is called as its own module is there already.
    for _ in 0..8 {
        match handed_on.get(&path) {
            Some(there) if *there != path && !sources.contains_key(&path) => path.clone_from(there),
            _ => break,
        }
    }
    while !sources.contains_key(&path) {
        path = path.rsplit_once("::")?.0.to_owned();
    }
    Some(path)
}

/// The modules of a circle, if there is one: what is left when whoever needs nobody that is left has gone.
fn circle(needs: &Needs) -> Option<Vec<String>> {
    let mut left: BTreeSet<&String> = needs.keys().collect();
    loop {
        let before = left.len();
        let stay = |module: &&String| needs[*module].iter().any(|other| left.contains(other));
        let after: BTreeSet<_> = left.iter().copied().filter(stay).collect();
        let needed = |module: &&String| after.iter().any(|other| needs[*other].contains(*module));
        left = after.iter().copied().filter(needed).collect();
        if left.len() == before {
            break;
        }
    }
    (!left.is_empty()).then(|| left.into_iter().cloned().collect())
}
