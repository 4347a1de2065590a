//! An Environment's configuration over that of its template.

use super::EnvironmentConfig;
use crate::catalyst::container::EnvVar;

impl EnvironmentConfig {
    /// This configuration where it says something, and `template` where it does not. Variables are merged by name, in the template's
    /// order; other lists stand for the template's as a whole.
    pub fn over(&self, template: &Self) -> Self {
        let (own, template) = (self.clone(), template.clone());
        Self {
            image: own.image.filter(|image| !image.is_empty()).or(template.image),
            command: own.command.or(template.command),
            args: own.args.or(template.args),
            working_dir: own.working_dir.or(template.working_dir),
            ports: own.ports.or(template.ports),
            env: merged(template.env, own.env),
            resources: own.resources.or(template.resources),
            liveness_probe: own.liveness_probe.or(template.liveness_probe),
            readiness_probe: own.readiness_probe.or(template.readiness_probe),
            startup_probe: own.startup_probe.or(template.startup_probe),
            volume_mounts: own.volume_mounts.or(template.volume_mounts),
            init_containers: own.init_containers.or(template.init_containers),
            services: own.services.or(template.services),
            volumes: own.volumes.or(template.volumes),
            env_vars: None,
        }
    }
}

fn merged(template: Option<Vec<EnvVar>>, own: Option<Vec<EnvVar>>) -> Option<Vec<EnvVar>> {
    let (Some(mut all), Some(own)) = (template.clone(), own.clone()) else { return own.or(template) };
    for variable in own {
        match all.iter_mut().find(|other| other.name == variable.name) {
            Some(other) => *other = variable,
            None => all.push(variable),
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.into(), value: Some(value.into()), value_from: None }
    }

    #[test]
    fn an_environments_values_go_before_those_of_the_template() {
        let template = EnvironmentConfig {
            image: Some("node:22".into()),
            working_dir: Some("/code".into()),
            env: Some(vec![variable("A", "1"), variable("B", "2")]),
            ..EnvironmentConfig::default()
        };
        let own = EnvironmentConfig {
            image: Some("node:24".into()),
            env: Some(vec![variable("C", "4"), variable("A", "3")]),
            ..EnvironmentConfig::default()
        };
        let merged = own.over(&template);
        assert_eq!(
            (merged.image.as_deref(), merged.working_dir.as_deref()),
            (Some("node:24"), Some("/code"))
        );
        let expect = [variable("A", "3"), variable("B", "2"), variable("C", "4")];
        assert_eq!(merged.env.as_deref(), Some(&expect[..]));
        assert_eq!(EnvironmentConfig::default().over(&template), template);
    }
}
