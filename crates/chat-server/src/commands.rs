//! What each command does: one file for each.
//!
//! A handler reads, asks [`crate::policy`], and returns what it found or what it wants changed. It never
//! changes anything, never writes to anybody and never echoes: the answer comes by the same road
//! for everybody.

mod account;
mod channel;
pub(crate) mod connection;
mod message;
mod moderation;
mod server;
mod user;

use std::sync::Arc;

use chat_proto::command::{Command, HistoryRange, OnceKey, SearchCursor, SearchQuery};
use chat_proto::command_table;
use chat_proto::conversation::Conversation;
use chat_proto::event::{Away, Event, OkReply};
use chat_proto::format::Format;
use chat_proto::id::MessageId;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::secret::{Credential, Secret};
use chat_proto::text::Text;
use chat_proto::time::Timestamp;

use self::account::{forget, login, logout, password, register};
use self::channel::{channels, create, drop, enter, leave, topic, users};
use self::connection::{format, help, info, ping, quit};
use self::message::{history, me, mentions, msg, once, private, reply, say, search};
use self::server::{announce, invitation, kill, server_bans, stats};
use self::user::{away, back, ignore, name, unignore, whois};
use crate::client_state::{Me, Place};
use crate::hub::Hub;
use crate::hub::admin::command::AdminRequest;
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModAction;
use crate::hub::channel::moderation::FilterVerdict;
use crate::hub::client::Client;
use crate::hub::id::TokenHash;
use crate::hub::id::UserId;
use crate::hub::query::ConversationRef;
use crate::inbox::Inbox;
use crate::policy;

/// Who asks, and what a handler may read.
pub(crate) struct Asker<'a> {
    pub(crate) me: &'a Me,
    pub(crate) inbox: &'a Inbox,
    pub(crate) hub: &'a Hub,
    pub(crate) client: &'a Client,
    /// Which side of their private chats they are.
    pub(crate) user_id: UserId,
    pub(crate) now: Timestamp,
}

/// Rows of an answer, made one by one.
pub(crate) type Rows = Box<dyn Iterator<Item = Event> + Send>;

/// What a handler returns.
pub(crate) enum Outcome {
    /// Rows, and what the `ok` after them tells.
    Answer(Vec<Event>, OkReply),
    /// Rows that are made when there is room for their bytes, and what the `ok` after them tells.
    List {
        rows: Rows,
        /// How many entries were looked at for it.
        looked_at: usize,
        done: OkReply,
    },
    /// Something is to change.
    Change(Change),
}

/// What a handler wants changed.
pub(crate) enum Change {
    Name(UserName),
    Create(ChannelName, Option<Text>),
    Enter(ChannelName, Option<MessageId>),
    Leave(Conversation, Option<Text>),
    OpenPrivate(UserName, Option<Text>),
    Say {
        to: Place,
        text: Text,
        action: bool,
        once: Option<OnceKey>,
        /// What the channel's filter has found in it.
        verdict: Option<FilterVerdict>,
    },
    LookBack {
        conversation: Conversation,
        of: ConversationRef,
        span: HistoryRange,
    },
    LookFor {
        search: SearchQuery,
        only: Option<ConversationRef>,
    },
    /// Lines that name one, so many at most.
    Mentions {
        most: u32,
        before: Option<SearchCursor>,
    },
    Topic(Arc<Channel>, Text),
    Away(Option<Away>),
    Ignore(UserName),
    Unignore(UserName),
    Act {
        channel: Arc<Channel>,
        act: ModAction,
    },
    TellActs {
        channel: ChannelName,
        most: u32,
    },
    Format(Format),
    Quit(Option<Text>),
    Account(AccountChange),
    /// What an operator of the server wants, and why.
    Decree(AdminRequest, Option<Text>),
}

impl Change {
    /// Whether anything of it that a person without an account wants is stored.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(
            self,
            Self::Create(..)
                | Self::OpenPrivate(_, Some(_))
                | Self::Say { .. }
                | Self::Topic(..)
                | Self::Act { .. }
                | Self::Account(AccountChange::Register { .. })
        )
    }
}

/// What a handler wants changed about an account.
pub(crate) enum AccountChange {
    /// Makes the name an account.
    Register {
        name: UserName,
        invite: Option<TokenHash>,
        password: Option<Secret>,
    },
    SignIn(UserName, Option<Credential>),
    SignOut,
    /// From the old one to the new one.
    Password(Option<(Secret, Secret)>),
    Forget(Option<Secret>),
}

type Handled = Result<Outcome, Refusal>;

/// Gives a command to its handler.
pub(crate) fn handle(asker: &Asker<'_>, command: Command) -> Handled {
    let spec = command.kind().spec();
    policy::user::may_ask(spec, asker.me.name.is_some())?;
    let required = asker.hub.bounds.accounts_required;
    policy::account::may_ask(spec, required, asker.me.is_signed_in())?;
    policy::operator::may_ask(spec, spec.for_server_operators && asker.is_server_operator())?;
    match command {
        Command::Help(word) => help::handle(asker, word.as_ref()),
        Command::Name(name) => name::handle(asker, name),
        Command::Channels(part, after) => channels::handle(asker, part, after.as_ref()),
        Command::Create(channel, topic) => create::handle(asker, channel, topic),
        Command::Enter(channel, after) => enter::handle(asker, channel, after),
        Command::Leave(conversation, reason) => leave::handle(asker, conversation, reason),
        Command::Private(user, text) => private::handle(asker, user, text),
        Command::Msg(user, text) => msg::handle(asker, user, text),
        Command::Reply(text) => reply::handle(asker, text),
        Command::Say(to, text) => say::handle(asker, to, text),
        Command::Me(text) => me::handle(asker, text),
        Command::History(conversation, span) => history::handle(asker, conversation, span),
        Command::Mentions { count, before } => Ok(mentions::handle(count, before)),
        Command::Search(search) => search::handle(asker, search),
        Command::Once { key, to, text } => once::handle(asker, key, to, text),
        Command::Info => info::handle(asker),
        Command::Users(channel, after) => users::handle(asker, channel.as_ref(), after.as_ref()),
        Command::Whois(user) => whois::handle(asker, &user),
        Command::Topic(text) => topic::handle(asker, text),
        Command::Away(reason) => Ok(away::handle(reason)),
        Command::Back => Ok(back::handle()),
        Command::Ignore(user) => ignore::handle(asker, user),
        Command::Unignore(user) => Ok(unignore::handle(user)),
        Command::Moderate(channel, running) => moderation::handle(asker, channel.as_ref(), running),
        Command::Drop(channel, reason) => drop::handle(asker, &channel, reason),
        Command::Everywhere(wanted) => server_bans::handle(asker, wanted),
        Command::Kill(user, reason) => kill::handle(asker, user, reason),
        Command::Announce(text) => Ok(announce::handle(text)),
        Command::Stats => Ok(stats::handle(asker)),
        Command::Invitation => Ok(invitation::handle()),
        Command::Register { invite, password } => register::handle(asker, invite, password),
        Command::Login(name, credential) => login::handle(asker, name, credential),
        Command::Logout => logout::handle(asker),
        Command::Password(passwords) => password::handle(asker, passwords),
        Command::Forget(password) => forget::handle(asker, password),
        Command::Format(format) => Ok(format::handle(format)),
        Command::Ping(token) => Ok(ping::handle(token)),
        Command::Quit(reason) => Ok(quit::handle(reason)),
    }
}

/// The `ok` of a list of so many rows, and the command that shows those after them.
fn done(count: usize, next: Option<Command>) -> OkReply {
    match next.and_then(|next| Text::new(&next.to_string())) {
        Some(next) => OkReply::Page { count, next },
        None => OkReply::Listed { count },
    }
}

impl Asker<'_> {
    /// The conversation into which one talks.
    fn current(&self) -> Result<&Place, Refusal> {
        self.me.current_place().ok_or_else(Refusal::no_conversation)
    }

    /// The current conversation, which must be a channel for this command.
    fn current_channel(&self, kind: command_table::CommandKind) -> Result<&Arc<Channel>, Refusal> {
        match &self.current()?.conversation {
            Conversation::Channel(name) => {
                self.inbox.channel(name).ok_or_else(|| Refusal::not_in_channel(name))
            }
            private @ Conversation::Private(_) => Err(Refusal::needs_channel(kind.spec(), private)),
        }
    }

    fn is_server_operator(&self) -> bool {
        self.client.is_server_operator()
    }

    /// The channel of this name, unless the asker may not know of it.
    fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Refusal> {
        match self.inbox.channel(name) {
            Some(channel) => Ok(Arc::clone(channel)),
            None => self.hub.channel_for(self.client, name, self.now),
        }
    }

    /// Somebody to write to, by the name that they have now.
    fn somebody(user: UserName) -> Place {
        Place { conversation: Conversation::Private(user), with: None }
    }

    /// Whether one may be in one more conversation.
    fn has_room(&self) -> Result<(), Refusal> {
        let most = self.hub.bounds.conversations_per_person;
        policy::user::may_be_in_more(self.me.places().len(), most)
    }
}
