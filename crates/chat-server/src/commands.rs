//! One file for each command.
//!
//! A command reads its context, asks [`crate::policy`], and returns rows or an effect. It changes
//! nothing and writes to no client: the session executes the effect, and every client gets the
//! result in the same way.

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
use crate::client_state::{ClientState, JoinedConversation};
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

/// The client that runs a command, and what the command may read.
pub(crate) struct CommandContext<'a> {
    pub(crate) state: &'a ClientState,
    pub(crate) inbox: &'a Inbox,
    pub(crate) hub: &'a Hub,
    pub(crate) client: &'a Client,
    /// The client's side of its private chats.
    pub(crate) user_id: UserId,
    pub(crate) now: Timestamp,
}

/// Rows of a list, generated on demand.
pub(crate) type Rows = Box<dyn Iterator<Item = Event> + Send>;

/// The response of a command.
pub(crate) enum Response {
    /// Rows, and the `ok` after them.
    Answer(Vec<Event>, OkReply),
    /// Rows that are generated as the peer reads them, and the `ok` after them.
    List {
        rows: Rows,
        /// Number of entries examined.
        looked_at: usize,
        done: OkReply,
    },
    /// A change.
    Effect(Effect),
}

/// A change that a command asks for.
pub(crate) enum Effect {
    Name(UserName),
    Create(ChannelName, Option<Text>),
    Enter(ChannelName, Option<MessageId>),
    Leave(Conversation, Option<Text>),
    OpenPrivate(UserName, Option<Text>),
    Say {
        to: JoinedConversation,
        text: Text,
        action: bool,
        once: Option<OnceKey>,
        /// The finding of the channel's word filter.
        verdict: Option<FilterVerdict>,
    },
    ReadHistory {
        conversation: Conversation,
        of: ConversationRef,
        span: HistoryRange,
    },
    Search {
        search: SearchQuery,
        only: Option<ConversationRef>,
    },
    /// Messages that mention the client, at most `most`.
    Mentions {
        most: u32,
        before: Option<SearchCursor>,
    },
    Topic(Arc<Channel>, Text),
    Away(Option<Away>),
    Ignore(UserName),
    Unignore(UserName),
    Moderate {
        channel: Arc<Channel>,
        action: ModAction,
    },
    ShowLog {
        channel: ChannelName,
        most: u32,
    },
    Format(Format),
    Quit(Option<Text>),
    Account(AccountEffect),
    /// A command of a server operator, with its reason.
    Admin(AdminRequest, Option<Text>),
}

impl Effect {
    /// Whether the effect stores anything for a client without an account.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(
            self,
            Self::Create(..)
                | Self::OpenPrivate(_, Some(_))
                | Self::Say { .. }
                | Self::Topic(..)
                | Self::Moderate { .. }
                | Self::Account(AccountEffect::Register { .. })
        )
    }
}

/// An account operation.
pub(crate) enum AccountEffect {
    /// Registers the name.
    Register {
        name: UserName,
        invite: Option<TokenHash>,
        password: Option<Secret>,
    },
    SignIn(UserName, Option<Credential>),
    SignOut,
    /// The old and the new password.
    Password(Option<(Secret, Secret)>),
    Forget(Option<Secret>),
}

type CommandResult = Result<Response, Refusal>;

/// Checks who may run a command, and runs it.
pub(crate) fn handle(context: &CommandContext<'_>, command: Command) -> CommandResult {
    let spec = command.kind().spec();
    policy::user::may_ask(spec, context.state.name.is_some())?;
    let required = context.hub.bounds.accounts_required;
    policy::account::may_ask(spec, required, context.state.is_signed_in())?;
    policy::operator::may_ask(spec, spec.for_server_operators && context.is_server_operator())?;
    match command {
        Command::Help(word) => help::handle(context, word.as_ref()),
        Command::Name(name) => name::handle(context, name),
        Command::Channels(part, after) => channels::handle(context, part, after.as_ref()),
        Command::Create(channel, topic) => create::handle(context, channel, topic),
        Command::Enter(channel, after) => enter::handle(context, channel, after),
        Command::Leave(conversation, reason) => leave::handle(context, conversation, reason),
        Command::Private(user, text) => private::handle(context, user, text),
        Command::Msg(user, text) => msg::handle(context, user, text),
        Command::Reply(text) => reply::handle(context, text),
        Command::Say(to, text) => say::handle(context, to, text),
        Command::Me(text) => me::handle(context, text),
        Command::History(conversation, span) => history::handle(context, conversation, span),
        Command::Mentions { count, before } => Ok(mentions::handle(count, before)),
        Command::Search(search) => search::handle(context, search),
        Command::Once { key, to, text } => once::handle(context, key, to, text),
        Command::Info => info::handle(context),
        Command::Users(channel, after) => users::handle(context, channel.as_ref(), after.as_ref()),
        Command::Whois(user) => whois::handle(context, &user),
        Command::Topic(text) => topic::handle(context, text),
        Command::Away(reason) => Ok(away::handle(reason)),
        Command::Back => Ok(back::handle()),
        Command::Ignore(user) => ignore::handle(context, user),
        Command::Unignore(user) => Ok(unignore::handle(user)),
        Command::Moderate(channel, command) => {
            moderation::handle(context, channel.as_ref(), command)
        }
        Command::Drop(channel, reason) => drop::handle(context, &channel, reason),
        Command::Everywhere(wanted) => server_bans::handle(context, wanted),
        Command::Kill(user, reason) => kill::handle(context, user, reason),
        Command::Announce(text) => Ok(announce::handle(text)),
        Command::Stats => Ok(stats::handle(context)),
        Command::Invitation => Ok(invitation::handle()),
        Command::Register { invite, password } => register::handle(context, invite, password),
        Command::Login(name, credential) => login::handle(context, name, credential),
        Command::Logout => logout::handle(context),
        Command::Password(passwords) => password::handle(context, passwords),
        Command::Forget(password) => forget::handle(context, password),
        Command::Format(format) => Ok(format::handle(format)),
        Command::Ping(token) => Ok(ping::handle(token)),
        Command::Quit(reason) => Ok(quit::handle(reason)),
    }
}

/// The `ok` of a list, with the command that shows the next page.
fn done(count: usize, next: Option<Command>) -> OkReply {
    match next.and_then(|next| Text::new(&next.to_string())) {
        Some(next) => OkReply::Page { count, next },
        None => OkReply::Listed { count },
    }
}

impl CommandContext<'_> {
    /// The current conversation.
    fn current(&self) -> Result<&JoinedConversation, Refusal> {
        self.state.current_joined().ok_or_else(Refusal::no_conversation)
    }

    /// The current channel. A private chat is refused.
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

    /// The channel of this name, unless it is hidden from the client.
    fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, Refusal> {
        match self.inbox.channel(name) {
            Some(channel) => Ok(Arc::clone(channel)),
            None => self.hub.channel_for(self.client, name, self.now),
        }
    }

    /// A private chat by the user's current name.
    fn named(user: UserName) -> JoinedConversation {
        JoinedConversation { conversation: Conversation::Private(user), with: None }
    }

    /// Checks the limit of conversations.
    fn check_conversation_limit(&self) -> Result<(), Refusal> {
        let most = self.hub.bounds.conversations_per_person;
        policy::user::may_be_in_more(self.state.joined().len(), most)
    }
}
