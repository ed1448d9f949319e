//! Refusals of channel moderation: bans, mutes, and invalid settings.

use std::fmt::{self, Display};

use super::{Code, Refusal, Truncated, push_list};
use crate::command_table::CommandSpec;
use crate::limits::{MAX_LOGGED_ACTS, MAX_PATTERN_CHARS, MAX_PERIOD_SECS, MAX_SLOW_SECS};
use crate::name::{ChannelName, UserName};
use crate::period::Period;
use crate::setting::SETTINGS;
use crate::term::Term;
use crate::text::Text;
use crate::time::HumanDuration;

impl Refusal {
    /// The user is banned from a channel.
    pub fn banned(channel: &ChannelName, term: Term, reason: Option<&Text>) -> Self {
        let next = match term {
            Term::Permanent => "/channels lists others",
            Term::Until(_) => "Enter it then",
        };
        Self::new(
            Code::Banned,
            format!("You are banned from {channel}{}{}. {next}.", term, ReasonSuffix(reason)),
        )
    }

    /// The user is muted in a channel.
    pub fn muted(channel: &ChannelName, term: Term, reason: Option<&Text>) -> Self {
        let next = match term {
            Term::Permanent => "You may read on",
            Term::Until(_) => "Say it then",
        };
        Self::new(
            Code::Muted,
            format!("You are muted in {channel}{}{}. {next}.", term, ReasonSuffix(reason)),
        )
    }

    /// A user can't start a private chat with another user if the channel that they share is one
    /// from which the sender is banned.
    pub fn banned_from_writing(user: &UserName, channel: &ChannelName, term: Term) -> Self {
        Self::new(
            Code::Banned,
            format!(
                "You are banned from {channel}{term} and share no other channel with {user}. Wait until \
                 {user} writes to you."
            ),
        )
    }

    /// The same for a channel in which the sender is muted.
    pub fn muted_from_writing(user: &UserName, channel: &ChannelName, term: Term) -> Self {
        Self::new(
            Code::Muted,
            format!(
                "You are muted in {channel}{term} and share no other channel with {user}. Wait until \
                 {user} writes to you."
            ),
        )
    }

    /// A muted member can't change its name, because the channel would see the new one.
    pub fn muted_from_renaming(channel: &ChannelName, term: Term) -> Self {
        Self::new(
            Code::Muted,
            format!(
                "You are muted in {channel}{term} and keep your name there. Type /leave {channel} first."
            ),
        )
    }

    /// The same for a banned member.
    pub fn banned_from_renaming(channel: &ChannelName, term: Term) -> Self {
        Self::new(
            Code::Banned,
            format!(
                "You are banned from {channel}{term} and keep your name there. Type /leave {channel} first."
            ),
        )
    }

    /// The new name has a word or link that a channel of the user refuses.
    pub fn name_refused(name: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "The name {name} has a word that is not taken in {channel}. Type another one, or \
                 /leave {channel} first."
            ),
        )
    }

    /// The same for the name of a user who enters a channel.
    pub fn name_refused_at_entry(name: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "The name {name} has a word that is not taken in {channel}. Take another one with \
                 /name, or ask its operators for an invitation."
            ),
        )
    }

    /// Only the invited may enter.
    pub fn invite_only(channel: &ChannelName) -> Self {
        Self::new(
            Code::InviteOnly,
            format!("Only the invited enter {channel}. Ask its operators for an invitation."),
        )
    }

    /// Slow mode: the user has to wait before the next message.
    pub fn slow(channel: &ChannelName, every: Period, wait_secs: u64) -> Self {
        Self::new(
            Code::TooFast,
            format!(
                "In {channel} everybody says one line every {every}. Say it again in {wait_secs} s."
            ),
        )
    }

    /// A word that the channel refuses.
    pub fn word_refused(channel: &ChannelName, pattern: &str) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("Lines with \"{pattern}\" are not taken in {channel}. Say it in other words."),
        )
    }

    /// A link in a channel that refuses links.
    pub fn link_refused(channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("Lines with links are not taken in {channel}. Say it without the link."),
        )
    }

    /// An irreversible command needs an operator with an account.
    pub fn needs_account_to_run(spec: &CommandSpec, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "/{} in {channel} needs an operator with an account. /register makes your name one, /login NAME \
                 signs in; or ask an operator of the server.",
                spec.name
            ),
        )
    }

    /// The command is not for an operator who inherited the right because the channel had no
    /// operator.
    pub fn right_inherited(command: &str, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "You run {channel} because its operators left, which doesn't allow /{command}. Ask an operator of the \
                 server."
            ),
        )
    }

    /// Only operators set the topic.
    pub fn topic_locked(channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("Only operators set the topic of {channel}. Ask one of them."),
        )
    }

    /// An operator can't be restricted.
    pub fn is_operator(spec: &CommandSpec, user: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "{user} is an operator of {channel}, whom /{} doesn't take. /deop {user} first.",
                spec.name
            ),
        )
    }

    /// A banned user can't be invited.
    pub fn invited_is_banned(user: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("{user} is banned from {channel}. /unban {user} first."),
        )
    }

    /// A member can't be invited.
    pub fn is_in_already(user: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("{user} is in {channel} already. /users {} shows who is.", channel.bare()),
        )
    }

    /// The only operator can't give the right up.
    pub fn last_operator(channel: &ChannelName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("{channel} has no other operator. /op somebody else first."),
        )
    }

    /// The channel has the maximum number of bans or mutes.
    pub fn too_many_restricted(spec: &CommandSpec, channel: &ChannelName, most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "{channel} has {most} of them, and no more are possible. /{} lists them; /un{} ends \
                 one.",
                spec.name, spec.name
            ),
        )
    }

    /// Too many purges are pending.
    pub fn purges_pending() -> Self {
        Self::new(
            Code::Unavailable,
            "The server is still hiding the lines of earlier purges; nothing was hidden. Type it again in a moment.",
        )
    }

    /// The channels of one account or address have the maximum number of rules.
    pub fn too_many_own_rules(channel: &ChannelName, most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "The channels that were made by the maker of {channel} have {most} bans, mutes, invitations \
                 and refused words, and no more are possible. /unban, /unmute or /set words -WORD ends one."
            ),
        )
    }

    /// All channels together have the maximum number of rules.
    pub fn too_many_rules(most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "The channels of this server have {most} bans, mutes, invitations and refused words, and no \
                 more are possible. Ask the server's operator."
            ),
        )
    }

    /// The channel has the maximum number of operators.
    pub fn too_many_operators(channel: &ChannelName, most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "{channel} has {most} operators, and no more are possible. /deop NAME takes one out."
            ),
        )
    }

    /// The channel has the maximum number of patterns.
    pub fn too_many_patterns(channel: &ChannelName, most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "{channel} refuses {most} words, and no more are possible. /set words -WORD takes one \
                 out."
            ),
        )
    }

    /// An invalid or too long duration.
    pub fn bad_period(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is no time up to {} days. Type a number and s, m, h, d or w, as in for 2h.",
                Truncated(typed),
                MAX_PERIOD_SECS / 86_400
            ),
        )
    }

    /// A reason that begins with a duration.
    pub fn period_without_for(typed: &str) -> Self {
        let shown = Truncated(typed);
        Self::new(
            Code::BadArgument,
            format!(
                "\"{shown}\" looks like a time, but stands where the reason begins. Type for and the \
                 time, as in for 2h, and the reason behind it."
            ),
        )
    }

    /// A duration for a command that takes none.
    pub fn takes_no_period(spec: &CommandSpec, typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" looks like a time, and /{} takes none. Leave it out; /ban and /mute take one, as \
                 in /ban bob for 2h.",
                Truncated(typed),
                spec.name
            ),
        )
    }

    /// A mute of an address.
    pub fn mute_of_address(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" looks like an address, and nobody here is called so; a mute is of a person. /ban \
                 takes addresses, as in /ban 192.0.2.7.",
                Truncated(typed)
            ),
        )
    }

    /// A slow-mode interval above the maximum.
    pub fn too_slow(typed: Period) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "{typed} is too slow; it can be {} at most. Type /set slow 10s, or /set slow off.",
                HumanDuration(MAX_SLOW_SECS.into())
            ),
        )
    }

    /// An invalid address.
    pub fn bad_address(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is no address. Type one as in 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32.",
                Truncated(typed)
            ),
        )
    }

    /// An invalid count of moderation actions.
    pub fn bad_log_count(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" can't be a count of acts. Type a number from 1 to {MAX_LOGGED_ACTS}.",
                Truncated(typed)
            ),
        )
    }

    /// `/set` with an unknown setting.
    pub fn no_such_setting(typed: &str) -> Self {
        let mut text = format!("There is no setting \"{}\". Type one of ", Truncated(typed));
        let names: Vec<&str> = SETTINGS.iter().map(|(name, ..)| *name).collect();
        push_list(&mut text, "", &names, " and ");
        text.push('.');
        Self::new(Code::BadArgument, text)
    }

    /// `/set` with an invalid value.
    pub fn bad_setting(word: &str, typed: &str, values: &str) -> Self {
        let word = word.to_lowercase();
        let mut text = format!("\"{}\" is nothing for {word}. Type {values}", Truncated(typed));
        if word == "words" {
            let more = format!(
                "; a word has at most {MAX_PATTERN_CHARS} characters, and * in it stands for any letters"
            );
            text.push_str(&more);
        }
        text.push('.');
        Self::new(Code::BadArgument, text)
    }
}

/// A reason in the middle of a sentence.
pub(super) struct ReasonSuffix<'a>(pub(super) Option<&'a Text>);

impl Display for ReasonSuffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}
