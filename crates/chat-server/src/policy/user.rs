//! Permissions of any user.

use chat_proto::command_table::CommandSpec;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;

use crate::hub::snapshot::ChannelRestriction;

/// Most commands need a name.
pub(crate) fn may_ask(spec: &CommandSpec, named: bool) -> Result<(), Refusal> {
    if named || spec.nameless { Ok(()) } else { Err(Refusal::not_named(Some(spec))) }
}

/// Some commands make no sense about oneself.
pub(crate) fn another_user(
    spec: &CommandSpec,
    own: Option<&UserName>,
    user: &UserName,
) -> Result<(), Refusal> {
    if own == Some(user) { Err(Refusal::yourself(spec)) } else { Ok(()) }
}

/// The limit of conversations.
pub(crate) fn may_be_in_more(present: usize, most: usize) -> Result<(), Refusal> {
    if present < most { Ok(()) } else { Err(Refusal::too_many_conversations(most)) }
}

/// The first private message to a user whom the author knows only from a channel in which the
/// author is restricted; `from` is that channel.
pub(crate) fn may_write_first(
    user: &UserName,
    from: Option<ChannelRestriction>,
) -> Result<(), Refusal> {
    match from {
        None => Ok(()),
        Some(ChannelRestriction { is_ban: true, channel, term }) => {
            Err(Refusal::banned_from_writing(user, &channel, term))
        }
        Some(ChannelRestriction { is_ban: false, channel, term }) => {
            Err(Refusal::muted_from_writing(user, &channel, term))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::command_table::COMMANDS;

    #[test]
    fn before_a_name_only_the_nameless_commands_work() {
        for spec in COMMANDS {
            assert!(may_ask(spec, true).is_ok());
            let nameless =
                ["name", "help", "channels", "format", "ping", "quit", "register", "login"]
                    .contains(&spec.name);
            assert_eq!(may_ask(spec, false).is_ok(), nameless, "/{}", spec.name);
        }
    }

    #[test]
    fn conversations_are_bounded() {
        assert!(may_be_in_more(49, 50).is_ok());
        assert!(may_be_in_more(50, 50).is_err());
    }
}
