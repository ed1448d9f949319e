//! Refusals about server operators and server-wide bans.

use super::channel::ReasonSuffix;
use super::{Code, Refusal, Truncated};
use crate::command_table::CommandSpec;
use crate::command_table::EVERYWHERE;
use crate::limits::{MAX_INVITATIONS, MAX_SERVER_BANS};
use crate::name::UserName;
use crate::term::Term;
use crate::text::Text;

impl Refusal {
    /// The command is for the server's operators.
    pub fn server_operators_only(spec: &CommandSpec) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("/{} is for operators of the server. /help shows what you can do.", spec.name),
        )
    }

    /// A server operator has closed the connection, and its pending commands are not executed.
    pub fn connection_ended() -> Self {
        Self::new(
            Code::NotAllowed,
            "An operator of the server ended your connection before this was done, and nothing of it \
             was. Connect again, if you may, and send it again.",
        )
    }

    /// The server has the maximum number of unused invitations.
    pub fn too_many_invitations() -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "{MAX_INVITATIONS} invitations wait to be used, and no more are possible. Wait until \
                 one is used or runs out."
            ),
        )
    }

    /// The address is banned from the server.
    pub fn barred_at_the_door(term: Term, reason: Option<&Text>) -> Self {
        let next = match term {
            Term::Permanent => "Ask its operator",
            Term::Until(_) => "Connect again then",
        };
        let why = ReasonSuffix(reason);
        Self::new(Code::Banned, format!("You are banned from this server{term}{why}. {next}."))
    }

    /// The name is banned from the server.
    pub fn barred_name(name: &UserName, term: Term, reason: Option<&Text>) -> Self {
        let why = ReasonSuffix(reason);
        let text =
            format!("The name {name} is banned from this server{term}{why}. Take another name.");
        Self::new(Code::Banned, text)
    }

    /// The account is banned from the server.
    pub fn barred_account(name: &UserName, term: Term, reason: Option<&Text>) -> Self {
        let next = match term {
            Term::Permanent => "Ask its operator",
            Term::Until(_) => "Sign in then",
        };
        let why = ReasonSuffix(reason);
        let text = format!("The account {name} is banned from this server{term}{why}. {next}.");
        Self::new(Code::Banned, text)
    }

    /// The server has the maximum number of bans.
    pub fn too_many_barred() -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "There are {MAX_SERVER_BANS} bans from this server, and no more are possible. /ban \
                 {EVERYWHERE} lists them; /unban {EVERYWHERE} ends one."
            ),
        )
    }

    /// An invalid target of a server-wide ban.
    pub fn bad_barred(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is no name, address or pattern. Type one as in bob, 192.0.2.7, 10.0.0.0/8, \
                 2001:db8::/32 or spam*bot.",
                Truncated(typed)
            ),
        )
    }

    /// Invitations have no effect on this server.
    pub fn no_use_for_invitations() -> Self {
        Self::new(
            Code::NotAllowed,
            "This server makes no new accounts, also with an invitation. Set accounts.registration \
             to \"invitation\" first.",
        )
    }
}
