//! `/ban everywhere` and `/unban everywhere`: bans from the server.

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::ServerBanCommand;
use chat_proto::event::{Event, OkReply};
use chat_proto::mod_target::ModTarget;
use chat_proto::refusal::Refusal;

use crate::commands::{CommandContext, CommandResult, Effect, Response};
use crate::hub::admin::command::AdminRequest;
use crate::policy;

pub(crate) fn handle(context: &CommandContext<'_>, wanted: ServerBanCommand) -> CommandResult {
    let spec = wanted.kind().spec();
    policy::operator::may_bar(spec, context.is_server_operator())?;
    Ok(match wanted {
        ServerBanCommand::Bans => {
            let bans = context.hub.server_bans(context.now);
            let count = bans.len();
            let head = Event::ServerBansHead { count };
            let rows = bans.into_iter().map(|ban| Event::ServerBan(Box::new(ban)));
            let rows = Box::new(std::iter::once(head).chain(rows));
            Response::List { rows, looked_at: count, done: OkReply::Listed { count } }
        }
        ServerBanCommand::Ban(target, period, reason) => {
            if let ServerBanMask::One(ModTarget::User(user)) = &target {
                policy::user::another_user(spec, context.state.name.as_ref(), user)?;
                if context.is_unknown_address(user) {
                    return Err(Refusal::bad_barred(user.as_str()));
                }
            }
            Response::Effect(Effect::Admin(AdminRequest::Ban(target, period), reason))
        }
        ServerBanCommand::Unban(target) => {
            Response::Effect(Effect::Admin(AdminRequest::Unban(target), None))
        }
    })
}
