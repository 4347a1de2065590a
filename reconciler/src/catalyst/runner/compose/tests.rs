#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::{Value, json};

use super::*;

fn values() -> Values {
    let one = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    Values { variables: one("PORT", "3000"), images: one("web", "registry.example.com/shop/web:1") }
}

fn converted(text: &str) -> Result<(Vec<Value>, Vec<String>), String> {
    let mut problems = Problems::new("compose.yaml");
    let files = |name: &str| {
        if name == "app.env" {
            Ok("FROM_FILE='x y'\n# no\n".to_owned())
        } else {
            Err(format!("{name} is not there"))
        }
    };
    let list = convert::manifests(text, &values(), &files, &mut problems);
    let notes = problems.result().map_err(|error| error.to_string())?;
    Ok((list["items"].as_array().unwrap().clone(), notes))
}

fn find<'a>(items: &'a [Value], kind: &str, name: &str) -> &'a Value {
    items.iter().find(|item| item["kind"] == kind && item["metadata"]["name"] == name).unwrap()
}

const SHOP: &str = r#"
x-common: &common
  env_file: app.env
services:
  web:
    <<: *common
    build: .
    ports: ["127.0.0.1:8080:${PORT}", "9229/tcp"]
    environment: { DEBUG: true, DB: "postgres://db:5432/${NAME:-shop}", EMPTY: null, PORT: }
    command: npm run "dev server"
    depends_on: [db]
    working_dir: /app
    user: "1000:1000"
    healthcheck: { test: "curl -f http://localhost", interval: 1m30s, retries: 3 }
    deploy: { resources: { limits: { cpus: "0.5", memory: 256M } } }
    volumes: [".:/app", "/app/node_modules"]
  db:
    image: postgres:16
    restart: always
    environment:
      - POSTGRES_PASSWORD=a$$b
      - PORT
    volumes:
      - data:/var/lib/postgresql/data
  tool:
    image: tool
    profiles: [debug]
volumes:
  data: {}
"#;

#[test]
fn a_compose_file_becomes_deployments_services_and_claims() {
    let (items, notes) = converted(SHOP).unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| {
            format!("{}/{}", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        names,
        ["Deployment/db", "Service/db", "Deployment/web", "Service/web", "PersistentVolumeClaim/data"]
    );
    assert_eq!(
        notes,
        [
            "compose.yaml:16:15: services.web.volumes[0] is a folder of the host and is not mounted; copy it into the image"
        ]
    );
    let container = &find(&items, "Deployment", "web")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/shop/web:1");
    assert_eq!(container["args"], json!(["npm", "run", "dev server"]));
    let env = json!([
        { "name": "DB", "value": "postgres://db:5432/shop" }, { "name": "DEBUG", "value": "true" },
        { "name": "FROM_FILE", "value": "x y" }, { "name": "PORT", "value": "3000" },
    ]);
    assert_eq!(container["env"], env);
    let resources = json!({ "requests": { "cpu": "500m", "memory": "256Mi" }, "limits": { "cpu": "500m", "memory": "256Mi" } });
    assert_eq!(container["resources"], resources);
    assert_eq!(container["readinessProbe"]["exec"]["command"][2], "curl -f http://localhost");
    assert_eq!(
        (&container["readinessProbe"]["periodSeconds"], &container["readinessProbe"]["failureThreshold"]),
        (&json!(90), &json!(3))
    );
    assert_eq!(
        container["securityContext"],
        json!({ "allowPrivilegeEscalation": false, "runAsUser": 1000, "runAsGroup": 1000 })
    );
    let ports: Vec<_> = find(&items, "Service", "web")["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["port"].clone(), port["targetPort"].clone()))
        .collect();
    assert_eq!(ports, [(json!(3000), json!(3000)), (json!(9229), json!(9229)), (json!(80), json!(3000))]);

    let db = find(&items, "Deployment", "db");
    assert_eq!(db["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(
        db["spec"]["template"]["spec"]["containers"][0]["env"][1],
        json!({ "name": "POSTGRES_PASSWORD", "value": "a$b" })
    );
    assert_eq!(find(&items, "Service", "db")["spec"]["clusterIP"], "None");
}

#[test]
fn the_only_service_with_a_public_port_is_what_the_address_leads_to() {
    let (items, _) = converted(
        "services: { front: { image: a, ports: ['8080:8000'] }, back: { image: b, ports: [9000] } }",
    )
    .unwrap();
    assert_eq!(find(&items, "Service", "web")["spec"]["selector"]["app.kubernetes.io/name"], "front");
    let (items, _) =
        converted("services: { a: { image: a, ports: ['1:1'] }, b: { image: b, ports: ['2:2'] } }").unwrap();
    assert!(items.iter().all(|item| item["metadata"]["name"] != "web"));
}

/// Each with its place, and none with a value.
#[test]
fn what_can_not_be_is_told_with_its_place() {
    for (text, expect) in [
        (
            "services:\n  web:\n    image: a\n    ports: ['x:80']",
            "compose.yaml:4:13: services.web.ports[0] \"x:80\" is no port; write it as 80",
        ),
        (
            "services:\n  web:\n    image: a\n    privileged: true",
            "compose.yaml:4:17: services.web.privileged is not possible",
        ),
        (
            "services:\n  web:\n    image: a\n    network_mode: host",
            "services.web.network_mode is not possible",
        ),
        ("services:\n  web:\n    image: a\n    cap_add: [NET_ADMIN]", "services.web.cap_add is not possible"),
        ("services:\n  my_db:\n    image: a", "services.my_db can't be the name of a Service"),
        ("services:\n  api:\n    build: .", "services.api.build has no image: add a build called api"),
        ("services:\n  api: {}", "services.api has neither image nor build"),
        ("services: {}", "services has none"),
        ("services:\n  web: { image: 'a:${TAG:?hunter2}' }", "services.web.image wants the variable TAG"),
        ("services:\n  web: { image: a, command: \"a 'hunter2\" }", "services.web.command has a quote"),
        (
            "services:\n  web:\n    image: a\n    environment: hunter2",
            "compose.yaml:4:5: \"environment\" is not as compose files have it",
        ),
        (
            "services:\n  web:\n    image: a\n    environment: ['A B=hunter2']",
            "services.web.environment has an entry that is no variable",
        ),
        ("services:\n  web: { image: a, env_file: [x.env] }", "services.web.env_file : x.env is not there"),
        (
            "services:\n  web: { image: a, deploy: { resources: { limits: { memory: much } } } }",
            "services.web.deploy.resources has an amount",
        ),
        (
            "services:\n  web: { image: a, volumes: ['data:relative'] }",
            "services.web.volumes[0] is mounted at no absolute path",
        ),
        ("services:\n  web: [\n", "compose.yaml:"),
        ("include: [other.yaml]\nservices: { web: { image: a } }", "include brings other files"),
    ] {
        let error = converted(text).unwrap_err();
        assert!(error.contains(expect) && !error.contains("hunter2"), "{text}\n{error}");
    }
}

#[test]
fn no_file_outside_of_the_source_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (source, secret) = (folder.path().join("source"), folder.path().join("secret"));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(&secret, "A=hunter2").unwrap();
    std::os::unix::fs::symlink(&secret, source.join("link")).unwrap();
    for path in ["link", "../secret"] {
        let error = read(&source, &source.join(path)).unwrap_err();
        assert!(error.to_string().contains("out of the source"), "{error}");
    }
}
