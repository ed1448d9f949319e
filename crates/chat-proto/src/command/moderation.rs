//! The moderation commands of a channel.

use std::fmt;

use super::Command;
use super::words::{channel_name, split_word, user_name};
use crate::command_table::{CommandKind, CommandSpec};
use crate::limits::{MAX_LOGGED_ACTS, MAX_REASON_CHARS, MAX_SLOW_SECS};
use crate::mod_target::ModTarget;
use crate::name::UserName;
use crate::period::Period;
use crate::refusal::Refusal;
use crate::setting::ChannelSetting;
use crate::text::Text;

/// A moderation action, or a query of moderation state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModCommand {
    /// Remove a member.
    Kick(UserName, Option<Text>),
    /// List the bans.
    Bans,
    /// Ban a user or addresses, for a time or permanently.
    Ban(ModTarget, Option<Period>, Option<Text>),
    /// Lift a ban.
    Unban(ModTarget),
    /// List the mutes.
    Mutes,
    /// Mute a user, for a time or permanently.
    Mute(UserName, Option<Period>, Option<Text>),
    /// Lift a mute.
    Unmute(UserName),
    /// Allow a user to enter once.
    Invite(UserName),
    /// Grant a user the operator's right.
    Op(UserName),
    /// Revoke a user's operator's right.
    Deop(UserName),
    /// Show the settings.
    Settings,
    /// Change a setting.
    Set(ChannelSetting),
    /// Hide all messages of a user.
    Purge(UserName, Option<Text>),
    /// Show the last moderation actions.
    Log(Option<u32>),
}

impl ModCommand {
    /// The row of the table that it belongs to.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::Kick(..) => CommandKind::Kick,
            Self::Bans | Self::Ban(..) => CommandKind::Ban,
            Self::Unban(_) => CommandKind::Unban,
            Self::Mutes | Self::Mute(..) => CommandKind::Mute,
            Self::Unmute(_) => CommandKind::Unmute,
            Self::Invite(_) => CommandKind::Invite,
            Self::Op(_) => CommandKind::Op,
            Self::Deop(_) => CommandKind::Deop,
            Self::Settings | Self::Set(_) => CommandKind::Set,
            Self::Purge(..) => CommandKind::Purge,
            Self::Log(_) => CommandKind::Log,
        }
    }
}

/// Prints the arguments, each with a blank in front.
impl fmt::Display for ModCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let for_period = |f: &mut fmt::Formatter<'_>, period: &Option<Period>| {
            period.map_or(Ok(()), |period| write!(f, " for {period}"))
        };
        match self {
            Self::Bans | Self::Mutes | Self::Settings | Self::Log(None) => Ok(()),
            Self::Unban(target) => write!(f, " {target}"),
            Self::Unmute(user) | Self::Invite(user) | Self::Op(user) | Self::Deop(user) => {
                write!(f, " {user}")
            }
            Self::Set(setting) => write!(f, " {setting}"),
            Self::Log(Some(count)) => write!(f, " {count}"),
            Self::Kick(user, reason) | Self::Purge(user, reason) => {
                write!(f, " {user}")?;
                super::argument(f, reason.as_ref())
            }
            Self::Ban(target, period, reason) => {
                write!(f, " {target}")?;
                for_period(f, period)?;
                super::argument(f, reason.as_ref())
            }
            Self::Mute(user, period, reason) => {
                write!(f, " {user}")?;
                for_period(f, period)?;
                super::argument(f, reason.as_ref())
            }
        }
    }
}

/// Parses the arguments of a moderation command; the channel may precede them.
pub(super) fn running(spec: &'static CommandSpec, rest: &str) -> Result<Command, Refusal> {
    let (channel, rest) = if rest.starts_with('#') {
        let (word, rest) = split_word(rest);
        (Some(channel_name(word)?), rest)
    } else {
        (None, rest)
    };
    Ok(Command::Moderate(channel, ModArguments { spec, rest }.running()?))
}

/// Parses an optional `for 2h`, and the reason.
///
/// # Errors
///
/// `bad-argument` if what looks like a duration is invalid, or is in a place where it has no
/// effect.
pub fn for_how_long(
    spec: &'static CommandSpec,
    rest: &str,
) -> Result<(Option<Period>, Option<Text>), Refusal> {
    ModArguments { spec, rest }.for_how_long(rest)
}

/// Refuses a reason that begins with a duration, for a command that takes none.
///
/// # Errors
///
/// `bad-argument`.
pub fn refuse_period(spec: &CommandSpec, reason: &str) -> Result<(), Refusal> {
    let (word, behind) = split_word(reason);
    let is_for = word.eq_ignore_ascii_case("for");
    let text = if is_for { behind } else { reason };
    let (first, more) = split_word(text);
    let one = Period::is_like(first) || is_for && more.is_empty() && Period::is_meant(first);
    let several = || Period::apart(text).or_else(|| Period::in_words(text).filter(|_| is_for));
    match one.then_some(first).or_else(several) {
        Some(typed) => Err(Refusal::takes_no_period(spec, typed)),
        None => Ok(()),
    }
}

struct ModArguments<'a> {
    spec: &'static CommandSpec,
    rest: &'a str,
}

impl ModArguments<'_> {
    fn running(&self) -> Result<ModCommand, Refusal> {
        let (word, rest) = split_word(self.rest);
        let alone = || match rest {
            "" => Ok(()),
            more => Err(Refusal::too_many_arguments(self.spec, more)),
        };
        Ok(match (self.spec.kind, word) {
            (CommandKind::Ban, "") => ModCommand::Bans,
            (CommandKind::Mute, "") => ModCommand::Mutes,
            (CommandKind::Set, "") => ModCommand::Settings,
            (CommandKind::Log, "") => ModCommand::Log(None),
            (_, "") => return Err(Refusal::missing_argument(self.spec)),
            (CommandKind::Log, word) => {
                alone()?;
                ModCommand::Log(Some(count(word)?))
            }
            (CommandKind::Set, word) => ModCommand::Set(self.setting(word, rest)?),
            (CommandKind::Ban, word) => {
                let (period, reason) = self.for_how_long(rest)?;
                ModCommand::Ban(target(word)?, period, reason)
            }
            (CommandKind::Unban, word) => {
                alone()?;
                ModCommand::Unban(target(word)?)
            }
            (CommandKind::Mute, word) => {
                let (period, reason) = self.for_how_long(rest)?;
                ModCommand::Mute(user_name(word)?, period, reason)
            }
            (CommandKind::Purge, word) => {
                refuse_period(self.spec, rest)?;
                ModCommand::Purge(user_name(word)?, self.reason(rest)?)
            }
            (CommandKind::Kick, word) => {
                refuse_period(self.spec, rest)?;
                ModCommand::Kick(user_name(word)?, self.reason(rest)?)
            }
            (kind, word) => {
                alone()?;
                let user = user_name(word)?;
                match kind {
                    CommandKind::Unmute => ModCommand::Unmute(user),
                    CommandKind::Invite => ModCommand::Invite(user),
                    CommandKind::Op => ModCommand::Op(user),
                    _ => ModCommand::Deop(user),
                }
            }
        })
    }

    /// Parses an optional `for 2h`, and the reason. Words such as `for spamming` are a reason.
    fn for_how_long(&self, rest: &str) -> Result<(Option<Period>, Option<Text>), Refusal> {
        let (word, behind) = split_word(rest);
        let (typed, reason) = split_word(behind);
        if word.eq_ignore_ascii_case("for") {
            if Period::is_meant(typed) {
                let period = Period::read(typed).ok_or_else(|| Refusal::bad_period(typed))?;
                return Ok((Some(period), self.reason(reason)?));
            }
            if let Some(typed) = Period::in_words(behind).or(behind.is_empty().then_some(word)) {
                return Err(Refusal::bad_period(typed));
            }
        }
        if word.eq_ignore_ascii_case("until") && Period::is_meant(typed) {
            return Err(Refusal::bad_period(rest));
        }
        if let Some(typed) = Period::is_like(word).then_some(word).or_else(|| Period::apart(rest)) {
            return Err(Refusal::period_without_for(typed));
        }
        Ok((None, self.reason(rest)?))
    }

    fn reason(&self, text: &str) -> Result<Option<Text>, Refusal> {
        let Some(text) = Text::new(text) else { return Ok(None) };
        match text.chars_over(MAX_REASON_CHARS) {
            Some(over) => Err(Refusal::too_long(self.spec, MAX_REASON_CHARS, over)),
            None => Ok(Some(text)),
        }
    }

    fn setting(&self, word: &str, value: &str) -> Result<ChannelSetting, Refusal> {
        let setting =
            ChannelSetting::read(word, value).map_err(|values| match (values, value) {
                (None, _) => Refusal::no_such_setting(word),
                (Some(_), "") => Refusal::missing_argument(self.spec),
                (Some(values), _) => Refusal::bad_setting(word, value, values),
            })?;
        match setting {
            ChannelSetting::Slow(Some(period)) if period.secs() > MAX_SLOW_SECS.into() => {
                Err(Refusal::too_slow(period))
            }
            setting => Ok(setting),
        }
    }
}

/// Parses a user or an address: a word with a colon or a slash is an address.
fn target(word: &str) -> Result<ModTarget, Refusal> {
    if let Some(net) = ModTarget::net(word) {
        return Ok(net);
    }
    if ModTarget::is_meant_as_net(word) {
        return Err(Refusal::bad_address(word));
    }
    user_name(word).map(ModTarget::User)
}

fn count(word: &str) -> Result<u32, Refusal> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let count = word.parse().ok().filter(|_| digits);
    count
        .filter(|count| (1..=MAX_LOGGED_ACTS).contains(count))
        .ok_or_else(|| Refusal::bad_log_count(word))
}

#[cfg(test)]
mod tests {
    use crate::command::test_tables::{assert_printed, assert_refused};
    use crate::refusal::Code;

    #[test]
    fn arguments_are_parsed() {
        for (typed, printed) in [
            ("/ban", "/ban"),
            ("/ban #dev", "/ban #dev"),
            ("/ban @Bob", "/ban Bob"),
            ("/ban bob FOR 120m  too  loud", "/ban bob for 2h too  loud"),
            ("/ban bob for spamming", "/ban bob for spamming"),
            ("/ban bob for a reason", "/ban bob for a reason"),
            ("/ban bob until he calms down", "/ban bob until he calms down"),
            ("/kick bob for 3 warnings ignored", "/kick bob for 3 warnings ignored"),
            ("/kick bob for a while", "/kick bob for a while"),
            ("/ban bob for -- you know", "/ban bob for -- you know"),
            ("/ban bob 5 times too loud", "/ban bob 5 times too loud"),
            ("/ban @1.2.3.256", "/ban @1.2.3.256"),
            ("/ban 1.2.3", "/ban 1.2.3"),
            ("/ban #dev 10.1.2.3/8 for 7d", "/ban #dev 10.0.0.0/8 for 1w"),
            ("/ban @10.1.2.3", "/ban @10.1.2.3"),
            ("/unban 2001:DB8::/32", "/unban 2001:db8::/32"),
            ("/mute", "/mute"),
            ("/mute bob for 30s", "/mute bob for 30s"),
            ("/unmute #dev bob", "/unmute #dev bob"),
            ("/invite bob", "/invite bob"),
            ("/op bob", "/op bob"),
            ("/deop bob", "/deop bob"),
            ("/set", "/set"),
            ("/set #dev", "/set #dev"),
            ("/set SLOW 60s", "/set slow 1m"),
            ("/purge bob all of it", "/purge bob all of it"),
            ("/log", "/log"),
            ("/log #dev 1000", "/log #dev 1000"),
            ("/kick #dev bob enough", "/kick #dev bob enough"),
            ("/drop dev it is over", "/drop #dev it is over"),
        ] {
            assert_printed(typed, printed);
        }
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for (typed, code) in [
            ("/unban", Code::MissingArgument),
            ("/unban #dev", Code::MissingArgument),
            ("/unban bob now", Code::BadArgument),
            ("/ban 10.0.0.0/33", Code::BadArgument),
            ("/ban 2001:db8::/x", Code::BadArgument),
            ("/ban bob for 2hours", Code::BadArgument),
            ("/ban bob for 0s", Code::BadArgument),
            ("/ban bob for -5m", Code::BadArgument),
            ("/ban bob for +5m", Code::BadArgument),
            ("/ban bob for \u{2212}5m", Code::BadArgument),
            ("/ban bob for .5h", Code::BadArgument),
            ("/ban bob for 1.5h", Code::BadArgument),
            ("/ban bob for 5", Code::BadArgument),
            ("/ban bob for 5x", Code::BadArgument),
            ("/ban bob for 2 h", Code::BadArgument),
            ("/ban bob for \u{FF15}m", Code::BadArgument),
            ("/ban bob 2h", Code::BadArgument),
            ("/ban bob for", Code::BadArgument),
            ("/ban bob for an hour", Code::BadArgument),
            ("/ban bob for Two days spam", Code::BadArgument),
            ("/ban bob until 2026-12-01", Code::BadArgument),
            ("/ban bob 5 m", Code::BadArgument),
            ("/ban bob 2  days of spam", Code::BadArgument),
            ("/ban bob 5min", Code::BadArgument),
            ("/ban bob 1.5h", Code::BadArgument),
            ("/mute bob 1,5 hours", Code::BadArgument),
            ("/kick bob for 5m", Code::BadArgument),
            ("/kick bob for -5m", Code::BadArgument),
            ("/kick bob for 5", Code::BadArgument),
            ("/kick bob 5m", Code::BadArgument),
            ("/kick bob for an hour", Code::BadArgument),
            ("/kick #dev bob 2 hours", Code::BadArgument),
            ("/purge bob for 5m", Code::BadArgument),
            ("/kill bob for 5m", Code::BadArgument),
            ("/kill bob 5m", Code::BadArgument),
            ("/drop dev for 2h", Code::BadArgument),
            ("/ban ::ffff:10.0.0.1/64", Code::BadArgument),
            ("/mute bob -10m too loud", Code::BadArgument),
            ("/mute bob for -5m", Code::BadArgument),
            ("/ban 1.2.3.256", Code::BadArgument),
            ("/ban 1.2.3.4.5", Code::BadArgument),
            ("/ban 10.0.0.1-20", Code::BadArgument),
            ("/unban 1.2.3.256", Code::BadArgument),
            ("/ban ::1/200", Code::BadArgument),
            ("/ban [::1]", Code::BadArgument),
            ("/ban 10.0.0.1:5002", Code::BadArgument),
            ("/ban -bob", Code::BadName),
            ("/mute 2001:db8::1", Code::BadName),
            ("/op", Code::MissingArgument),
            ("/op bob carol", Code::BadArgument),
            ("/log 0", Code::BadArgument),
            ("/log +5", Code::BadArgument),
            ("/log 1001", Code::BadArgument),
            ("/log 5 6", Code::BadArgument),
            ("/set colour red", Code::BadArgument),
            ("/set slow", Code::MissingArgument),
            ("/set slow 7h", Code::BadArgument),
            ("/set slow fast", Code::BadArgument),
            ("/drop", Code::MissingArgument),
            ("/kick #dev", Code::MissingArgument),
            (&format!("/ban bob for 1h {}", "x".repeat(201)), Code::BadArgument),
        ] {
            assert_refused(typed, code);
        }
    }
}
