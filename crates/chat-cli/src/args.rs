//! What may stand on the command line, and what it means once checked.

use std::env;

use clap::Parser;

use crate::address::Address;

const EXAMPLES: &str = "\
Examples:
  chat-cli                                    connect to this machine, be asked for a name
  chat-cli -c chat.example.org -n alice       a server elsewhere, on the usual port
  chat-cli -c /run/chat-server/chat.sock      a Unix socket
  chat-cli -n alice -e general -e dev         enter two channels; #dev is where one speaks
  uptime | chat-cli -n monitor -e ops         say one line from a script
  tail -f log | chat-cli -n logger -e ops     say lines as they come

At a terminal, Tab completes commands, #channels and names, Up brings earlier lines
back, /help shows what the server can do, /quit or Ctrl-D leaves. A lost connection is
told and tried again until it is back; what was typed meanwhile is said then, and what was
missed is shown, each line once.

In a pipe, each line of the input is sent as if it had been typed (so a line that begins
with / is a command; a second / in front says it instead), and what comes from the server
is printed as plain lines. The client leaves when the input has ended and every line is
answered.

Exit codes: 0 everything was sent and answered; 1 the server refused a line, the name or
a channel; 2 wrong use of the command line; 3 the server can't be reached, or was lost.";

/// The client of chat-server, for terminals and for pipes.
#[derive(Debug, Parser)]
#[command(name = "chat-cli", version, after_long_help = EXAMPLES, after_help = "See --help for examples and exit codes.")]
pub(crate) struct Args {
    /// Where the server is: HOST:PORT, HOST (port 5002), or the path of a Unix socket (with a `/`)
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:5002")]
    pub(crate) connect: Address,

    /// The name to take; without it one is asked for (in a pipe: the first line is the name)
    #[arg(short, long, value_parser = one_word)]
    pub(crate) name: Option<String>,

    /// A channel to enter, made if it is absent; may be given several times, one speaks in the last
    #[arg(short, long, value_name = "CHANNEL", value_parser = channel)]
    pub(crate) enter: Vec<String>,

    /// Plain lines without an editor or colours, even at a terminal
    #[arg(long)]
    pub(crate) plain: bool,

    /// No colours (the variable `NO_COLOR` says the same)
    #[arg(long)]
    pub(crate) no_color: bool,
}

impl Args {
    /// Whether colours are wanted. <https://no-color.org>: set and not empty means none.
    pub(crate) fn colours(&self) -> bool {
        let forbidden = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        !self.no_color && !forbidden
    }
}

fn one_word(word: &str) -> Result<String, String> {
    if word.is_empty() {
        Err("it is empty".into())
    } else if word.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Err("it has to be one word".into())
    } else {
        Ok(word.to_owned())
    }
}

/// With the `#` that the protocol's answers carry, whether it was typed or not.
fn channel(word: &str) -> Result<String, String> {
    Ok(format!("#{}", one_word(word.strip_prefix('#').unwrap_or(word))?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_holds() {
        Args::command().debug_assert();
    }

    #[test]
    fn channels_get_their_sign_and_repeat() {
        let args = Args::parse_from(["chat-cli", "-e", "general", "--enter", "#dev"]);
        assert_eq!(args.enter, ["#general", "#dev"]);
        assert_eq!(args.connect.to_string(), "127.0.0.1:5002");
    }

    #[test]
    fn what_can_be_no_word_is_wrong_use() {
        for wrong in [["-n", ""], ["-n", "al ice"], ["-e", "#"], ["-e", "a\nb"], ["-c", ":5"]] {
            let given = ["chat-cli", wrong[0], wrong[1]];
            assert!(Args::try_parse_from(given).is_err(), "{wrong:?}");
        }
    }
}
