//! Permissions about accounts.

use chat_proto::command_table::{CommandKind, CommandSpec};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::secret::{Secret, check_password};

use crate::hub::limits::RegistrationMode;

/// Registration, as configured; a signed-in client has an account already.
pub(crate) fn may_register(
    signed_in: bool,
    name: &UserName,
    mode: RegistrationMode,
    invited: bool,
) -> Result<(), Refusal> {
    match mode {
        _ if signed_in => Err(Refusal::already_account(name)),
        RegistrationMode::Closed => Err(Refusal::registration_closed()),
        RegistrationMode::Invitation if !invited => Err(Refusal::invitation_needed()),
        RegistrationMode::Open | RegistrationMode::Invitation => Ok(()),
    }
}

/// With required accounts, guests can't list channels.
pub(crate) fn may_ask(spec: &CommandSpec, required: bool, signed_in: bool) -> Result<(), Refusal> {
    if required && !signed_in && spec.kind == CommandKind::Channels {
        return Err(Refusal::not_signed_in(spec));
    }
    Ok(())
}

/// Whether a guest may take a name.
pub(crate) fn may_be_guest(
    name: &UserName,
    required: bool,
    mode: RegistrationMode,
) -> Result<(), Refusal> {
    let register = match mode {
        _ if !required => return Ok(()),
        RegistrationMode::Open => Some("/register"),
        RegistrationMode::Invitation => Some("/register invite:CODE"),
        RegistrationMode::Closed => None,
    };
    Err(Refusal::account_required(name, register))
}

/// A connection is signed in to one account at a time; `own` is the present one.
pub(crate) fn may_sign_in(own: Option<&UserName>) -> Result<(), Refusal> {
    own.map_or(Ok(()), |own| Err(Refusal::already_signed_in(own)))
}

/// Some commands need an account.
pub(crate) fn is_signed_in(signed_in: bool, spec: &CommandSpec) -> Result<(), Refusal> {
    if signed_in { Ok(()) } else { Err(Refusal::not_signed_in(spec)) }
}

/// An account's name is fixed except for its case; `own` is the signed-in account's.
pub(crate) fn may_change_name(own: Option<&UserName>) -> Result<(), Refusal> {
    own.map_or(Ok(()), |own| Err(Refusal::signed_in_name(own)))
}

/// Whether a text can be a password.
pub(crate) fn may_be_password(password: &Secret) -> Result<(), Refusal> {
    check_password(password.expose()).map_err(Refusal::bad_password)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::refusal::Code;

    #[test]
    fn sign_in_policies_hold() {
        let bob = UserName::new("bob").unwrap();
        let code = |result: Result<(), Refusal>| result.err().map(|refusal| refusal.code());
        let logout = CommandKind::Logout.spec();
        for (signed_in, register, sign_in, name, out) in [
            (false, None, None, None, Some(Code::NotSignedIn)),
            (true, Some(Code::NotAllowed), Some(Code::NotAllowed), Some(Code::NotAllowed), None),
        ] {
            let own = Some(&bob).filter(|_| signed_in);
            let open = RegistrationMode::Open;
            assert_eq!(code(may_register(signed_in, &bob, open, false)), register);
            assert_eq!(code(may_sign_in(own)), sign_in);
            assert_eq!(code(may_change_name(own)), name);
            assert_eq!(code(is_signed_in(signed_in, logout)), out);
        }
    }

    #[test]
    fn who_may_register() {
        let bob = UserName::new("bob").unwrap();
        let text = |refusal: Refusal| refusal.text().to_owned();
        for (mode, invited, refusal) in [
            (RegistrationMode::Open, false, None),
            (RegistrationMode::Open, true, None),
            (RegistrationMode::Invitation, false, Some(Refusal::invitation_needed())),
            (RegistrationMode::Invitation, true, None),
            (RegistrationMode::Closed, false, Some(Refusal::registration_closed())),
            (RegistrationMode::Closed, true, Some(Refusal::registration_closed())),
        ] {
            let seen = may_register(false, &bob, mode, invited);
            assert_eq!(seen.err().map(text), refusal.map(text), "{mode:?}, {invited}");
        }
    }

    #[test]
    fn where_accounts_are_required_guests_get_no_further_than_the_name() {
        let bob = UserName::new("bob").unwrap();
        let code = |result: Result<(), Refusal>| result.err().map(|refusal| refusal.code());
        let refused = Some(Code::NotSignedIn);
        for (required, expected) in [(false, None), (true, refused)] {
            for mode in
                [RegistrationMode::Open, RegistrationMode::Invitation, RegistrationMode::Closed]
            {
                assert_eq!(code(may_be_guest(&bob, required, mode)), expected, "{mode:?}");
            }
            let channels = CommandKind::Channels.spec();
            assert_eq!(code(may_ask(channels, required, false)), expected);
            assert_eq!(code(may_ask(channels, required, true)), None);
            assert_eq!(code(may_ask(CommandKind::Ping.spec(), required, false)), None);
        }
    }

    #[test]
    fn the_length_of_a_password_is_bounded() {
        for (chars, may) in [(7, false), (8, true), (200, true), (201, false)] {
            assert_eq!(may_be_password(&Secret::new(&"a".repeat(chars))).is_ok(), may, "{chars}");
        }
    }
}
