//! What `--help` prints: what fits a screen. `--help-all` and the man pages tell the rest.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, CommandFactory, Error, FromArgMatches, builder::BoolishValueParser};

use crate::{
    printable::{is_harmless, printable_lines},
    variables,
};

/// How many lines of `--help` fit a screen.
pub const SCREEN: usize = 40;
/// How wide it may be: what goes through a pager is not known to be narrower.
const WIDTH: usize = 80;

const MORE: &str = "--help-all tells of every flag and its variable, and shows examples.";

/// Reads the command line of a program.
///
/// # Errors
/// When it makes no sense, or asks for help. What there is to say is said, and this is how the process ends.
pub fn parse<T: CommandFactory + FromArgMatches>() -> Result<T, ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let command = command::<T>(arguments.iter().any(|argument| argument == "--help-all"));
    let matches = variables::matches(command, &arguments);
    matches.and_then(|matches| T::from_arg_matches(&matches)).map_err(|error| print(&error))
}

/// Prints `error`, which is also how help is asked for. A message repeats arguments and variables, and CI may have taken these from a
/// pull request.
fn print(error: &Error) -> ExitCode {
    let text = error.to_string();
    match is_harmless(&text) {
        // Who reads no more of it has heard enough.
        true => drop(error.print()),
        false => eprintln!("{}", printable_lines(&text)),
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A program's commands and flags. Variables of the environment are told of when `all` is to be told.
pub fn command<T: CommandFactory>(all: bool) -> Command {
    fitted(T::command(), all)
}

fn fitted(command: Command, all: bool) -> Command {
    let command = command.mut_subcommands(|one| fitted(one, all));
    // `help check` would be a third text, which is neither that of --help nor that of --help-all.
    let command = command.disable_help_flag(true).disable_help_subcommand(true);
    let command = command.args(flags()).max_term_width(WIDTH);
    if command.has_subcommands() {
        return command;
    }
    // What stands below the flags is for those who ask for all.
    let examples = command.get_after_long_help().or(command.get_after_help()).cloned().unwrap_or_default();
    command.mut_args(|arg| told(arg, all)).after_help(MORE).after_long_help(examples)
}

/// What is told of an option, and whether its variable counts: CI sets variables to nothing, or to false, where it
/// means none.
fn told(arg: Arg, all: bool) -> Arg {
    let arg = match is_switch(&arg) && arg.get_env().is_some() {
        true => arg.value_parser(BoolishValueParser::new()),
        false => arg,
    };
    let arg = arg.hide_env(!all);
    match all {
        // Man pages leave out the text of what `--help` does not tell.
        true => arg.hide_short_help(false),
        false if says_nothing(&arg) => arg.env(None::<&str>),
        false => arg,
    }
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

fn says_nothing(arg: &Arg) -> bool {
    let value = arg.get_env().and_then(std::env::var_os);
    let no = |value: &str| ["false", "f", "no", "n", "off", "0"].contains(&value.to_lowercase().as_str());
    value.is_some_and(|value| value.is_empty() || (is_switch(arg) && value.to_str().is_some_and(no)))
}

fn flags() -> [Arg; 2] {
    let help = Arg::new("help").short('h').long("help").help("Print this");
    let all = Arg::new("help-all").long("help-all").help("Print all there is to say");
    [help.action(ArgAction::HelpShort), all.action(ArgAction::HelpLong)]
        .map(|flag| flag.help_heading(None::<&str>))
}
