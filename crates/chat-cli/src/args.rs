//! The command line: its syntax and its validation.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use jiff::SignedDuration;

use crate::address::Address;

const EXAMPLES: &str = "\
Examples:
  chat-cli                                    connect to this machine, be asked for a name
  chat-cli -c chat.example.org -n alice       a server elsewhere, on the usual port
  chat-cli -c /run/chat-server/chat.sock      a Unix socket
  chat-cli -n alice -e general -e dev         enter two channels; #dev is where one speaks
  uptime | chat-cli -n monitor -e ops         say one line from a script
  tail -f log | chat-cli -n logger -e ops     say lines as they come
  chat-cli -n cron --send '#ops' --once <log  say each line once, whatever happens, or exit

At a terminal, Tab completes commands, #channels, names and settings, Up brings earlier
lines back, /help shows what the server can do, /quit or Ctrl-D leaves. A lost connection
is told and tried again until it is back; what was typed meanwhile is said then, and what
was missed is shown, each line once.

In a pipe, each line of the input is sent as if it had been typed (so a line that begins
with / is a command; a second / in front says it instead), and what comes from the server
is printed as plain lines. The client leaves when the input has ended and every line is
answered.

With --send each line of the input is said, word for word, and nothing is printed unless
something went wrong. A channel that has to be entered first is entered. With --once what
was not answered is sent again, over lost connections and restarts of the server, and yet
said once; --timeout bounds how long.

Who has an account signs in: by the password that is asked for, by the token that the last
sign-in has left behind, or by --token-file, CHAT_TOKEN or --password-file.

Exit codes: 0 everything was said or answered; 1 the server refused a line, the name or a
channel; 2 wrong use of the command line; 3 the server can't be reached, or was lost;
4 not signed in: the name needs a password or token, and there is none or a wrong one;
5 not everything was said in time; 6 a line of the input can't be said.";

/// The client of chat-server, for terminals and for pipes.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that may be given or not")]
#[command(name = "chat-cli", version, after_long_help = EXAMPLES, after_help = "See --help for examples and exit codes.")]
pub(crate) struct ClientArgs {
    /// Where the server is: HOST:PORT, HOST (port 5002), or the path of a Unix socket (with a `/`)
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:5002")]
    pub(crate) connect: Address,

    /// The name to take; without it one is asked for (in a pipe: the first line is the name)
    #[arg(short, long, visible_alias = "user", value_parser = one_word)]
    pub(crate) name: Option<String>,

    /// A channel to enter, made if it is absent; may be given several times, one speaks in the last
    #[arg(short, long, value_name = "CHANNEL", value_parser = channel)]
    pub(crate) enter: Vec<String>,

    /// Say the lines of the input into this #channel or to this @user, and leave (quote it: '#dev')
    #[arg(long, value_name = "TARGET", value_parser = target, requires = "name", conflicts_with = "enter")]
    pub(crate) send: Option<String>,

    /// With --send: try again until each line is said, and say none twice
    #[arg(long, requires = "send")]
    pub(crate) once: bool,

    /// With --once: how long one line may take, such as 90, 90s or 5m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s", requires = "once")]
    pub(crate) timeout: Duration,

    /// With --once: lines with the same key and number are the same, also if the command is run
    /// again
    #[arg(long, value_name = "WORD", value_parser = key, requires = "once")]
    pub(crate) key: Option<String>,

    /// With --send: make the channel if it is absent
    #[arg(long, requires = "send")]
    pub(crate) create: bool,

    /// A file that holds a token to sign in with, and that only you may read
    #[arg(long, value_name = "FILE", requires = "name")]
    pub(crate) token_file: Option<PathBuf>,

    /// A file that holds the password to sign in with, and that only you may read
    #[arg(long, value_name = "FILE", requires = "name")]
    pub(crate) password_file: Option<PathBuf>,

    /// Neither use nor keep a sign-in of before
    #[arg(long)]
    pub(crate) no_keep: bool,

    /// Ring the terminal's bell when your name is said, and for private lines
    #[arg(long)]
    pub(crate) bell: bool,

    /// Plain lines without an editor or colours, even at a terminal
    #[arg(long)]
    pub(crate) plain: bool,

    /// No colours (the variable `NO_COLOR` says the same)
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
    fn the_definition_holds() {
        ClientArgs::command().debug_assert();
    }

    #[test]
    fn channels_get_their_sign_and_repeat() {
        let args = ClientArgs::parse_from(["chat-cli", "-e", "general", "--enter", "#dev"]);
        assert_eq!(args.enter, ["#general", "#dev"]);
        assert_eq!(args.connect.to_string(), "127.0.0.1:5002");
    }

    #[test]
    fn what_can_be_no_word_is_wrong_use() {
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
    fn what_sends() {
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
