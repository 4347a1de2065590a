//! Rules on the command line: their levels, and the bounds that an operator sets.

use concierge_shared::{admission::rule::Enforcement, coffee, settings::Settings};

/// What an operator decides about rules. Webhook, reconciler and `check` take the same, so that they judge alike.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Levels that differ from the rules' own, by rule id or prefix: deny, warn or off, for instance
    /// pets.pet.tag-allowed=warn,coffee=off. A namespace's annotation concierge.dev/rules goes before
    #[arg(long, env = "CONCIERGE_ENFORCEMENT", default_value = "", value_name = "RULE=LEVEL,...")]
    pub enforcement: Enforcement,
    /// The largest quantity of one variant in an order, a subscription or a cart
    #[arg(long, env = "CONCIERGE_COFFEE_MAX_QUANTITY", default_value_t = coffee::Settings::default().max_quantity,
        value_parser = clap::value_parser!(i64).range(1..), value_name = "NUMBER")]
    pub coffee_max_quantity: i64,
    /// Refuse variant ids that do not look as the shop's ids look today, instead of warning
    #[arg(long, env = "CONCIERGE_COFFEE_STRICT_VARIANT_IDS")]
    pub coffee_strict_variant_ids: bool,
    /// The TerminalAccount of coffee objects that name none, in namespaces that have none called default
    #[arg(long, env = "CONCIERGE_COFFEE_DEFAULT_ACCOUNT", value_parser = object_name, value_name = "NAMESPACE/NAME")]
    pub coffee_default_account: Option<String>,
}

impl RuleArgs {
    /// The levels, and the bounds.
    pub fn read(self) -> (Enforcement, Settings) {
        let RuleArgs { enforcement, coffee_max_quantity, coffee_strict_variant_ids, coffee_default_account } =
            self;
        let coffee = coffee::Settings {
            max_quantity: coffee_max_quantity,
            strict_variant_ids: coffee_strict_variant_ids,
            default_account: coffee_default_account,
        };
        (enforcement, Settings { coffee })
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
    fn a_bound_that_makes_no_sense_is_an_error() {
        check(&["--coffee-max-quantity", "0"], None);
        check(&["--coffee-default-account", "main"], None);
        check(&["--coffee-default-account", "/main"], None);
        check(&["--coffee-default-account", "a/b/c"], None);
    }
}
