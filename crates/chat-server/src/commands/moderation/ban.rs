//! `/ban`: bans a user or a net from a channel, or lists the bans.

use std::sync::Arc;

use chat_proto::command_table::CommandKind;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::UserName;
use chat_proto::period::Period;
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use crate::commands::{CommandContext, CommandResult, Response};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{BanSubject, ModActionKind};
use crate::hub::channel::moderation::ListKind;

pub(super) fn handle(
    context: &CommandContext<'_>,
    channel: Arc<Channel>,
    target: ModTarget,
    period: Option<Period>,
    reason: Option<Text>,
) -> CommandResult {
    if let ModTarget::User(user) = &target {
        context.not_self(CommandKind::Ban, user)?;
        if context.is_unknown_address(user) {
            return Err(Refusal::bad_address(user.as_str()));
        }
    }
    let subject = context.subject(target);
    context.moderate(channel, ModActionKind::Ban(subject, period), reason)
}

pub(super) fn list(context: &CommandContext<'_>, channel: &Channel) -> Response {
    context.list_entries(channel, ListKind::Bans, CommandKind::Ban)
}

impl CommandContext<'_> {
    /// Whether a name resembles an incomplete address, and no online user and no account has it.
    pub(crate) fn is_unknown_address(&self, user: &UserName) -> bool {
        let is_named =
            |user: &str| ModTarget::net(user).is_some() || ModTarget::is_meant_as_net(user);
        // A complete address was typed as a name, with an @.
        let is_like = ModTarget::is_like_address(user.as_str()) && !is_named(user.as_str());
        is_like && !self.is_known(user)
    }

    /// A user or a net, with the user's client and account.
    pub(super) fn subject(&self, target: ModTarget) -> BanSubject {
        match target {
            ModTarget::User(user) => BanSubject::User(self.target(user)),
            net @ ModTarget::Net(_) => BanSubject::Net(net),
        }
    }
}
