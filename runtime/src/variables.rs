//! Flags that are set by variables of the environment: what is typed goes before them, and a message about a value
//! names the variable that it comes from.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgMatches, Command, Error, Id,
    error::{ContextKind, ContextValue},
    parser::ValueSource,
};

/// Reads `arguments`.
///
/// # Errors
/// When they, or the variables that count beside them, make no sense.
pub(crate) fn matches(command: Command, arguments: &[OsString]) -> Result<ArgMatches, Error> {
    let typed = without(command.clone(), &|_| true).ignore_errors(true).try_get_matches_from(arguments);
    let Ok(typed) = typed else {
        return command.try_get_matches_from(arguments);
    };
    let command = agreeing(command, &typed);
    let mut sources = command.clone();
    command.try_get_matches_from(arguments).map_err(|error| {
        sources.build();
        named(error, &sources, &typed)
    })
}

/// `command` without the variables of the flags that `is_silent` names.
fn without(command: Command, is_silent: &dyn Fn(&Id) -> bool) -> Command {
    let command = command.mut_subcommands(|one| without(one, is_silent));
    command.mut_args(|arg| if is_silent(arg.get_id()) { arg.env(None::<&str>) } else { arg })
}

/// `command` without the variables that contradict what is typed: they were set for another use of the program.
fn agreeing(command: Command, typed: &ArgMatches) -> Command {
    if let Some((name, typed)) = typed.subcommand() {
        return command.mut_subcommand(name, |one| agreeing(one, typed));
    }
    let pairs = command.get_arguments().flat_map(|arg| {
        let against = command.get_arg_conflicts_with(arg).into_iter();
        against.map(|other| (arg.get_id().clone(), other.get_id().clone())).collect::<Vec<_>>()
    });
    let both_ways = pairs.flat_map(|(one, other)| [(one.clone(), other.clone()), (other, one)]);
    let silent: HashSet<_> =
        both_ways.filter(|(one, _)| is_typed(typed, one)).map(|(_, other)| other).collect();
    without(command, &|id| silent.contains(id))
}

fn is_typed(typed: &ArgMatches, id: &Id) -> bool {
    typed.try_contains_id(id.as_str()).is_ok()
        && typed.value_source(id.as_str()) == Some(ValueSource::CommandLine)
}

/// `error`, which says of flags that nobody has typed which variables set them.
fn named(mut error: Error, command: &Command, typed: &ArgMatches) -> Error {
    let (mut command, mut typed) = (command, typed);
    while let Some((name, inner)) = typed.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, typed) = (found, inner);
    }
    let blamed: Vec<_> = [ContextKind::InvalidArg, ContextKind::PriorArg]
        .into_iter()
        .filter_map(|kind| error.get(kind))
        .flat_map(texts)
        .collect();
    let by_variable = |arg: &&Arg| blamed.contains(&arg.to_string()) && !is_typed(typed, arg.get_id());
    let tips: Vec<_> = command
        .get_arguments()
        .filter(by_variable)
        .filter_map(|arg| Some((arg, set(arg)?)))
        .map(|(arg, name)| format!("{arg} is set by the variable {}", name.display()).into())
        .collect();
    if !tips.is_empty() {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// The variable of `arg`, when it is set.
fn set(arg: &Arg) -> Option<&OsStr> {
    arg.get_env().filter(|name| std::env::var_os(name).is_some())
}

fn texts(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        _ => Vec::new(),
    }
}
