//! The bill of materials, in CycloneDX: what the programs are built from, as Cargo resolved it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::{
    programs::{Arch, PROGRAMS},
    project, tools,
    version::{VERSION, time},
};

/// Writes the bill of both programs for Linux, of whatever architecture.
pub(crate) fn write(out: &Path) -> Result<PathBuf> {
    let file = out.join(format!("concierge-{VERSION}.cdx.json"));
    fs::write(&file, format!("{:#}\n", bill(&metadata(Arch::value_variants())?, &checksums()?)?))?;
    Ok(file)
}

/// Lets CycloneDX' own library judge the bill by the published schema.
pub(crate) fn validate(bill: &Path) -> Result<()> {
    let judge = "import sys\nfrom cyclonedx.schema import SchemaVersion\nfrom cyclonedx.validation.json import JsonStrictValidator\n\
        found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        sys.exit(str(found) if found else 0)";
    tools::run(Command::new(tools::installed()?.join("python")).args(["-c", judge]).arg(bill))
}

fn metadata(architectures: &[Arch]) -> Result<Value> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version=1", "--locked"]);
    cargo.args(architectures.iter().flat_map(|arch| ["--filter-platform", arch.target()]));
    Ok(serde_json::from_str(&tools::said(cargo.current_dir(project()))?)?)
}

/// The checksums in Cargo.lock, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>> {
    let lock = fs::read_to_string(project().join("Cargo.lock"))?;
    let field = |package: &str, name: &str| {
        let start = package.find(&format!("\n{name} = \""))? + name.len() + 5;
        package[start..].split('"').next().map(str::to_owned)
    };
    let packages = lock.split("[[package]]").skip(1);
    Ok(packages
        .filter_map(|one| Some(((field(one, "name")?, field(one, "version")?), field(one, "checksum")?)))
        .collect())
}

fn bill(metadata: &Value, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let nodes = by_id(&metadata["resolve"]["nodes"])?;
    let packages = by_id(&metadata["packages"])?;
    let reached = reached(&packages, &nodes);
    ensure!(reached.len() > 50, "only {} packages", reached.len());
    let components: Vec<_> = reached.iter().map(|id| component(packages[id], checksums)).collect();
    let dependencies: Vec<_> = reached
        .iter()
        .map(|id| {
            let on: Vec<_> =
                needs(nodes[id]).filter(|id| reached.contains(id)).map(|id| purl(packages[id])).collect();
            json!({"ref": purl(packages[id]), "dependsOn": on})
        })
        .collect();
    let created = jiff::Timestamp::from_second(i64::try_from(time()?)?)?.to_string();
    let of = json!({"type": "application", "bom-ref": "concierge", "name": "concierge", "version": VERSION});
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "version": 1, "metadata": {"timestamp": created, "component": of}, "components": components,
        "dependencies": dependencies,
    }))
}

fn by_id(list: &Value) -> Result<BTreeMap<&str, &Value>> {
    let list = list.as_array().context("cargo metadata lacks a list")?;
    Ok(list.iter().filter_map(|one| Some((one["id"].as_str()?, one))).collect())
}

/// The ids of what the programs are built from, themselves included.
fn reached<'a>(
    packages: &BTreeMap<&'a str, &'a Value>,
    nodes: &BTreeMap<&str, &'a Value>,
) -> BTreeSet<&'a str> {
    let is_program = |package: &Value| PROGRAMS.iter().any(|program| package["name"] == **program);
    let mut next: Vec<_> =
        packages.iter().filter(|(_, package)| is_program(package)).map(|(id, _)| *id).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = next.pop() {
        if reached.insert(id) {
            next.extend(nodes.get(id).into_iter().flat_map(|node| needs(node)));
        }
    }
    reached
}

/// What a package is linked with: neither what only builds it nor what tests it.
fn needs(node: &Value) -> impl Iterator<Item = &str> {
    let linked = |one: &&Value| {
        one["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    node["deps"].as_array().into_iter().flatten().filter(linked).filter_map(|one| one["pkg"].as_str())
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(package, "name"), text(package, "version"))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": purl(package), "name": text(package, "name"), "version": text(package, "version"),
        "purl": purl(package),
    });
    if let Some(license) = package["license"].as_str() {
        // The form before SPDX had a word for it.
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(checksum) = checksums.get(&(text(package, "name"), text(package, "version"))) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn text(package: &Value, field: &str) -> String {
    package[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_in_the_bill_and_what_only_tests_or_builds_is_not() {
        let metadata = metadata(Arch::value_variants()).unwrap();
        let bill = bill(&metadata, &checksums().unwrap()).unwrap();
        let components = bill["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|one| one["name"] == name);
        for linked in ["concierge-webhook", "rustls", "serde_json"] {
            assert!(named(linked).is_some(), "{linked}");
        }
        for other in ["concierge-tests", "boon", "cc", "clap_mangen"] {
            assert!(named(other).is_none(), "{other}");
        }
        assert_eq!(named("rustls").unwrap()["hashes"][0]["content"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn what_only_one_architecture_is_linked_with_is_in_the_bill() {
        let linked = |architectures: &[Arch]| {
            let bill = bill(&metadata(architectures).unwrap(), &checksums().unwrap()).unwrap();
            let components = bill["components"].as_array().unwrap().iter();
            components.map(|one| one["purl"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        };
        let of_each = Arch::value_variants().iter().flat_map(|arch| linked(&[*arch]));
        assert_eq!(of_each.collect::<BTreeSet<_>>(), linked(Arch::value_variants()));
    }
}
