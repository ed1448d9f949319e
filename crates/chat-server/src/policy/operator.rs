//! Permissions of server operators.

use chat_proto::command_table::CommandSpec;
use chat_proto::refusal::Refusal;

/// Commands for server operators; `operator` is set for one.
pub(crate) fn may_ask(spec: &CommandSpec, operator: bool) -> Result<(), Refusal> {
    if operator || !spec.for_server_operators {
        Ok(())
    } else {
        Err(Refusal::server_operators_only(spec))
    }
}

/// Server bans, by a command that channels have too.
pub(crate) fn may_bar(spec: &CommandSpec, operator: bool) -> Result<(), Refusal> {
    if operator { Ok(()) } else { Err(Refusal::server_operators_only(spec)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::command_table::{COMMANDS, CommandKind};
    use chat_proto::refusal::Code;

    #[test]
    fn permissions_by_command() {
        let code = |result: Result<(), Refusal>| result.err().map(|refusal| refusal.code());
        let refused = Some(Code::NotAllowed);
        for (kind, anybody, operator) in [
            (CommandKind::Kill, refused, None),
            (CommandKind::Announce, refused, None),
            (CommandKind::Stats, refused, None),
            (CommandKind::Invitation, refused, None),
            (CommandKind::Ban, None, None),
            (CommandKind::Unban, None, None),
            (CommandKind::Kick, None, None),
            (CommandKind::Quit, None, None),
        ] {
            assert_eq!(code(may_ask(kind.spec(), false)), anybody, "{kind:?}");
            assert_eq!(code(may_ask(kind.spec(), true)), operator, "{kind:?}");
        }
        assert_eq!(COMMANDS.iter().filter(|spec| may_ask(spec, false).is_err()).count(), 4);
        for kind in [CommandKind::Ban, CommandKind::Unban] {
            assert_eq!(code(may_bar(kind.spec(), false)), refused, "{kind:?}");
            assert_eq!(code(may_bar(kind.spec(), true)), None, "{kind:?}");
        }
    }
}
