//! What the headers say, what the scripts use, and what the modules set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{is_name, named, of_name, unset};

type Names = BTreeSet<String>;

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// Every script by its name.
fn scripts() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(src().join("shell")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sh"));
    scripts
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Every module's source without its tests and comments, by its path.
fn modules() -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![src().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let source = std::fs::read_to_string(&path).unwrap();
                let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
                let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                let name = path.strip_prefix(src()).unwrap().display().to_string();
                modules.insert(name, lines.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    modules
}

fn names(script: &str, word: &str) -> Names {
    named(script, word).map(str::to_owned).collect()
}

/// The files that a script stands behind, and those that they do.
fn before(name: &str, scripts: &BTreeMap<String, String>) -> Names {
    let lines = scripts[name]
        .lines()
        .filter_map(|line| line.strip_prefix("# after "));
    let direct: Vec<_> = lines.flat_map(|line| line.split(", ")).collect();
    let further = direct.iter().flat_map(|file| {
        assert!(
            scripts.contains_key(*file),
            "{name}.sh is after {file}, which is not there"
        );
        before(file, scripts)
    });
    further
        .chain(direct.iter().map(|file| (*file).to_owned()))
        .collect()
}

/// A script without its comments and without what stands in single quotes, which is another program's.
fn code(script: &str) -> String {
    let mut code = String::new();
    // One level for each `$(` that is open, with its parentheses; true within double quotes.
    let mut levels = vec![(0, false)];
    let mut letters = script.chars().peekable();
    let mut last = '\n';
    while let Some(letter) = letters.next() {
        let within = levels.len() > 1;
        let (depth, quoted) = levels.last_mut().unwrap();
        match letter {
            '\\' => {
                letters.next();
            }
            '#' if !*quoted && " \n;(".contains(last) => {
                while letters.next_if(|&next| next != '\n').is_some() {}
            }
            '\'' if !*quoted => while letters.next().is_some_and(|next| next != '\'') {},
            '"' => *quoted = !*quoted,
            '(' if last == '$' => levels.push((0, false)),
            '(' if !*quoted => *depth += 1,
            // At the bottom, a pattern's end.
            ')' if !*quoted && within && *depth == 0 => {
                levels.pop();
            }
            ')' if !*quoted => *depth -= 1,
            _ => {}
        }
        code.push(letter);
        last = letter;
    }
    code
}

fn name_at(text: &str) -> Option<&str> {
    let name = &text[..text.find(|letter| !of_name(letter)).unwrap_or(text.len())];
    is_name(name).then_some(name)
}

/// The variables of which a script reads the value.
fn used(script: &str) -> Names {
    let code = code(script);
    let plain = code.split('$').skip(1).filter_map(|after| {
        let after = after.strip_prefix('{').unwrap_or(after);
        name_at(after.strip_prefix('#').unwrap_or(after))
    });
    let sums = code
        .split("$((")
        .skip(1)
        .filter_map(|after| after.split("))").next());
    let summed = sums.flat_map(|sum| {
        // Not the words of a command in it.
        let (first, rest) = sum.split_once("$(").unwrap_or((sum, ""));
        let (_, second) = rest.split_once(')').unwrap_or_default();
        [first, second].map(|part| part.split(|letter| !of_name(letter)))
    });
    let summed = summed.flatten().filter(|name| is_name(name));
    plain.chain(summed).map(str::to_owned).collect()
}

/// The variables to which a script gives a value.
fn assigned(script: &str) -> Names {
    let code = code(script);
    let mut names = Names::new();
    let mut words = code.split([' ', '\n', ';', '(', '{', '&', '|']).peekable();
    while let Some(word) = words.next() {
        let name = name_at(word).unwrap_or_default();
        match word {
            // Those of awk.
            "-v" => drop(words.next()),
            "for" => names.extend(words.peek().and_then(|next| name_at(next)).map(str::to_owned)),
            "read" => {
                words.next_if_eq(&"-r");
                while let Some(next) = words.next_if(|next| is_name(next)) {
                    names.insert(next.to_owned());
                }
            }
            _ if !name.is_empty() && word[name.len()..].starts_with('=') => {
                names.insert(name.to_owned());
            }
            _ => {}
        }
    }
    names
}

fn without(names: &Names, others: &Names) -> Names {
    names.difference(others).cloned().collect()
}

#[test]
fn a_header_names_what_its_script_has_from_others() {
    let scripts = scripts();
    for (name, script) in &scripts {
        let (vars, needs) = (names(script, "var"), names(script, "needs"));
        assert!(script.starts_with("# "), "{name}.sh has no header");
        let before = before(name, &scripts);
        let of_them = |word: &str| -> Names {
            before
                .iter()
                .flat_map(|file| names(&scripts[file], word))
                .collect()
        };
        let (own, declared) = (assigned(script), vars.union(&needs).cloned().collect());
        let missing = without(
            &without(&without(&used(script), &own), &of_them("sets")),
            &declared,
        );
        assert_eq!(
            missing,
            Names::new(),
            "{name}.sh uses, and its header does not name"
        );
        let inherited = of_them("needs");
        let missing = without(&without(&inherited, &own), &declared);
        assert_eq!(
            missing,
            Names::new(),
            "{name}.sh calls for, and its header does not name"
        );
        let unset = without(&names(script, "sets"), &own);
        assert_eq!(
            unset,
            Names::new(),
            "the header of {name}.sh says that it sets, and it does not"
        );
        let idle = without(&without(&declared, &used(script)), &inherited);
        assert_eq!(
            idle,
            Names::new(),
            "the header of {name}.sh names, and nothing uses"
        );
    }
}

/// What stands in a module as `.var("NAME", …)` or `("NAME", …)`.
fn set(module: &str) -> Names {
    let heads = [".var(", "("]
        .into_iter()
        .flat_map(|head| module.split(head).skip(1));
    let names = heads.filter_map(|after| {
        let name = name_at(after.trim_start().strip_prefix('"')?)?;
        let (_, rest) = after.split_once(name)?;
        let line = rest.lines().next()?;
        (rest.starts_with("\", ") || rest.starts_with("\",\n"))
            .then_some(name)
            .filter(|_| !line.contains("=>"))
    });
    names.map(str::to_owned).collect()
}

/// The files that a module names as `shell!("FILE")`.
fn files(module: &str) -> Names {
    let calls = module.split("shell!(\"").skip(1);
    calls
        .map(|after| after.split('"').next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_a_script_has_from_others_is_set_by_the_module_that_sends_it() {
    let (scripts, modules) = (scripts(), modules());
    let mut sent = Names::new();
    for (path, module) in modules.iter().filter(|(path, _)| *path != "shell.rs") {
        let files = files(module);
        if files.is_empty() {
            continue;
        }
        // What it defines may be sent by those that name it.
        let stem = path.trim_end_matches(".rs").rsplit('/').next().unwrap();
        let senders = modules
            .values()
            .filter(|other| other.contains(&format!("{stem}::")));
        let set_there: Names = senders.chain([module]).flat_map(|sender| set(sender)).collect();
        let wanted = |file: &String| {
            names(
                scripts
                    .get(file.trim_end_matches(".sh"))
                    .map_or("", String::as_str),
                "var",
            )
        };
        for file in &files {
            let missing = without(&wanted(file), &set_there);
            assert_eq!(missing, Names::new(), "{path} sends {file}, and sets nowhere");
        }
        sent.extend(files);
    }
    let there: Names = scripts.keys().map(|name| format!("{name}.sh")).collect();
    assert_eq!(without(&there, &sent), Names::new(), "nobody sends");
}

#[test]
fn what_a_module_sets_is_used_by_a_script() {
    let (scripts, modules) = (scripts(), modules());
    for (path, module) in modules.iter().filter(|(path, _)| *path != "shell.rs") {
        if !module.contains(".var(") {
            continue;
        }
        // Scripts of its own, those of modules that it names, and those that stand in the module itself.
        let named = modules.iter().filter(|(other, _)| {
            let stem = other.trim_end_matches(".rs").rsplit('/').next().unwrap();
            other == &path || module.contains(&format!("{stem}::"))
        });
        let files: Names = named.flat_map(|(_, other)| files(other)).collect();
        let wanted = files
            .iter()
            .filter_map(|file| scripts.get(file.trim_end_matches(".sh")));
        let wanted: Names = wanted.flat_map(|script| names(script, "var")).collect();
        let calls = module.split(".var(").skip(1);
        for after in calls.filter_map(|after| after.trim_start().strip_prefix('"')) {
            let name = name_at(after).unwrap();
            let stands_here = module.contains(&format!("${name}")) || module.contains(&format!("${{{name}"));
            assert!(
                wanted.contains(name) || stands_here,
                "{path} sets {name}, which no script uses"
            );
        }
    }
}

#[test]
fn no_long_script_stands_in_a_module() {
    for (path, module) in modules() {
        for after in module.split("r#\"").skip(1) {
            let text = after.split("\"#").next().unwrap_or_default().trim_end();
            assert!(
                text.lines().count() < 4,
                "a file of its own in shell/ for what {path} has as\n{text}"
            );
        }
    }
}

#[test]
fn the_comparison_reads_shell() {
    let script = r##"a=1 b="$(c=2; echo "$d" '$e')" # $f
for g in $h; do read -r i j <"${k%)}" || awk -v l="$m" '$n'; done
${#o} "$((p + $(date +%s) + s))" 'x' "it's $q" $(printf '%s' "${r#* })") $HOME $1"##;
    let expected = |names: &str| names.split(' ').map(str::to_owned).collect::<Names>();
    assert_eq!(used(script), expected("d h k m o p q r s"));
    assert_eq!(assigned(script), expected("a b c g i j"));
}

#[test]
fn a_variable_that_is_not_set_is_told() {
    let script =
        "# Does it.\n# var one: the first\n# var two: the second\n# needs three: of a caller\necho $one";
    assert_eq!(unset(script, |name| name == "one"), Some("two"));
    assert_eq!(unset(script, |_| true), None);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "Some(\"path\")")]
fn a_script_without_its_variable_is_not_sent() {
    let _ = crate::remote::quote::with_variables(&[], "# Reads it.\n# var path: the file\ncat \"$path\"");
}
