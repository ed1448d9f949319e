//! What one line asks for.
//!
//! Printing a command gives a line that parses to the same command.

mod account;
mod invitation_code;
mod moderation;
mod once_key;
mod parse;
mod range;
mod search;
mod server_ban;
mod words;

use std::fmt;

pub use invitation_code::InvitationCode;
pub use moderation::{ModCommand, for_how_long, refuse_period};
pub use once_key::OnceKey;
pub use parse::{ParsedLine, parse};
pub use range::{HistoryAnchor, HistoryRange};
pub use search::{SearchCursor, SearchPhrase, SearchQuery};
pub use server_ban::ServerBanCommand;

use crate::command_table::CommandKind;
use crate::conversation::Conversation;
use crate::format::Format;
use crate::id::MessageId;
use crate::name::{ChannelName, UserName};
use crate::secret::{Credential, INVITE_SIGN, Secret, TOKEN_SIGN};
use crate::text::Text;

/// One line, understood: its words are checked, its names and texts cannot be wrong any more.
///
/// Printed, it is a line to be sent and shows its secrets; its `Debug` doesn't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The menu, or the usage of one command (its word as typed, without the slash).
    Help(Option<Text>),
    /// Take or change the name.
    Name(UserName),
    /// List channels whose name contains this; those that come after a name in the list.
    Channels(Option<Text>, Option<ChannelName>),
    /// Make a channel and enter it.
    Create(ChannelName, Option<Text>),
    /// Enter a channel and make it current; what came after this line is told first.
    Enter(ChannelName, Option<MessageId>),
    /// Leave the current or the named conversation.
    Leave(Option<Conversation>, Option<Text>),
    /// Open a private chat, make it current, and perhaps say something there.
    Private(UserName, Option<Text>),
    /// One private message.
    Msg(UserName, Text),
    /// One private message to whoever last wrote privately.
    Reply(Text),
    /// Said into the current conversation, or into a named one.
    Say(Option<Conversation>, Text),
    /// An action in the current conversation.
    Me(Text),
    /// About oneself.
    Info,
    /// Who is in the named channel, in the current one, or online; those that come after a name in
    /// the list.
    Users(Option<ChannelName>, Option<UserName>),
    /// About one person.
    Whois(UserName),
    /// Show or set the current channel's topic.
    Topic(Option<Text>),
    /// Stored lines of the current or the named conversation.
    History(Option<Conversation>, HistoryRange),
    /// Stored lines with these words, of all that one may read.
    Search(SearchQuery),
    /// Said into a conversation, however often the same key comes.
    Once {
        /// Chosen by the asker; it holds for a name, not for a connection.
        key: OnceKey,
        /// Where.
        to: Conversation,
        /// What.
        text: Text,
    },
    /// Away from now on.
    Away(Option<Text>),
    /// Here again.
    Back,
    /// Hide a person, or list the hidden.
    Ignore(Option<UserName>),
    /// See a person again.
    Unignore(UserName),
    /// What those who run a channel ask of it: of the named one, or of the current one.
    Moderate(Option<ChannelName>, ModCommand),
    /// End a channel, with everything said in it.
    Drop(ChannelName, Option<Text>),
    /// About who is kept out of the whole server.
    Everywhere(ServerBanCommand),
    /// End every connection of a person.
    Kill(UserName, Option<Text>),
    /// Tell something to everybody.
    Announce(Text),
    /// How the server is doing.
    Stats,
    /// A code that lets somebody register.
    Invitation,
    /// Make the name an account. Without a password it is asked for; whether it is
    /// [`acceptable`](crate::secret::check_password) is still to be seen.
    Register {
        /// For servers where not everybody may.
        invite: Option<InvitationCode>,
        /// As it was typed.
        password: Option<Secret>,
    },
    /// Sign in to an account; without a credential the password is asked for.
    Login(UserName, Option<Credential>),
    /// Leave the account on this connection.
    Logout,
    /// Change the old password to the new one; without them they are asked for.
    Password(Option<(Secret, Secret)>),
    /// Erase the account; without its password that is asked for.
    Forget(Option<Secret>),
    /// Stored lines that name one, so many at most, 1 to
    /// [`MAX_HISTORY_LINES`](crate::limits::MAX_HISTORY_LINES); without a count
    /// [`HISTORY_LINES`](crate::limits::HISTORY_LINES).
    Mentions {
        /// So many.
        count: Option<u32>,
        /// Only those from before this.
        before: Option<SearchCursor>,
    },
    /// The form of all further output.
    Format(Format),
    /// Answered at once.
    Ping(Option<Text>),
    /// Leave the system.
    Quit(Option<Text>),
}

/// Stands before the name after which a list goes on. No name has a colon.
const AFTER_SIGN: &str = "after:";

impl Command {
    /// Whether it says a line and does nothing else, so that it can be asked for again when it was
    /// refused.
    pub fn says(&self) -> bool {
        matches!(
            self,
            Self::Say(..) | Self::Me(_) | Self::Msg(..) | Self::Reply(_) | Self::Once { .. }
        )
    }

    /// The row of the table that this command belongs to.
    pub fn kind(&self) -> CommandKind {
        match self {
            Self::Help(_) => CommandKind::Help,
            Self::Name(_) => CommandKind::Name,
            Self::Channels(..) => CommandKind::Channels,
            Self::Create(..) => CommandKind::Create,
            Self::Enter(..) => CommandKind::Enter,
            Self::Leave(..) => CommandKind::Leave,
            Self::Private(..) => CommandKind::Private,
            Self::Msg(..) => CommandKind::Msg,
            Self::Reply(_) => CommandKind::Reply,
            Self::Say(..) => CommandKind::Say,
            Self::Me(_) => CommandKind::Me,
            Self::Info => CommandKind::Info,
            Self::Users(..) => CommandKind::Users,
            Self::Whois(_) => CommandKind::Whois,
            Self::Topic(_) => CommandKind::Topic,
            Self::History(..) => CommandKind::History,
            Self::Search(_) => CommandKind::Search,
            Self::Once { .. } => CommandKind::Once,
            Self::Away(_) => CommandKind::Away,
            Self::Back => CommandKind::Back,
            Self::Ignore(_) => CommandKind::Ignore,
            Self::Unignore(_) => CommandKind::Unignore,
            Self::Moderate(_, running) => running.kind(),
            Self::Drop(..) => CommandKind::Drop,
            Self::Everywhere(everywhere) => everywhere.kind(),
            Self::Kill(..) => CommandKind::Kill,
            Self::Announce(_) => CommandKind::Announce,
            Self::Stats => CommandKind::Stats,
            Self::Invitation => CommandKind::Invitation,
            Self::Register { .. } => CommandKind::Register,
            Self::Login(..) => CommandKind::Login,
            Self::Logout => CommandKind::Logout,
            Self::Password(_) => CommandKind::Password,
            Self::Forget(_) => CommandKind::Forget,
            Self::Mentions { .. } => CommandKind::Mentions,
            Self::Format(_) => CommandKind::Format,
            Self::Ping(_) => CommandKind::Ping,
            Self::Quit(_) => CommandKind::Quit,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Say(None, text) = self {
            let escape = if text.as_str().starts_with('/') { "/" } else { "" };
            return write!(f, "{escape}{text}");
        }
        write!(f, "/{}", self.kind().spec().name)?;
        match self {
            Self::Info
            | Self::Back
            | Self::Stats
            | Self::Invitation
            | Self::Logout
            | Self::Password(None) => Ok(()),
            Self::Help(text)
            | Self::Topic(text)
            | Self::Away(text)
            | Self::Ping(text)
            | Self::Quit(text) => argument(f, text.as_ref()),
            Self::Reply(text) | Self::Me(text) | Self::Announce(text) => write!(f, " {text}"),
            Self::Name(user) | Self::Whois(user) | Self::Unignore(user) => write!(f, " {user}"),
            Self::Enter(channel, None) => write!(f, " {channel}"),
            Self::Enter(channel, Some(id)) => write!(f, " {channel} after {id}"),
            Self::History(conversation, span) => {
                argument(f, conversation.as_ref())?;
                argument(f, (*span != HistoryRange::default()).then_some(span))
            }
            Self::Search(search) => write!(f, " {search}"),
            Self::Once { key, to, text } => write!(f, " {key} {to} {text}"),
            Self::Channels(part, after) => {
                argument(f, part.as_ref())?;
                argument(f, after.as_ref().map(After).as_ref())
            }
            Self::Users(channel, after) => {
                argument(f, channel.as_ref())?;
                argument(f, after.as_ref().map(After).as_ref())
            }
            Self::Ignore(user) => argument(f, user.as_ref()),
            Self::Create(channel, text) | Self::Drop(channel, text) => {
                write!(f, " {channel}")?;
                argument(f, text.as_ref())
            }
            Self::Moderate(channel, running) => {
                argument(f, channel.as_ref())?;
                write!(f, "{running}")
            }
            Self::Leave(conversation, reason) => {
                argument(f, conversation.as_ref())?;
                argument(f, reason.as_ref())
            }
            Self::Private(user, text) | Self::Kill(user, text) => {
                write!(f, " {user}")?;
                argument(f, text.as_ref())
            }
            Self::Everywhere(everywhere) => write!(f, "{everywhere}"),
            Self::Msg(user, text) => write!(f, " {user} {text}"),
            Self::Say(to, text) => {
                argument(f, to.as_ref())?;
                write!(f, " {text}")
            }
            Self::Register { invite, password } => {
                if let Some(invite) = invite {
                    write!(f, " {INVITE_SIGN}{}", invite.expose())?;
                }
                argument(f, password.as_ref().map(Secret::expose).as_ref())
            }
            Self::Login(user, credential) => {
                write!(f, " {user}")?;
                match credential {
                    None => Ok(()),
                    Some(Credential::Password(password)) => write!(f, " {}", password.expose()),
                    Some(Credential::Token(token)) => write!(f, " {TOKEN_SIGN}{}", token.expose()),
                }
            }
            Self::Password(Some((old, new))) => write!(f, " {} {}", old.expose(), new.expose()),
            Self::Mentions { count, before } => {
                argument(f, count.as_ref())?;
                argument(f, before.as_ref())
            }
            Self::Forget(password) => argument(f, password.as_ref().map(Secret::expose).as_ref()),
            Self::Format(format) => write!(f, " {format}"),
        }
    }
}

/// Where a list goes on.
struct After<'a, T>(&'a T);

impl<T: fmt::Display> fmt::Display for After<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{AFTER_SIGN}{}", self.0)
    }
}

fn argument(f: &mut fmt::Formatter<'_>, value: Option<&impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {value}"))
}

#[cfg(test)]
mod test_tables {
    use super::parse;
    use crate::refusal::Code;

    /// A line is understood as what is printed, and that is understood as the same.
    #[track_caller]
    pub(super) fn assert_printed(typed: &str, printed: &str) {
        let command = parse(typed).command.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert_eq!(command.to_string(), printed, "{typed}");
        assert_eq!(parse(printed).command, Ok(command), "{typed}");
    }

    /// A line is refused with a code.
    #[track_caller]
    pub(super) fn assert_refused(typed: &str, code: Code) {
        let refused = parse(typed).command.map_err(|refusal| refusal.code());
        assert_eq!(refused, Err(code), "{typed}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::test_tables::{assert_printed, assert_refused};
    use crate::refusal::Code;

    #[test]
    fn once_takes_a_key_a_place_and_a_text() {
        let parsed = parse("/once  7f3a  @Bob  hi  all ");
        assert_eq!(parsed.re, "once");
        let command = parsed.command.unwrap();
        assert_eq!(command.to_string(), "/once 7f3a @Bob hi  all");
        let Command::Once { key, to, text } = command else { panic!("{command:?}") };
        assert_eq!((key.as_str(), text.as_str()), ("7f3a", "hi  all"));
        assert_eq!(to, Conversation::Private(UserName::new("bob").unwrap()));
        for (typed, code) in [
            ("/once", Code::MissingArgument),
            ("/once 7f3a", Code::MissingArgument),
            ("/once 7f3a #general", Code::MissingArgument),
            ("/once 7f3a general hi", Code::BadArgument),
            ("/once #general hi all", Code::BadArgument),
            ("/once 7f3a #- hi", Code::BadName),
            (&format!("/once {} #general hi", "k".repeat(65)), Code::BadArgument),
        ] {
            assert_eq!(
                parse(typed).command.map_err(|refusal| refusal.code()),
                Err(code),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_list_goes_on_after_a_name() {
        for (typed, printed) in [
            ("/channels", "/channels"),
            ("/list  dev ops ", "/channels dev ops"),
            ("/channels after:general", "/channels after:#general"),
            ("/channels #dev AFTER:#General", "/channels dev after:#General"),
            ("/channels after:x dev", "/channels after:x dev"),
            ("/users after:Bob", "/users after:Bob"),
            ("/who #dev after:@bob", "/users #dev after:bob"),
        ] {
            assert_printed(typed, printed);
        }
        for (typed, code) in [
            ("/channels after:", Code::BadName),
            ("/users after:-", Code::BadName),
            ("/users dev after:bob now", Code::BadArgument),
        ] {
            assert_refused(typed, code);
        }
    }

    #[test]
    fn what_only_says_a_line() {
        for (typed, says) in [
            ("hi", true),
            ("/say #general hi", true),
            ("/me waves", true),
            ("/msg bob hi", true),
            ("/reply hi", true),
            ("/once 7f3a #general hi", true),
            ("/private bob hi", false),
            ("/topic hi", false),
            ("/search hi", false),
        ] {
            assert_eq!(parse(typed).command.unwrap().says(), says, "{typed}");
        }
    }
}
