//! Commands of server operators: as requested, as stored, and their audit entries.

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

/// What a server operator requests.
pub(crate) enum AdminRequest {
    /// Ends every connection of this user.
    Kill(UserName),
    /// Sends a message to every client.
    Announce(Text),
    /// Makes a code that allows one registration.
    Invitation,
    /// Grants an account the right of a server operator, or revokes it.
    Admin(UserName, bool),
    /// Bans from the server, for a time or permanently.
    Ban(ServerBanMask, Option<Period>),
    /// Removes a ban.
    Unban(ServerBanMask),
    /// Sets an account's password; this is its hash.
    Password(UserName, Box<str>),
    /// Deletes an account with all its messages.
    Delete(UserName),
}

/// What a command does once it is stored.
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
    /// With [`ServerBanMask::key`], like the next.
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

/// A command of a server operator. It is stored, or refused, before anyone is notified, and in the
/// order of submission among proposals.
pub struct AdminCommand {
    pub(crate) issuer: Issuer,
    pub(crate) what: AdminAction,
    /// For the audit log.
    pub(crate) act: AuditEntry,
}

impl AdminCommand {
    /// The account that the command deletes.
    pub(crate) fn forgets(&self) -> Option<UserId> {
        match &self.what {
            AdminAction::Delete { user_id } => Some(*user_id),
            _ => None,
        }
    }

    /// Checks the issuer's right again, which may have been revoked since the submission.
    pub(crate) fn check_policy(&self) -> Result<(), Refusal> {
        let Issuer::Client(client) = &self.issuer else { return Ok(()) };
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
    /// The command that users type for it; for a request of the shell alone, the nearest one.
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

/// Who issues a command.
pub(crate) enum Issuer {
    /// A client.
    Client(Arc<Client>),
    /// `chat-server admin`, which waits for the reply.
    Shell(oneshot::Sender<Result<OkReply, Refusal>>),
}

impl Issuer {
    /// The issuer's name; none for the shell.
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

    /// Sends the reply.
    pub(in crate::hub) fn answer(self, answer: Result<OkReply, Refusal>) {
        match self {
            Self::Client(client) => client.push(Notification::Reply(answer)),
            Self::Shell(waits) => {
                // An admin client that has disconnected needs no reply.
                let _ = waits.send(answer);
            }
        }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    pub(crate) time: Timestamp,
    /// `None` is the shell.
    pub(crate) by: Option<UserName>,
    /// The word for the action.
    pub(crate) did: Box<str>,
    /// Its target, or the text of an announcement.
    pub(crate) whom: Box<str>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: Option<Text>,
}
