//! Moderation of a channel: the dispatch of its commands, and what they share.

mod ban;
mod deop;
mod invite;
mod kick;
mod log;
mod mute;
mod op;
mod purge;
mod set;
mod unban;
mod unmute;

use std::sync::Arc;

use chat_proto::command::ModCommand;
use chat_proto::command_table::CommandKind;
use chat_proto::event::{Event, OkReply};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::text::Text;

use super::{CommandContext, CommandResult, Effect, Response};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ActionTarget, ModAction, ModActionKind};
use crate::hub::channel::moderation::ListKind;
use crate::policy;

pub(super) fn handle(
    context: &CommandContext<'_>,
    named: Option<&ChannelName>,
    command: ModCommand,
) -> CommandResult {
    let kind = command.kind();
    let channel = match named {
        Some(name) => context.channel(name)?,
        None => Arc::clone(context.current_channel(kind)?),
    };
    if let ModCommand::Settings = command {
        return set::show(context, &channel);
    }
    context.may_run(&channel, kind)?;
    match command {
        ModCommand::Kick(user, reason) => kick::handle(context, channel, user, reason),
        ModCommand::Bans => Ok(ban::list(context, &channel)),
        ModCommand::Ban(target, period, reason) => {
            ban::handle(context, channel, target, period, reason)
        }
        ModCommand::Unban(target) => unban::handle(context, channel, target),
        ModCommand::Mutes => Ok(mute::list(context, &channel)),
        ModCommand::Mute(user, period, reason) => {
            mute::handle(context, channel, user, period, reason)
        }
        ModCommand::Unmute(user) => unmute::handle(context, channel, user),
        ModCommand::Invite(user) => invite::handle(context, channel, user),
        ModCommand::Op(user) => op::handle(context, channel, user),
        ModCommand::Deop(user) => deop::handle(context, channel, user),
        ModCommand::Settings => set::show(context, &channel),
        ModCommand::Set(setting) => set::handle(context, channel, setting),
        ModCommand::Purge(user, reason) => purge::handle(context, channel, user, reason),
        ModCommand::Log(count) => Ok(log::handle(&channel, count)),
    }
}

impl CommandContext<'_> {
    /// Checks whether the client may run a command for channel operators.
    pub(super) fn may_run(&self, channel: &Channel, kind: CommandKind) -> Result<(), Refusal> {
        let may = |access: &AccessContext<'_>| policy::channel::may_run(access, kind);
        channel.ask_to_run(self.client, self.now, may)
    }

    /// A user by name, who needn't be online.
    pub(super) fn target(&self, user: UserName) -> ActionTarget {
        let client = self.hub.client(&user).ok();
        let account = self.hub.account_called(&user);
        ActionTarget { user, client, account }
    }

    /// Whether an online user or an account has this name.
    pub(super) fn is_known(&self, user: &UserName) -> bool {
        let target = self.target(user.clone());
        target.client.is_some() || target.account.is_some()
    }

    /// A user by name, who must be online.
    pub(super) fn present_target(&self, user: UserName) -> Result<ActionTarget, Refusal> {
        let client = Some(self.hub.client(&user)?);
        Ok(ActionTarget { client, ..self.target(user) })
    }

    /// A user by name, who must be online or have an account.
    pub(super) fn known_target(&self, user: UserName) -> Result<ActionTarget, Refusal> {
        match self.target(user) {
            ActionTarget { user, client: None, account: None } => self.present_target(user),
            target => Ok(target),
        }
    }

    /// Refuses a command on oneself.
    pub(super) fn not_self(&self, kind: CommandKind, user: &UserName) -> Result<(), Refusal> {
        policy::user::another_user(kind.spec(), self.state.name.as_ref(), user)
    }

    /// Checks a moderation action and returns it as an effect.
    pub(super) fn moderate(
        &self,
        channel: Arc<Channel>,
        kind: ModActionKind,
        reason: Option<Text>,
    ) -> CommandResult {
        let action = ModAction { kind, reason };
        let may = |access: &AccessContext<'_>| policy::channel::may_act(access, &action);
        channel.ask_about(&action, self.client, self.now, may)?;
        Ok(Response::Effect(Effect::Moderate { channel, action }))
    }

    /// The rows of `/ban` or `/mute` without an argument.
    pub(super) fn list_entries(
        &self,
        channel: &Channel,
        list: ListKind,
        kind: CommandKind,
    ) -> Response {
        let marks = channel.list_entries(list, self.now);
        let count = marks.len();
        let name = channel.name.clone();
        let head = Event::ModListHead { kind, channel: name.clone(), count };
        let channel = name.clone();
        let rows = marks.into_iter().map(move |restricted| Event::Restriction {
            is_ban: list == ListKind::Bans,
            channel: channel.clone(),
            restricted: Box::new(restricted),
        });
        let rows = std::iter::once(head).chain(rows);
        let done = OkReply::ListedOf { channel: name, count };
        Response::List { rows: Box::new(rows), looked_at: count, done }
    }
}
