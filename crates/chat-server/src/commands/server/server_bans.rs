//! `/ban everywhere` and `/unban everywhere`: who is kept out of the server.

use chat_proto::ban_mask::ServerBanMask;
use chat_proto::command::ServerBanCommand;
use chat_proto::event::{Event, OkReply};
use chat_proto::mod_target::ModTarget;
use chat_proto::refusal::Refusal;

use crate::commands::{Asker, Change, Handled, Outcome};
use crate::hub::admin::command::AdminRequest;
use crate::policy;

pub(crate) fn handle(asker: &Asker<'_>, wanted: ServerBanCommand) -> Handled {
    let spec = wanted.kind().spec();
    policy::operator::may_bar(spec, asker.is_server_operator())?;
    Ok(match wanted {
        ServerBanCommand::Bans => {
            let bans = asker.hub.server_bans(asker.now);
            let count = bans.len();
            let head = Event::ServerBansHead { count };
            let rows = bans.into_iter().map(|ban| Event::ServerBan(Box::new(ban)));
            let rows = Box::new(std::iter::once(head).chain(rows));
            Outcome::List { rows, looked_at: count, done: OkReply::Listed { count } }
        }
        ServerBanCommand::Ban(target, period, reason) => {
            if let ServerBanMask::One(ModTarget::User(user)) = &target {
                policy::user::somebody_else(spec, asker.me.name.as_ref(), user)?;
                if asker.is_unknown_address(user) {
                    return Err(Refusal::bad_barred(user.as_str()));
                }
            }
            Outcome::Change(Change::Decree(AdminRequest::Ban(target, period), reason))
        }
        ServerBanCommand::Unban(target) => {
            Outcome::Change(Change::Decree(AdminRequest::Unban(target), None))
        }
    })
}
