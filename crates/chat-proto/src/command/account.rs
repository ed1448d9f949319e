//! Arguments of the account commands: names, passwords, tokens, invitations.

use super::words::split_word;
use super::{Command, InvitationCode};
use crate::refusal::Refusal;
use crate::secret::{INVITE_SIGN, Secret, without_sign};

/// The arguments of `/register`: an optional invitation, then an optional password, which may
/// contain blanks.
pub(super) fn register(rest: &str) -> Result<Command, Refusal> {
    let (word, more) = split_word(rest);
    let (invite, password) = match without_sign(word, INVITE_SIGN) {
        Some(code) => (Some(InvitationCode::new(code).ok_or_else(Refusal::bad_invite)?), more),
        None => (None, rest),
    };
    Ok(Command::Register { invite, password: Secret::typed(password) })
}

/// The arguments of `/password`: none, or the old and the new one, without blanks.
pub(super) fn password(rest: &str) -> Result<Command, Refusal> {
    let mut words = rest.split_whitespace();
    let (old, new) = (words.next().and_then(Secret::typed), words.next().and_then(Secret::typed));
    match (old, new, words.next()) {
        (None, ..) => Ok(Command::Password(None)),
        (Some(_), None, _) => Err(Refusal::only_one_password()),
        (Some(old), Some(new), None) => Ok(Command::Password(Some((old, new)))),
        (Some(_), Some(_), Some(_)) => Err(Refusal::more_than_old_and_new()),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::test_tables::assert_printed;
    use crate::command::{Command, parse};
    use crate::name::UserName;
    use crate::refusal::Code;
    use crate::secret::{Credential, Secret};

    #[test]
    fn arguments_are_parsed() {
        for (typed, printed) in [
            ("/register", "/register"),
            ("/register  a  b ", "/register a  b"),
            ("/register Invite:7f3a", "/register invite:7f3a"),
            ("/register invite:7f3a  a b", "/register invite:7f3a a b"),
            ("/register a invite:7f3a", "/register a invite:7f3a"),
            ("/login Bob", "/login Bob"),
            ("/login @bob a\u{3000}b ", "/login bob a b"),
            ("/login bob TOKEN:abc", "/login bob token:abc"),
            ("/logout", "/logout"),
            ("/password", "/password"),
            ("/password  old\u{a0}new ", "/password old new"),
            ("/forget", "/forget"),
            ("/forget a b", "/forget a b"),
        ] {
            assert_printed(typed, printed);
        }
        let signed_in = parse("/login bob token:abc").command;
        let token = Credential::Token(Secret::new("abc"));
        assert_eq!(signed_in, Ok(Command::Login(UserName::new("bob").unwrap(), Some(token))));
    }

    #[test]
    fn invalid_arguments_are_refused_and_not_repeated() {
        let long = format!("/register invite:{} hunter2", "k".repeat(65));
        for (typed, code) in [
            ("/register invite:", Code::BadArgument),
            ("/register invite:a\u{a0}hunter2", Code::BadArgument),
            (&long, Code::BadArgument),
            ("/login", Code::MissingArgument),
            ("/login #- hunter2", Code::BadName),
            ("/login root hunter2", Code::NoSuchUser),
            ("/password hunter2", Code::MissingArgument),
            ("/password hunter2 new one", Code::BadArgument),
        ] {
            let refusal = parse(typed).command.unwrap_err();
            assert_eq!(refusal.code(), code, "{typed}");
            assert!(!refusal.text().contains("hunter2"), "{}", refusal.text());
        }
    }

    #[test]
    fn a_command_shows_its_secret_only_when_printed() {
        for typed in [
            "/register hunter2",
            "/register invite:hunter2",
            "/login bob hunter2",
            "/login bob token:hunter2",
            "/password hunter2 hunter2",
            "/forget hunter2",
        ] {
            let parsed = parse(typed);
            assert!(!format!("{parsed:?}").contains("hunter2"), "{parsed:?}");
        }
    }
}
