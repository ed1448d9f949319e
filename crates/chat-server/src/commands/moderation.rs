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

use super::{Asker, Change, Handled, Outcome};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::{AccessContext, ActionTarget, ModAction, ModActionKind};
use crate::hub::channel::moderation::ListKind;
use crate::policy;

pub(super) fn handle(
    asker: &Asker<'_>,
    named: Option<&ChannelName>,
    running: ModCommand,
) -> Handled {
    let kind = running.kind();
    let channel = match named {
        Some(name) => asker.channel(name)?,
        None => Arc::clone(asker.current_channel(kind)?),
    };
    if let ModCommand::Settings = running {
        return set::show(asker, &channel);
    }
    asker.may_run(&channel, kind)?;
    match running {
        ModCommand::Kick(user, reason) => kick::handle(asker, channel, user, reason),
        ModCommand::Bans => Ok(ban::list(asker, &channel)),
        ModCommand::Ban(target, period, reason) => {
            ban::handle(asker, channel, target, period, reason)
        }
        ModCommand::Unban(target) => unban::handle(asker, channel, target),
        ModCommand::Mutes => Ok(mute::list(asker, &channel)),
        ModCommand::Mute(user, period, reason) => {
            mute::handle(asker, channel, user, period, reason)
        }
        ModCommand::Unmute(user) => unmute::handle(asker, channel, user),
        ModCommand::Invite(user) => invite::handle(asker, channel, user),
        ModCommand::Op(user) => op::handle(asker, channel, user),
        ModCommand::Deop(user) => deop::handle(asker, channel, user),
        ModCommand::Settings => set::show(asker, &channel),
        ModCommand::Set(setting) => set::handle(asker, channel, setting),
        ModCommand::Purge(user, reason) => purge::handle(asker, channel, user, reason),
        ModCommand::Log(count) => Ok(log::handle(&channel, count)),
    }
}

impl Asker<'_> {
    /// Whether the asker may do what is for operators.
    pub(super) fn may_run(&self, channel: &Channel, kind: CommandKind) -> Result<(), Refusal> {
        let may = |standing: &AccessContext<'_>| policy::channel::may_run(standing, kind);
        channel.ask_to_run(self.client, self.now, may)
    }

    /// Somebody by name, who need not be here.
    pub(super) fn aim(&self, user: UserName) -> ActionTarget {
        let client = self.hub.client(&user).ok();
        let account = self.hub.account_called(&user);
        ActionTarget { user, client, account }
    }

    /// Whether somebody here or an account has this name.
    pub(super) fn is_known(&self, user: &UserName) -> bool {
        let aim = self.aim(user.clone());
        aim.client.is_some() || aim.account.is_some()
    }

    /// Somebody by name, who must be here.
    pub(super) fn aim_here(&self, user: UserName) -> Result<ActionTarget, Refusal> {
        let client = Some(self.hub.client(&user)?);
        Ok(ActionTarget { client, ..self.aim(user) })
    }

    /// Somebody by name, who must be here or have an account.
    pub(super) fn aim_known(&self, user: UserName) -> Result<ActionTarget, Refusal> {
        match self.aim(user) {
            ActionTarget { user, client: None, account: None } => self.aim_here(user),
            aim => Ok(aim),
        }
    }

    /// Somebody else.
    pub(super) fn not_oneself(&self, kind: CommandKind, user: &UserName) -> Result<(), Refusal> {
        policy::user::somebody_else(kind.spec(), self.me.name.as_ref(), user)
    }

    /// An act that the asker may do.
    pub(super) fn act(
        &self,
        channel: Arc<Channel>,
        deed: ModActionKind,
        reason: Option<Text>,
    ) -> Handled {
        let act = ModAction { kind: deed, reason };
        let may = |standing: &AccessContext<'_>| policy::channel::may_act(standing, &act);
        channel.ask_about(&act, self.client, self.now, may)?;
        Ok(Outcome::Change(Change::Act { channel, act }))
    }

    /// The rows of `/ban` or `/mute` without an argument.
    pub(super) fn list_entries(
        &self,
        channel: &Channel,
        list: ListKind,
        kind: CommandKind,
    ) -> Outcome {
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
        Outcome::List { rows: Box::new(rows), looked_at: count, done }
    }
}
