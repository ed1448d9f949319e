//! `/ban everywhere` and `/unban everywhere`: who is kept out of the server.

use chat_proto::barred::Barred;
use chat_proto::command::Everywhere;
use chat_proto::event::{Done, Event};
use chat_proto::refusal::Refusal;
use chat_proto::target::Target;
use chat_proto::verb;

use super::{Asker, Change, Handled, Outcome};
use crate::hub::admin::command::AdminRequest;
use crate::policy;

pub(super) fn handle(asker: &Asker<'_>, wanted: Everywhere) -> Handled {
    let verb = verb::of(wanted.kind());
    policy::operator::may_bar(verb, asker.is_server_operator())?;
    Ok(match wanted {
        Everywhere::Bans => {
            let bans = asker.hub.server_bans(asker.now);
            let count = bans.len();
            let head = Event::ServerBansHead { count };
            let rows = bans.into_iter().map(|ban| Event::ServerBan(Box::new(ban)));
            let rows = Box::new(std::iter::once(head).chain(rows));
            Outcome::List { rows, looked_at: count, done: Done::Listed { count } }
        }
        Everywhere::Ban(target, period, reason) => {
            if let Barred::One(Target::User(user)) = &target {
                policy::user::somebody_else(verb, asker.me.name.as_ref(), user)?;
                if asker.is_unknown_address(user) {
                    return Err(Refusal::bad_barred(user.as_str()));
                }
            }
            Outcome::Change(Change::Decree(AdminRequest::Ban(target, period), reason))
        }
        Everywhere::Unban(target) => {
            Outcome::Change(Change::Decree(AdminRequest::Unban(target), None))
        }
    })
}
