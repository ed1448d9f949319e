//! `/mute`: lets a person only read in a channel, or lists the mutes.

use std::sync::Arc;

use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::Period;
use chat_proto::target::Target;
use chat_proto::text::Text;
use chat_proto::verb::Kind;

use super::{Asker, Handled, Outcome};
use crate::hub::channel::Channel;
use crate::hub::channel::mod_action::ModActionKind;
use crate::hub::channel::moderation::ListKind;

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    user: UserName,
    period: Option<Period>,
    reason: Option<Text>,
) -> Handled {
    asker.not_oneself(Kind::Mute, &user)?;
    let is_net = Target::net(user.as_str()).is_some() || Target::is_meant_as_net(user.as_str());
    if (is_net || Target::is_like_address(user.as_str())) && !asker.is_known(&user) {
        return Err(Refusal::mute_of_address(user.as_str()));
    }
    // Somebody who isn't here at the moment can be muted too.
    let aim = asker.aim(user);
    asker.act(channel, ModActionKind::Mute(aim, period), reason)
}

pub(super) fn list(asker: &Asker<'_>, channel: &Channel) -> Outcome {
    asker.marks(channel, ListKind::Mutes, Kind::Mute)
}
