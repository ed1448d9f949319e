//! `/ban everywhere` and `/unban everywhere`: server-wide bans.

use std::fmt;

use super::words::split_word;
use super::{Command, moderation};
use crate::ban_mask::ServerBanMask;
use crate::command_table::{CommandKind, CommandSpec, EVERYWHERE};
use crate::period::Period;
use crate::refusal::Refusal;
use crate::text::Text;

/// A command about server-wide bans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerBanCommand {
    /// List the bans.
    Bans,
    /// Ban a mask, for a time or permanently.
    Ban(ServerBanMask, Option<Period>, Option<Text>),
    /// Lift a ban.
    Unban(ServerBanMask),
}

impl ServerBanCommand {
    /// The row of the table that it belongs to.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::Bans | Self::Ban(..) => CommandKind::Ban,
            Self::Unban(_) => CommandKind::Unban,
        }
    }
}

/// Prints the arguments, each with a blank in front.
impl fmt::Display for ServerBanCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {EVERYWHERE}")?;
        match self {
            Self::Bans => Ok(()),
            Self::Ban(mask, period, reason) => {
                write!(f, " {mask}")?;
                period.map_or(Ok(()), |period| write!(f, " for {period}"))?;
                super::argument(f, reason.as_ref())
            }
            Self::Unban(mask) => write!(f, " {mask}"),
        }
    }
}

/// Whether these arguments of `/ban` or `/unban` apply to the whole server.
pub(super) fn is_meant(rest: &str) -> bool {
    split_word(rest).0.eq_ignore_ascii_case(EVERYWHERE)
}

/// Parses the arguments of `/ban everywhere` or `/unban everywhere`.
pub(super) fn everywhere(spec: &'static CommandSpec, rest: &str) -> Result<Command, Refusal> {
    let (_, rest) = split_word(rest);
    arguments(spec, rest).map(Command::Everywhere)
}

fn arguments(spec: &'static CommandSpec, rest: &str) -> Result<ServerBanCommand, Refusal> {
    let (word, rest) = split_word(rest);
    match (spec.kind, word) {
        (CommandKind::Ban, "") => Ok(ServerBanCommand::Bans),
        (CommandKind::Ban, word) => {
            let (period, reason) = moderation::for_how_long(spec, rest)?;
            Ok(ServerBanCommand::Ban(ServerBanMask::read(word)?, period, reason))
        }
        (_, "") => Err(Refusal::missing_argument(spec)),
        (_, word) if rest.is_empty() => Ok(ServerBanCommand::Unban(ServerBanMask::read(word)?)),
        _ => Err(Refusal::too_many_arguments(spec, rest)),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::test_tables::{assert_printed, assert_refused};
    use crate::name::UserName;
    use crate::refusal::Code;

    #[test]
    fn arguments_are_parsed() {
        for (typed, printed) in [
            ("/ban everywhere", "/ban everywhere"),
            ("/ban EVERYWHERE @Bob", "/ban everywhere Bob"),
            ("/ban everywhere bob FOR 120m  too  loud", "/ban everywhere bob for 2h too  loud"),
            ("/ban everywhere bob for spamming", "/ban everywhere bob for spamming"),
            ("/ban everywhere 10.1.2.3/8 for 7d", "/ban everywhere 10.0.0.0/8 for 1w"),
            ("/ban everywhere Spam*bot", "/ban everywhere spam*bot"),
            ("/unban everywhere SPAM*bot", "/unban everywhere spam*bot"),
        ] {
            assert_printed(typed, printed);
        }
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for (typed, code) in [
            ("/unban everywhere", Code::MissingArgument),
            ("/unban everywhere bob now", Code::BadArgument),
            ("/ban everywhere 10.0.0.0/33", Code::BadArgument),
            ("/ban everywhere 1.2.3.256", Code::BadArgument),
            ("/ban everywhere bob for -5m", Code::BadArgument),
            ("/ban everywhere bob 5m", Code::BadArgument),
            ("/ban everywhere *", Code::BadArgument),
            ("/ban everywhere bob for 2hours", Code::BadArgument),
            ("/ban everywhere -bob", Code::BadName),
            (&format!("/ban everywhere bob {}", "x".repeat(201)), Code::BadArgument),
        ] {
            assert_refused(typed, code);
        }
        assert!(
            UserName::new(crate::command_table::EVERYWHERE).is_err(),
            "a person can't be meant by it"
        );
    }
}
