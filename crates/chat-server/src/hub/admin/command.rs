//! What operators of the server decide: as they wish it, as it is kept, and what is told of it.

use std::sync::Arc;

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::InvitationCode;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{OkReply, ServerBan};
use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;
use chat_proto::time::Timestamp;
use tokio::sync::oneshot;

use crate::hub::client::Client;
use crate::hub::client::notification::Notification;
use crate::hub::id::TokenHash;
use crate::hub::id::UserId;

/// What an operator of the server wants.
pub(crate) enum AdminRequest {
    /// Every connection of this person ends.
    Kill(UserName),
    /// Everybody is told something.
    Announce(Text),
    /// Somebody may register.
    Invitation,
    /// An account is an operator of the server, or isn't any more.
    Admin(UserName, bool),
    /// Somebody is kept out, for a time or for good.
    Ban(ServerBanMask, Option<Period>),
    /// They are let in again.
    Unban(ServerBanMask),
    /// An account has another password, of which this is to be kept.
    Password(UserName, Box<str>),
    /// An account is erased, with all that it wrote.
    Delete(UserName),
}

/// What is to be, once it is kept.
pub(crate) enum AdminAction {
    Kill(UserName),
    Announce(Text),
    Invitation {
        invite: InvitationCode,
        hash: TokenHash,
        until: Timestamp,
    },
    Admin {
        user_id: UserId,
        admin: bool,
    },
    /// With [`ServerBanMask::key`], as what follows.
    Ban(ServerBan, String),
    Unban(ServerBanMask, String),
    Password {
        user_id: UserId,
        password: Box<str>,
    },
    Delete {
        user_id: UserId,
    },
}

/// Something that an operator of the server decided. It is kept, or not, before anybody is told; and in the
/// order in which it came, among drafts too.
pub struct AdminCommand {
    pub(crate) asker: Issuer,
    pub(crate) what: AdminAction,
    /// For the record.
    pub(crate) act: AuditEntry,
}

impl AdminCommand {
    /// The account that it erases.
    pub(crate) fn forgets(&self) -> Option<UserId> {
        match &self.what {
            AdminAction::Delete { user_id } => Some(*user_id),
            _ => None,
        }
    }

    /// Whether it may still be: who was an operator when they asked can have lost the right since.
    pub(crate) fn check_policy(&self) -> Result<(), Refusal> {
        let Issuer::Client(client) = &self.asker else { return Ok(()) };
        if client.kill_notice().is_some() {
            return Err(Refusal::connection_ended());
        }
        if client.is_server_operator() {
            return Ok(());
        }
        Err(Refusal::server_operators_only(self.what.kind().spec()))
    }
}

impl AdminAction {
    /// The command for it, or the nearest one to what is decided at the shell alone.
    fn kind(&self) -> CommandKind {
        match self {
            Self::Kill(_) => CommandKind::Kill,
            Self::Announce(_) => CommandKind::Announce,
            Self::Invitation { .. } => CommandKind::Invitation,
            Self::Ban(..) => CommandKind::Ban,
            Self::Unban(..) => CommandKind::Unban,
            Self::Admin { .. } => CommandKind::Op,
            Self::Password { .. } => CommandKind::Password,
            Self::Delete { .. } => CommandKind::Forget,
        }
    }
}

/// Who decides.
pub(crate) enum Issuer {
    /// Somebody in the chat.
    Client(Arc<Client>),
    /// Somebody at the server's shell, who waits for the answer.
    Shell(oneshot::Sender<Result<OkReply, Refusal>>),
}

impl Issuer {
    /// Their name; none for whoever sits at the shell.
    pub(crate) fn name(&self) -> Option<UserName> {
        match self {
            Self::Client(client) => client.name(),
            Self::Shell(_) => None,
        }
    }

    pub(in crate::hub) fn client(&self) -> Option<&Client> {
        match self {
            Self::Client(client) => Some(client),
            Self::Shell(_) => None,
        }
    }

    /// Tells them what became of it.
    pub(in crate::hub) fn answer(self, answer: Result<OkReply, Refusal>) {
        match self {
            Self::Client(client) => client.push(Notification::Reply(answer)),
            Self::Shell(waits) => {
                // Whoever has gone meanwhile doesn't want to know.
                let _ = waits.send(answer);
            }
        }
    }
}

/// One entry of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) time: Timestamp,
    /// `None` is whoever sat at the shell.
    pub(crate) by: Option<UserName>,
    /// The word of what was done.
    pub(crate) did: Box<str>,
    /// To whom, or what was told.
    pub(crate) whom: Box<str>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: Option<Text>,
}
