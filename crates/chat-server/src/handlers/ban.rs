//! `/ban`: keeps a person or a net out of a channel, or lists the bans.

use std::sync::Arc;

use chat_proto::setting::Period;
use chat_proto::target::Target;
use chat_proto::text::Text;
use chat_proto::verb::Kind;

use super::{Asker, Handled, Outcome};
use crate::hub::act::{Against, Deed};
use crate::hub::channel::Channel;
use crate::hub::rules::List;

pub(super) fn handle(
    asker: &Asker<'_>,
    channel: Arc<Channel>,
    target: Target,
    period: Option<Period>,
    reason: Option<Text>,
) -> Handled {
    if let Target::User(user) = &target {
        asker.not_oneself(Kind::Ban, user)?;
    }
    let against = asker.against(target);
    asker.act(channel, Deed::Ban(against, period), reason)
}

pub(super) fn list(asker: &Asker<'_>, channel: &Channel) -> Outcome {
    asker.marks(channel, List::Bans, Kind::Ban)
}

impl Asker<'_> {
    /// A person or a net, as it is known at the moment.
    pub(super) fn against(&self, target: Target) -> Against {
        match target {
            Target::User(user) => Against::Person(self.aim(user)),
            net @ Target::Net(_) => Against::Net(net),
        }
    }
}
