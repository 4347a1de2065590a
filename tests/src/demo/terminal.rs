//! What is written on the terminal.

use std::io::{IsTerminal, Write};

/// Which of the terminal's styles to use, if it is one.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Heading,
    Command,
    Astray,
}

/// A command as it looks where it is typed.
pub(super) fn prompt(command: &str) -> String {
    styled(Style::Command, &format!("$ {command}"))
}

/// Writes to standard output at once.
pub(super) fn say(text: &str) {
    let mut stdout = std::io::stdout();
    // Nobody who closed it misses anything.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// `text` in a style, on a terminal whose user has nothing against colours.
pub(super) fn styled(style: Style, text: &str) -> String {
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
    {
        return match style {
            Style::Heading => format!("== {text} =="),
            Style::Command | Style::Astray => text.to_owned(),
        };
    }
    let code = match style {
        Style::Heading => "1;4;36",
        Style::Command => "1",
        Style::Astray => "1;31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
