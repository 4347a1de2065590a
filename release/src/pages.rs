//! Man pages and completions of both programs.

use std::{fs, path::Path};

use anyhow::Result;
use clap::{Command, ValueEnum};
use clap_complete::Shell;
use concierge_runtime::help;

use crate::{programs::PROGRAMS, version::VERSION};

fn commands() -> [Command; 2] {
    [help::command::<concierge_webhook::Cli>(true), help::command::<concierge_reconciler::Cli>(true)]
}

/// Writes a man page for each command and subcommand to `man`, and a file for each program and shell to `completions`.
pub(crate) fn write(man: &Path, completions: &Path) -> Result<()> {
    write_pages(man)?;
    fs::create_dir_all(completions)?;
    for (command, name) in commands().into_iter().zip(PROGRAMS) {
        let mut command = offered(&command, name);
        for shell in Shell::value_variants() {
            let file = clap_complete::generate_to(*shell, &mut command, name, completions)?;
            if *shell == Shell::Bash {
                fs::write(&file, with_one_name(&fs::read_to_string(&file)?, name))?;
            }
        }
    }
    Ok(())
}

fn write_pages(man: &Path) -> Result<()> {
    fs::create_dir_all(man)?;
    for command in commands() {
        clap_mangen::generate_to(with_versions(command), man)?;
    }
    for page in fs::read_dir(man)? {
        let page = page?.path();
        fs::write(&page, with_examples(&fs::read_to_string(&page)?))?;
    }
    Ok(())
}

/// `command` with what shells are to offer: clap_complete offers hidden commands too, and none can be taken out of a command.
fn offered(command: &Command, name: &'static str) -> Command {
    let commands = command.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    Command::new(name)
        .version(VERSION)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .args(command.get_arguments().cloned())
        .subcommands(commands)
}

/// The footer of a page names the version of the command, which only the program has.
fn with_versions(command: Command) -> Command {
    command.mut_subcommands(|one| with_versions(one).version(VERSION).disable_version_flag(true))
}

/// clap_mangen fills and hyphenates examples like any text, so that none could be copied.
fn with_examples(page: &str) -> String {
    let Some((before, behind)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let end = behind.find("\n.SH ").map_or(behind.len(), |end| end + 1);
    let (examples, rest) = behind.split_at(end);
    format!("{before}.SH EXAMPLES\n.nf\n{}\n.fi\n{rest}", examples.trim_end())
}

/// clap_complete names a program with a hyphen in two ways, so that nothing is completed behind a subcommand
/// (https://github.com/clap-rs/clap/issues/6421).
fn with_one_name(script: &str, program: &str) -> String {
    script.replace(&program.replace('-', "__subcmd__"), &program.replace('-', "__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command of both programs, with the commands that it has.
    fn all(told: bool) -> Vec<Command> {
        fn add(command: &Command, found: &mut Vec<Command>) {
            found.push(command.clone());
            command.get_subcommands().for_each(|one| add(one, found));
        }
        let mut found = Vec::new();
        for mut program in
            [help::command::<concierge_webhook::Cli>(told), help::command::<concierge_reconciler::Cli>(told)]
        {
            program.build();
            add(&program, &mut found);
        }
        assert!(found.len() > 5);
        found
    }

    #[test]
    fn every_help_fits_a_screen_of_80_columns() {
        for command in all(false) {
            let mut command = command.term_width(80);
            let text = command.render_help().to_string();
            let lines = text.lines().count();
            assert!(lines <= help::SCREEN, "{} has {lines} lines:\n{text}", command.get_name());
            assert_eq!(text.lines().find(|line| line.chars().count() > 80), None, "{text}");
            assert!(text.contains("--help-all"), "{text}");
        }
    }

    #[test]
    fn all_help_tells_of_every_flag_and_its_variable() {
        for mut command in all(true) {
            let text = command.render_long_help().to_string();
            for flag in command.get_opts() {
                assert!(text.contains(&format!("--{}", flag.get_long().unwrap())), "{flag}");
                let variable = flag.get_env().map(|name| format!("[env: {}=", name.display()));
                assert!(variable.is_none_or(|variable| text.contains(&variable)), "{flag}");
            }
        }
    }

    /// A command that goes on in the next line could not be pasted.
    #[test]
    fn examples_fit_a_line_also_in_all_help() {
        let mut lines = 0;
        for command in all(true) {
            let examples = command.get_after_long_help().cloned().unwrap_or_default().to_string();
            assert_eq!(examples.lines().find(|line| line.chars().count() > 80), None, "{examples}");
            lines += examples.lines().count();
        }
        assert!(lines > 30, "only {lines} lines");
    }

    #[test]
    fn every_command_has_a_page_and_every_shell_completions() {
        let folder = std::env::temp_dir().join(format!("pages-{}", std::process::id()));
        write(&folder.join("man"), &folder.join("completions")).unwrap();
        for page in
            ["webhook", "webhook-serve", "webhook-check", "webhook-manifests", "reconciler", "reconciler-run"]
        {
            let page = fs::read_to_string(folder.join("man").join(format!("concierge-{page}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{page}");
        }
        let serve = fs::read_to_string(folder.join("man/concierge-webhook-serve.1")).unwrap();
        assert!(serve.contains("ca\\-settle") && serve.contains("CONCIERGE_CA_SETTLE"), "{serve}");
        for name in ["_concierge-webhook", "concierge-webhook.bash", "concierge-reconciler.fish"] {
            let text = fs::read_to_string(folder.join("completions").join(name)).unwrap();
            assert!(text.contains("concierge"), "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn no_shell_offers_a_hidden_command() {
        let is_hidden = |command: &Command| command.get_subcommands().any(Command::is_hide_set);
        assert!(commands().iter().any(is_hidden));
        for (command, name) in commands().into_iter().zip(PROGRAMS) {
            assert_eq!(command.get_name(), name);
            let offered = offered(&command, name);
            assert!(!is_hidden(&offered) && offered.has_subcommands(), "{name}");
        }
    }

    #[test]
    fn every_option_of_a_man_page_has_a_text() {
        let folder = std::env::temp_dir().join(format!("man-{}", std::process::id()));
        write(&folder.join("man"), &folder.join("completions")).unwrap();
        for page in fs::read_dir(folder.join("man")).unwrap() {
            let page = page.unwrap().path();
            let text = fs::read_to_string(&page).unwrap();
            for option in text.split(".TP\n").skip(1) {
                let told =
                    option.lines().nth(1).is_some_and(|line| !line.is_empty() && !line.starts_with('.'));
                assert!(told, "{}: {option}", page.display());
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn examples_of_a_man_page_keep_their_lines_and_every_page_its_version() {
        let folder = std::env::temp_dir().join(format!("examples-{}", std::process::id()));
        write(&folder.join("man"), &folder.join("completions")).unwrap();
        let page = fs::read_to_string(folder.join("man/concierge-webhook-check.1")).unwrap();
        let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").unwrap();
        let (examples, rest) = examples.split_once("\n.fi\n").unwrap();
        assert!(examples.contains("concierge\\-webhook check") && !examples.contains(".SH"), "{examples}");
        assert!(!rest.contains("concierge\\-webhook check "), "{rest}");
        let title = page.lines().find(|line| line.starts_with(".TH")).unwrap();
        assert!(title.contains(VERSION), "{title}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn bash_completes_subcommands_flags_and_values() {
        let folder = std::env::temp_dir().join(format!("completions-{}", std::process::id()));
        write(&folder.join("man"), &folder.join("completions")).unwrap();
        for (words, expected) in [
            ("concierge-webhook ch", "check"),
            ("concierge-webhook check --outp", "--output"),
            ("concierge-webhook check --color ne", "never"),
            ("concierge-webhook check --output gi", "github gitlab"),
            ("concierge-webhook check -o sa", "sarif"),
            ("concierge-reconciler ru", "run"),
            ("concierge-reconciler comp", ""),
            ("concierge-reconciler wa", ""),
            ("concierge-webhook he", ""),
        ] {
            let (program, last) = (words.split(' ').next().unwrap(), words.rsplit(' ').next().unwrap());
            let script = format!(
                "set -eu; source {}/completions/{program}.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
                 $(complete -p {program} | grep -o -e '-F [^ ]*' | cut -c 4-) {program} {last} ${{COMP_WORDS[COMP_CWORD - 1]}}; \
                 echo ${{COMPREPLY[@]}}",
                folder.display()
            );
            let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(&output.stdout).trim(), expected, "{words}: {}", text(&output.stderr));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
