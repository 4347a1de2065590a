//! Rules on the command line: their levels, and what groups let an operator set.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use concierge_shared::{
    admission::rule::Enforcement,
    group::Settings,
    group::{GROUPS, Group},
    settings::{Form, Setting, Value},
};

/// What an operator decides about rules. Webhook, reconciler and `check` take the same, so that they judge alike.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Levels of rules, by id or prefix, as in coffee=off,pets.pet.tag-allowed=warn
    ///
    /// Levels that differ from the rules' own, by rule id or prefix: deny, warn or off, for instance
    /// coffee=off,pets.pet.tag-allowed=warn. A namespace's annotation concierge.dev/rules can raise them
    #[arg(
        long,
        env = "CONCIERGE_ENFORCEMENT",
        default_value = "",
        hide_default_value = true,
        value_name = "RULE=LEVEL,..."
    )]
    pub enforcement: Enforcement,
    #[command(flatten)]
    settings: SettingArgs,
}

impl RuleArgs {
    /// The levels, and the settings.
    pub fn read(self) -> (Enforcement, Settings) {
        let RuleArgs { enforcement, settings: SettingArgs(settings) } = self;
        (enforcement, settings)
    }
}

/// A flag for each setting of each group.
#[derive(Clone, Debug)]
struct SettingArgs(Settings);

struct Flag {
    group: &'static Group,
    setting: &'static Setting,
    name: String,
    variable: String,
}

static FLAGS: LazyLock<Vec<Flag>> = LazyLock::new(|| {
    let settings = GROUPS.iter().flat_map(|group| group.settings.iter().map(move |setting| (group, setting)));
    let flag = |(group, setting): (&'static Group, &'static Setting)| Flag {
        group,
        setting,
        name: setting.flag(group.name),
        variable: setting.variable(group.name),
    };
    settings.map(flag).collect()
});

impl Flag {
    fn arg(&'static self) -> Arg {
        let arg = Arg::new(self.name.as_str()).long(self.name.as_str()).env(self.variable.as_str());
        let arg = arg.help(self.setting.help).help_heading("Rules").hide_short_help(true);
        match self.setting.form {
            Form::Number { least, default } => {
                let shown = format!("{} [default: {default}]", self.setting.help);
                arg.value_name("NUMBER").value_parser(value_parser!(i64).range(least..)).help(shown)
            }
            Form::Switch => arg.action(ArgAction::SetTrue),
            Form::ObjectName => arg.value_name("NAMESPACE/NAME").value_parser(object_name),
            Form::Names => arg.value_name("NAME,...").value_delimiter(',').action(ArgAction::Append),
            Form::Text { default: "" } => arg.value_name("TEXT"),
            Form::Text { default } => {
                let shown = format!("{} [default: {default}]", self.setting.help);
                arg.value_name("TEXT").help(shown)
            }
        }
    }

    /// What was said about the setting, if anything was.
    fn value(&self, matches: &ArgMatches) -> Option<Value> {
        match self.setting.form {
            Form::Number { .. } => matches.get_one(&self.name).copied().map(Value::Number),
            Form::Switch => Some(Value::Switch(matches.get_flag(&self.name))),
            Form::ObjectName => matches.get_one(&self.name).cloned().map(Some).map(Value::ObjectName),
            Form::Text { .. } => matches.get_one(&self.name).cloned().map(Value::Text),
            Form::Names => matches.get_many(&self.name).map(|names| Value::Names(names.cloned().collect())),
        }
    }
}

impl clap::Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(FLAGS.iter().map(Flag::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut read = Self(Settings::default());
        read.update_from_arg_matches(matches)?;
        Ok(read)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for flag in FLAGS.iter() {
            if let Some(value) = flag.value(matches) {
                self.0.set(flag.group.name, flag.setting.field, value);
            }
        }
        Ok(())
    }
}

/// `namespace/name`
fn object_name(text: &str) -> Result<String, String> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write a namespace and a name, as in shop/default".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        rules: RuleArgs,
    }

    fn check(arguments: &[&str], expect: Option<(i64, bool, Option<&str>)>) {
        let line = ["program"].iter().chain(arguments);
        let read = Program::try_parse_from(line).ok().map(|program| program.rules.read().1.coffee);
        let read = read.as_ref().map(|coffee| {
            (coffee.max_quantity, coffee.strict_variant_ids, coffee.default_account.as_deref())
        });
        assert_eq!(read, expect, "{arguments:?}");
    }

    #[test]
    fn bounds_are_the_rules_own_unless_an_operator_sets_them() {
        check(&[], Some((100, false, None)));
        check(&["--coffee-max-quantity", "5"], Some((5, false, None)));
        check(&["--coffee-strict-variant-ids"], Some((100, true, None)));
        check(&["--coffee-default-account", "shop/main"], Some((100, false, Some("shop/main"))));
    }

    #[test]
    fn names_are_separated_by_commas_or_given_one_by_one() {
        let read = |arguments: &[&str]| {
            let line = ["program"].iter().chain(arguments);
            Program::try_parse_from(line).unwrap().rules.read().1.catalyst.reserved_namespaces
        };
        assert!(read(&[]).is_empty());
        let flag = "--catalyst-reserved-namespaces";
        assert_eq!(read(&[flag, "a,b", flag, "c"]), ["a", "b", "c"]);
    }

    #[test]
    fn a_bound_that_makes_no_sense_is_an_error() {
        check(&["--coffee-max-quantity", "0"], None);
        check(&["--coffee-default-account", "main"], None);
        check(&["--coffee-default-account", "/main"], None);
        check(&["--coffee-default-account", "a/b/c"], None);
    }
}
