//! Which modules of a crate use each other in a circle, by their `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

/// The modules that each module uses, by their paths: `engine::run`.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The circles among the modules below `src`, each as the paths of its modules. What only tests use does not count. Nor does what a module
/// takes from those above it: that is what they are for.
///
/// # Errors
/// When a file can't be read.
pub fn circles(src: &Path) -> io::Result<Vec<BTreeSet<String>>> {
    let mut texts = BTreeMap::new();
    read(src, "", &mut texts)?;
    let uses: Uses =
        texts.iter().map(|(module, text)| (module.clone(), used(module, text, &texts))).collect();
    let reached: Uses = uses.keys().map(|module| (module.clone(), reached(module, &uses))).collect();
    let circle = |module: &String| {
        let back = reached[module].iter().filter(|other| reached[*other].contains(module));
        back.cloned().collect::<BTreeSet<_>>()
    };
    let circles: BTreeSet<_> = uses.keys().map(circle).filter(|circle| circle.len() > 1).collect();
    Ok(circles.into_iter().collect())
}

/// Reads the files below `folder`, without their tests, by the paths of their modules.
fn read(folder: &Path, module: &str, texts: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = match stem.as_str() {
            "tests" => continue,
            "mod" | "lib" | "main" => module.to_owned(),
            _ if module.is_empty() => stem,
            _ => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            read(&path, &name, texts)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
            texts.insert(name, text[..end].to_owned());
        }
    }
    Ok(())
}

/// The modules that `text`, which is that of `module`, uses.
fn used(module: &str, text: &str, known: &BTreeMap<String, String>) -> BTreeSet<String> {
    let statements = text.split("\nuse ").skip(1).filter_map(|rest| rest.split(';').next());
    let paths = statements.flat_map(|tree| expanded("", tree)).filter_map(|path| {
        let path = path.split_once(" as ").map_or(&*path, |(path, _)| path);
        absolute(module, path)
    });
    let modules = paths.filter_map(|path| {
        let parts: Vec<_> = path.split("::").collect();
        (1..=parts.len()).rev().map(|length| parts[..length].join("::")).find(|path| known.contains_key(path))
    });
    modules.filter(|other| other != module && !module.starts_with(&format!("{other}::"))).collect()
}

/// The paths of a `use` tree: `a::{b, c::{d, e}}`.
fn expanded(before: &str, tree: &str) -> Vec<String> {
    let Some((path, list)) = tree.split_once('{') else { return vec![format!("{before}{}", tree.trim())] };
    let list = list.trim_end().trim_end_matches('}');
    let mut depth = 0;
    let items = list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let before = format!("{before}{}", path.trim());
    items.filter(|item| !item.trim().is_empty()).flat_map(|item| expanded(&before, item)).collect()
}

/// The path from the crate's root of what `module` calls `path`; `None` in another crate.
fn absolute(module: &str, path: &str) -> Option<String> {
    let mut above: Vec<_> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut parts = path.split("::").peekable();
    match parts.next()? {
        "crate" => above.clear(),
        "self" => {}
        "super" => {
            above.pop();
            while parts.next_if_eq(&"super").is_some() {
                above.pop();
            }
        }
        _ => return None,
    }
    Some(above.into_iter().chain(parts).collect::<Vec<_>>().join("::"))
}

/// All modules that `module` uses, and that those use.
fn reached(module: &str, uses: &Uses) -> BTreeSet<String> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(module) = next.pop() {
        next.extend(uses[module].iter().filter(|other| reached.insert((*other).clone())).map(String::as_str));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_use_each_other_are_found_and_a_child_that_uses_its_parent_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("lib.rs", "mod a;\nmod b;\nmod c;\n");
        write("a.rs", "\nuse crate::{\n    b::{self, B},\n    c::C,\n};\n");
        write("b.rs", "mod part;\n\nuse self::part::Part;\nuse std::fmt;\n");
        write("b/part.rs", "\nuse super::B;\nuse super::super::a::A as Other;\n");
        write("c.rs", "\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
        let circle = ["a", "b", "b::part"].map(str::to_owned).into();
        assert_eq!(circles(dir.path()).unwrap(), [circle]);
        write("b/part.rs", "\nuse super::B;\n");
        assert!(circles(dir.path()).unwrap().is_empty());
    }
}
