//! Parses a line to a command.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::words::{channel_name, conversation, split_word, user_name};
use super::{AFTER_SIGN, Command, OnceKey, account, moderation, range, search, server_ban};
use crate::command_table::{self, CommandKind, CommandSpec, WordMatch};
use crate::conversation::Conversation;
use crate::format::Format;
use crate::limits::{MAX_REASON_CHARS, MAX_TOPIC_CHARS};
use crate::name::UserName;
use crate::refusal::{Refusal, Truncated};
use crate::secret::{Credential, Secret};
use crate::text::{Text, clean};

/// The command of a line, and the `re` of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedLine {
    /// The canonical word of the command, `say` for plain text, or the typed word if it is no
    /// command; a long word is truncated, as in the text of the refusal.
    pub re: Cow<'static, str>,
    /// The command, or why there is none.
    pub command: Result<Command, Refusal>,
}

/// Parses one line, given without its ending. Control characters are removed first, so none of them
/// reaches another client.
pub fn parse(line: &str) -> ParsedLine {
    match clean(line) {
        Cow::Borrowed(line) => parse_clean(line),
        // The line may contain a password.
        Cow::Owned(line) => parse_clean(&Zeroizing::new(line)),
    }
}

fn parse_clean(line: &str) -> ParsedLine {
    let Some(slashed) = line.strip_prefix('/') else {
        return ParsedLine { re: "say".into(), command: message(line) };
    };
    if slashed.starts_with('/') {
        return ParsedLine { re: "say".into(), command: message(slashed) };
    }
    let (word, rest) = split_word(slashed);
    match command_table::lookup(word) {
        WordMatch::One(spec) => {
            ParsedLine { re: spec.name.into(), command: Arguments { spec, rest }.command() }
        }
        WordMatch::Several(words) => {
            ParsedLine { re: typed(word), command: Err(Refusal::ambiguous_command(word, &words)) }
        }
        WordMatch::Nothing(nearest) => {
            ParsedLine { re: typed(word), command: Err(Refusal::unknown_command(word, &nearest)) }
        }
    }
}

fn typed(word: &str) -> Cow<'static, str> {
    Truncated(&word.to_lowercase()).to_string().into()
}

fn message(text: &str) -> Result<Command, Refusal> {
    Text::new(text).map(|text| Command::Say(None, text)).ok_or_else(Refusal::blank_line)
}

struct Arguments<'a> {
    spec: &'static CommandSpec,
    /// Everything after the command's word, trimmed.
    rest: &'a str,
}

impl<'a> Arguments<'a> {
    fn command(&self) -> Result<Command, Refusal> {
        Ok(match self.spec.kind {
            CommandKind::Help => Command::Help(Text::new(without(self.rest, '/'))),
            CommandKind::Name => Command::Name(self.new_name()?),
            CommandKind::Channels => {
                let (part, after) = self.without_after();
                Command::Channels(
                    Text::new(without(part, '#')),
                    after.map(channel_name).transpose()?,
                )
            }
            CommandKind::Create => {
                let (channel, topic) = self.word_and_rest()?;
                Command::Create(channel_name(channel)?, self.bounded(topic, MAX_TOPIC_CHARS)?)
            }
            CommandKind::Enter => {
                let (channel, after) = self.word_and_rest()?;
                Command::Enter(channel_name(channel)?, range::entered_after(self.spec, after)?)
            }
            CommandKind::Leave => {
                let (word, reason) = split_word(self.rest);
                let conversation = if word.is_empty() { None } else { Some(conversation(word)?) };
                Command::Leave(conversation, self.bounded(reason, MAX_REASON_CHARS)?)
            }
            CommandKind::Private => {
                let (user, text) = self.word_and_rest()?;
                Command::Private(user_name(user)?, Text::new(text))
            }
            CommandKind::Msg => {
                let (user, text) = self.word_and_rest()?;
                Command::Msg(user_name(user)?, self.needed(text)?)
            }
            CommandKind::Reply => Command::Reply(self.needed(self.rest)?),
            CommandKind::Say => {
                let (word, text) = self.word_and_rest()?;
                Command::Say(Some(self.place_to_say(word)?), self.needed(text)?)
            }
            CommandKind::Once => {
                let (key, rest) = self.word_and_rest()?;
                let (word, text) = split_word(rest);
                let key = OnceKey::new(key).ok_or_else(|| Refusal::bad_key(key))?;
                self.needed(word)?;
                Command::Once { key, to: self.place_to_say(word)?, text: self.needed(text)? }
            }
            CommandKind::History => range::history(self.spec, self.rest)?,
            CommandKind::Search => search::search(self.spec, self.rest)?,
            CommandKind::Me => Command::Me(self.needed(self.rest)?),
            CommandKind::Info => self.nothing(Command::Info)?,
            CommandKind::Users => {
                let (rest, after) = self.without_after();
                let channel = Arguments { spec: self.spec, rest }.perhaps_word(channel_name)?;
                Command::Users(channel, after.map(user_name).transpose()?)
            }
            CommandKind::Whois => Command::Whois(self.only_word().and_then(user_name)?),
            CommandKind::Topic => Command::Topic(self.bounded(self.rest, MAX_TOPIC_CHARS)?),
            CommandKind::Away => Command::Away(self.bounded(self.rest, MAX_REASON_CHARS)?),
            CommandKind::Back => self.nothing(Command::Back)?,
            CommandKind::Ignore => Command::Ignore(self.perhaps_word(user_name)?),
            CommandKind::Unignore => Command::Unignore(self.only_word().and_then(user_name)?),
            CommandKind::Drop => {
                let (channel, reason) = self.word_and_rest()?;
                moderation::refuse_period(self.spec, reason)?;
                Command::Drop(channel_name(channel)?, self.bounded(reason, MAX_REASON_CHARS)?)
            }
            CommandKind::Kill => {
                let (user, reason) = self.word_and_rest()?;
                moderation::refuse_period(self.spec, reason)?;
                Command::Kill(user_name(user)?, self.bounded(reason, MAX_REASON_CHARS)?)
            }
            CommandKind::Announce => Command::Announce(self.needed(self.rest)?),
            CommandKind::Stats => self.nothing(Command::Stats)?,
            CommandKind::Invitation => self.nothing(Command::Invitation)?,
            CommandKind::Register => account::register(self.rest)?,
            CommandKind::Login => {
                let (user, credential) = self.word_and_rest()?;
                Command::Login(user_name(user)?, Credential::typed(credential))
            }
            CommandKind::Logout => self.nothing(Command::Logout)?,
            CommandKind::Password => account::password(self.rest)?,
            CommandKind::Forget => Command::Forget(Secret::typed(self.rest)),
            CommandKind::Mentions => range::mentions(self.spec, self.rest)?,
            CommandKind::Ban | CommandKind::Unban if server_ban::is_meant(self.rest) => {
                server_ban::everywhere(self.spec, self.rest)?
            }
            CommandKind::Kick
            | CommandKind::Ban
            | CommandKind::Unban
            | CommandKind::Mute
            | CommandKind::Unmute
            | CommandKind::Invite
            | CommandKind::Op
            | CommandKind::Deop
            | CommandKind::Set
            | CommandKind::Purge
            | CommandKind::Log => moderation::running(self.spec, self.rest)?,
            CommandKind::Format => match self.only_word()?.to_ascii_lowercase().as_str() {
                "text" => Command::Format(Format::Text),
                "json" => Command::Format(Format::Json),
                other => return Err(Refusal::unknown_form(other)),
            },
            CommandKind::Ping => Command::Ping(Text::new(self.rest)),
            CommandKind::Quit => Command::Quit(self.bounded(self.rest, MAX_REASON_CHARS)?),
        })
    }

    /// The arguments without `after:NAME` at their end, and that name.
    fn without_after(&self) -> (&'a str, Option<&'a str>) {
        let (before, last) = self.rest.rsplit_once(' ').unwrap_or(("", self.rest));
        match last.split_at_checked(AFTER_SIGN.len()) {
            Some((sign, name)) if sign.eq_ignore_ascii_case(AFTER_SIGN) => {
                (before.trim_end(), Some(name))
            }
            _ => (self.rest, None),
        }
    }

    fn new_name(&self) -> Result<UserName, Refusal> {
        UserName::new(self.only_word()?).map_err(|error| Refusal::bad_name(&error))
    }

    fn word_and_rest(&self) -> Result<(&'a str, &'a str), Refusal> {
        match split_word(self.rest) {
            ("", _) => Err(Refusal::missing_argument(self.spec)),
            found => Ok(found),
        }
    }

    fn only_word(&self) -> Result<&'a str, Refusal> {
        match self.word_and_rest()? {
            (word, "") => Ok(word),
            (_, more) => Err(Refusal::too_many_arguments(self.spec, more)),
        }
    }

    fn perhaps_word<T>(
        &self,
        read: impl FnOnce(&'a str) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        if self.rest.is_empty() { Ok(None) } else { self.only_word().and_then(read).map(Some) }
    }

    /// A conversation whose sign is required, because a text follows.
    fn place_to_say(&self, word: &str) -> Result<Conversation, Refusal> {
        if word.starts_with(['#', '@']) {
            conversation(word)
        } else {
            Err(Refusal::say_where(self.spec, word))
        }
    }

    fn nothing(&self, command: Command) -> Result<Command, Refusal> {
        if self.rest.is_empty() {
            Ok(command)
        } else {
            Err(Refusal::too_many_arguments(self.spec, self.rest))
        }
    }

    fn needed(&self, text: &str) -> Result<Text, Refusal> {
        Text::new(text).ok_or_else(|| Refusal::missing_argument(self.spec))
    }

    fn bounded(&self, text: &str, most: usize) -> Result<Option<Text>, Refusal> {
        let Some(text) = Text::new(text) else { return Ok(None) };
        match text.chars_over(most) {
            Some(over) => Err(Refusal::too_long(self.spec, most, over)),
            None => Ok(Some(text)),
        }
    }
}

/// Words without an optional sign in front of them.
fn without(words: &str, sign: char) -> &str {
    words.trim_start_matches(|c: char| c == sign || c.is_whitespace())
}
