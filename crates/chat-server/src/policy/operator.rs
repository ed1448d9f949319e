//! What an operator of the server may do.

use chat_proto::refusal::Refusal;
use chat_proto::verb::Verb;

/// Some commands are for operators of the server alone; `operator` tells whether the asker is one.
pub(crate) fn may_ask(verb: &Verb, operator: bool) -> Result<(), Refusal> {
    if operator || !verb.for_server_operators {
        Ok(())
    } else {
        Err(Refusal::server_operators_only(verb))
    }
}

/// Keeping people out of the server, by a command that channels have as well.
pub(crate) fn may_bar(verb: &Verb, operator: bool) -> Result<(), Refusal> {
    if operator { Ok(()) } else { Err(Refusal::server_operators_only(verb)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::refusal::Code;
    use chat_proto::verb::{self, Kind, VERBS};

    #[test]
    fn who_may_do_what() {
        let code = |result: Result<(), Refusal>| result.err().map(|refusal| refusal.code());
        let refused = Some(Code::NotAllowed);
        for (kind, anybody, operator) in [
            (Kind::Kill, refused, None),
            (Kind::Announce, refused, None),
            (Kind::Stats, refused, None),
            (Kind::Invitation, refused, None),
            (Kind::Ban, None, None),
            (Kind::Unban, None, None),
            (Kind::Kick, None, None),
            (Kind::Quit, None, None),
        ] {
            assert_eq!(code(may_ask(verb::of(kind), false)), anybody, "{kind:?}");
            assert_eq!(code(may_ask(verb::of(kind), true)), operator, "{kind:?}");
        }
        assert_eq!(VERBS.iter().filter(|verb| may_ask(verb, false).is_err()).count(), 4);
        for kind in [Kind::Ban, Kind::Unban] {
            assert_eq!(code(may_bar(verb::of(kind), false)), refused, "{kind:?}");
            assert_eq!(code(may_bar(verb::of(kind), true)), None, "{kind:?}");
        }
    }
}
