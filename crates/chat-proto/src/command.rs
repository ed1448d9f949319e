//! The command of one line.
//!
//! A printed command is a line that parses to the same command.

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

/// A parsed line: its words are checked, its names and texts are valid.
///
/// `Display` prints the line to send, with its secrets; `Debug` hides them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The menu, or the usage of one command (its word as typed, without the slash).
    Help(Option<Text>),
    /// Take or change the name.
    Name(UserName),
    /// List channels whose name contains this; only those after a name in the list.
    Channels(Option<Text>, Option<ChannelName>),
    /// Make a channel and enter it.
    Create(ChannelName, Option<Text>),
    /// Enter a channel and make it current; the messages after this id are sent first.
    Enter(ChannelName, Option<MessageId>),
    /// Leave the current or the named conversation.
    Leave(Option<Conversation>, Option<Text>),
    /// Open a private chat, make it current, and optionally send a message there.
    Private(UserName, Option<Text>),
    /// One private message.
    Msg(UserName, Text),
    /// One private message to the sender of the last private message.
    Reply(Text),
    /// Send a message to the current conversation, or to a named one.
    Say(Option<Conversation>, Text),
    /// Send an action to the current conversation.
    Me(Text),
    /// Information about the client itself.
    Info,
    /// List the members of the named channel or of the current one, or the users online; only those
    /// after a name in the list.
    Users(Option<ChannelName>, Option<UserName>),
    /// Information about one user.
    Whois(UserName),
    /// Show or set the current channel's topic.
    Topic(Option<Text>),
    /// Stored messages of the current or the named conversation.
    History(Option<Conversation>, HistoryRange),
    /// Stored messages with these words, among those that the client may read.
    Search(SearchQuery),
    /// Send a message to a conversation once, however often the same key is sent.
    Once {
        /// Chosen by the client; its scope is a name, not a connection.
        key: OnceKey,
        /// The conversation.
        to: Conversation,
        /// The message.
        text: Text,
    },
    /// Set the away state.
    Away(Option<Text>),
    /// Clear the away state.
    Back,
    /// Hide a user, or list the hidden ones.
    Ignore(Option<UserName>),
    /// Stop hiding a user.
    Unignore(UserName),
    /// A moderation command, in the named channel or in the current one.
    Moderate(Option<ChannelName>, ModCommand),
    /// Delete a channel, with all its messages.
    Drop(ChannelName, Option<Text>),
    /// A command about server-wide bans.
    Everywhere(ServerBanCommand),
    /// Close every connection of a user.
    Kill(UserName, Option<Text>),
    /// Send an announcement to every client.
    Announce(Text),
    /// Statistics of the server.
    Stats,
    /// Create an invitation code, which allows a registration.
    Invitation,
    /// Make the name an account. Without a password the server prompts for it. The password isn't
    /// checked to be [`acceptable`](crate::secret::check_password) yet.
    Register {
        /// For servers where registration needs an invitation.
        invite: Option<InvitationCode>,
        /// As it was typed.
        password: Option<Secret>,
    },
    /// Sign in to an account; without a credential the server prompts for the password.
    Login(UserName, Option<Credential>),
    /// Sign out on this connection.
    Logout,
    /// Change the old password to the new one; without them the server prompts for both.
    Password(Option<(Secret, Secret)>),
    /// Erase the account; without its password the server prompts for it.
    Forget(Option<Secret>),
    /// Stored messages that mention the client, at most this many, 1 to
    /// [`MAX_HISTORY_LINES`](crate::limits::MAX_HISTORY_LINES); without a count
    /// [`HISTORY_LINES`](crate::limits::HISTORY_LINES).
    Mentions {
        /// The largest number of messages.
        count: Option<u32>,
        /// Only messages before this.
        before: Option<SearchCursor>,
    },
    /// Set the format of all further output.
    Format(Format),
    /// Answered immediately.
    Ping(Option<Text>),
    /// Close the connection.
    Quit(Option<Text>),
}

/// Precedes the name after which a list continues. No name contains a colon.
const AFTER_SIGN: &str = "after:";

impl Command {
    /// Whether the command sends a message and has no other effect, so that it can be retried when
    /// it was refused.
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

/// The position at which a list continues.
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

    /// A line parses to a command that prints as `printed`, which parses to the same command.
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
    fn once_takes_a_key_a_conversation_and_a_text() {
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
    fn a_list_continues_after_a_name() {
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
    fn commands_that_only_send_a_message_are_known() {
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
