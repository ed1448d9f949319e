//! What a person may do in a channel.

use chat_proto::name::{ChannelName, UserName};
use chat_proto::refusal::Refusal;
use chat_proto::verb::{self, Kind};

use crate::hub::channel::Role;

/// Whether somebody may put others out.
/// `operators` are those who may, for the refusal to name.
pub(crate) fn may_kick(
    role: Role,
    channel: &ChannelName,
    operators: &[UserName],
) -> Result<(), Refusal> {
    match role {
        Role { member: false, .. } => Err(Refusal::not_in_channel(channel)),
        Role { operator: false, .. } => {
            Err(Refusal::for_operators(verb::of(Kind::Kick), channel, operators))
        }
        Role { member: true, operator: true } => Ok(()),
    }
}

/// Whether somebody may say something there, or set its topic.
pub(crate) fn may_take_part(role: Role, channel: &ChannelName) -> Result<(), Refusal> {
    if role.member { Ok(()) } else { Err(Refusal::not_in_channel(channel)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::refusal::Code;

    #[test]
    fn who_may_do_what() {
        let general = ChannelName::new("general").unwrap();
        let role = |member, operator| Role { member, operator };
        let code = |result: Result<(), Refusal>| result.err().map(|refusal| refusal.code());
        for (role, kick, take_part) in [
            (role(true, true), None, None),
            (role(true, false), Some(Code::NotAllowed), None),
            (role(false, true), Some(Code::NotInChannel), Some(Code::NotInChannel)),
            (role(false, false), Some(Code::NotInChannel), Some(Code::NotInChannel)),
        ] {
            assert_eq!(code(may_kick(role, &general, &[])), kick, "{role:?} kicks");
            assert_eq!(code(may_take_part(role, &general)), take_part, "{role:?} takes part");
        }
    }
}
