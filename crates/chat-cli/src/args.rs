//! The command line: its syntax and its validation.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;

use crate::address::Address;

const EXAMPLES: &str = "\
Examples:
  chat-cli                                    connect to this machine, and ask for a name
  chat-cli -c chat.example.org -n alice       a server elsewhere, on the usual port
  chat-cli -c /run/chat-server/chat.sock      a Unix socket
  chat-cli -n alice -e general -e dev         enter two channels; lines go to #dev
  uptime | chat-cli -n monitor -e ops         send one line from a script
  tail -f log | chat-cli -n logger -e ops     send lines as they come
  chat-cli -n cron --send '#ops' --once <log  send each line exactly once, or fail

At a terminal, Tab completes commands, #channels, names and settings, Up recalls earlier
lines, /help lists the server's commands, /quit or Ctrl-D leaves. After a lost connection
the client reconnects by itself, sends the lines typed meanwhile, and shows the missed
messages, each once.

In a pipe, each line of the input is sent as if it were typed (so a line that begins with
/ is a command; // sends it as text), and the server's lines are printed without colours.
The client leaves when the input has ended and every line is answered.

With --send each line of the input is sent word for word, and nothing is printed unless it
fails. A channel is entered first if necessary. With --once unanswered lines are sent
again after lost connections and restarts of the server, without duplicates; --timeout
limits the time for each line.

An account signs in by a password at the prompt, by the token stored at the last sign-in,
or by --token-file, CHAT_TOKEN or --password-file.

Exit codes: 0 every line was sent or answered; 1 the server refused a line, the name or a
channel; 2 wrong use of the command line; 3 the server can't be reached, or was lost;
4 not signed in: the name needs a password or token, and there is none or a wrong one;
5 not every line was sent in time; 6 a line of the input can't be sent.";

/// The client of chat-server, for terminals and for pipes.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that may be given or not")]
#[command(name = "chat-cli", version, after_long_help = EXAMPLES, after_help = "See --help for examples and exit codes.")]
pub(crate) struct ClientArgs {
    /// The server's address: HOST:PORT, HOST (port 5002), or the path of a Unix socket (with a `/`)
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:5002")]
    pub(crate) connect: Address,

    /// The name to use [default: ask for one; in a pipe: the first line]
    #[arg(short, long, visible_alias = "user", value_parser = one_word)]
    pub(crate) name: Option<String>,

    /// A channel to enter, or to create if it is missing; may be repeated, and lines go to the last
    #[arg(short, long, value_name = "CHANNEL", value_parser = channel)]
    pub(crate) enter: Vec<String>,

    /// Send the lines of the input to this #channel or @user, and leave (quote it: '#dev')
    #[arg(long, value_name = "TARGET", value_parser = target, requires = "name", conflicts_with = "enter")]
    pub(crate) send: Option<String>,

    /// With --send: retry until each line is sent, without duplicates
    #[arg(long, requires = "send")]
    pub(crate) once: bool,

    /// With --once: the time limit of each line, such as 90, 90s or 5m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s", requires = "once")]
    pub(crate) timeout: Duration,

    /// With --once: a key for this input; a second run with the same key sends no line again
    #[arg(long, value_name = "WORD", value_parser = key, requires = "once")]
    pub(crate) key: Option<String>,

    /// With --send: create the channel if it is missing
    #[arg(long, requires = "send")]
    pub(crate) create: bool,

    /// A file with a token to sign in with; only you may have access to it
    #[arg(long, value_name = "FILE", requires = "name")]
    pub(crate) token_file: Option<PathBuf>,

    /// A file with the password to sign in with; only you may have access to it
    #[arg(long, value_name = "FILE", requires = "name")]
    pub(crate) password_file: Option<PathBuf>,

    /// Neither use nor store a token of an earlier sign-in
    #[arg(long)]
    pub(crate) no_keep: bool,

    /// Ring the terminal's bell for mentions and private messages
    #[arg(long)]
    pub(crate) bell: bool,

    /// No editor and no colours, even at a terminal
    #[arg(long)]
    pub(crate) plain: bool,

    /// No colours (like the environment variable `NO_COLOR`)
    #[arg(long)]
    pub(crate) no_color: bool,
}

impl ClientArgs {
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

/// Adds the `#` of a channel name if it is missing.
fn channel(word: &str) -> Result<String, String> {
    Ok(format!("#{}", one_word(word.strip_prefix('#').unwrap_or(word))?))
}

/// A conversation, with its `#` or `@`.
fn target(word: &str) -> Result<String, String> {
    match word.strip_prefix(['#', '@']) {
        Some(name) if !name.is_empty() => one_word(word),
        _ => Err("it is a '#channel' or a '@user', with the sign, in quotes".into()),
    }
}

/// The upper bound of `--timeout`.
const MAX_TIMEOUT: Duration = Duration::from_hours(24);

fn time(text: &str) -> Result<Duration, String> {
    let secs = text.parse::<u32>().map(|secs| Duration::from_secs(secs.into())).ok();
    let spelt = || Duration::try_from(text.parse::<SignedDuration>().ok()?).ok();
    match secs.or_else(spelt) {
        Some(time) if time.as_secs() > 0 && time <= MAX_TIMEOUT => Ok(time),
        _ => Err("it is a time from 1s to 24h, such as 90, 90s or 5m".into()),
    }
}

/// The longest key. The difference to the protocol's limit is for the number of the line.
const MAX_KEY_CHARS: usize = chat_proto::limits::MAX_KEY_CHARS - 20;

fn key(word: &str) -> Result<String, String> {
    let word = one_word(word)?;
    if word.chars().count() > MAX_KEY_CHARS {
        return Err(format!("it has at most {MAX_KEY_CHARS} characters"));
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_clap_definition_is_valid() {
        ClientArgs::command().debug_assert();
    }

    #[test]
    fn channels_get_their_sign_and_may_repeat() {
        let args = ClientArgs::parse_from(["chat-cli", "-e", "general", "--enter", "#dev"]);
        assert_eq!(args.enter, ["#general", "#dev"]);
        assert_eq!(args.connect.to_string(), "127.0.0.1:5002");
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for wrong in [
            ["--send", "#dev"],
            ["--timeout", "5"],
            ["-n", ""],
            ["-n", "al ice"],
            ["-e", "#"],
            ["-e", "a\nb"],
            ["-c", ":5"],
        ] {
            let given = ["chat-cli", wrong[0], wrong[1]];
            assert!(ClientArgs::try_parse_from(given).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn send_takes_its_own_flags() {
        let send = |more: &[&str]| {
            let given = ["chat-cli", "--user", "cron", "--send"].iter().chain(more);
            ClientArgs::try_parse_from(given).map(|args| (args.send, args.timeout.as_secs()))
        };
        for (more, secs) in [
            (&["#dev"][..], 60),
            (&["@bob", "--once"], 60),
            (&["#dev", "--once", "--timeout", "90", "--key", "build-7"], 90),
            (&["#dev", "--once", "--timeout", "5m"], 300),
            (&["#dev", "--once", "--timeout", "1h 30m", "--create"], 5_400),
        ] {
            assert_eq!(send(more).unwrap(), (Some(more[0].to_owned()), secs), "{more:?}");
        }
        for wrong in [
            &["dev"][..],
            &["#"],
            &["#de v"],
            &["#dev", "--timeout", "5"],
            &["#dev", "--once", "--timeout", "0"],
            &["#dev", "--once", "--timeout", "25h"],
            &["#dev", "--once", "--timeout", "soon"],
            &["#dev", "--once", "--key", "a b"],
            &["#dev", "-e", "dev"],
        ] {
            assert!(send(wrong).is_err(), "{wrong:?}");
        }
    }
}
