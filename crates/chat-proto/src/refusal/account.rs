//! Refusals about accounts. No sentence repeats a password, a token or an invitation.

use super::{Code, Counted, Refusal};
use crate::command_table::CommandSpec;
use crate::limits::{MAX_INVITE_CHARS, MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS};
use crate::name::UserName;
use crate::secret::PasswordError;

impl Refusal {
    /// The name is an account, and the client isn't signed in to it.
    pub fn name_registered(name: &UserName) -> Self {
        Self::new(
            Code::NameRegistered,
            format!(
                "The name {name} belongs to an account. /login {name} signs in, if it is yours; or \
                 take another name."
            ),
        )
    }

    /// The name looks like an account's.
    pub fn looks_registered(wanted: &UserName, like: &UserName) -> Self {
        Self::new(
            Code::NameRegistered,
            format!(
                "The name {wanted} looks like {like}, which belongs to an account. Take another name."
            ),
        )
    }

    /// Name and password don't match. Also used if there is no such account, so that accounts can't
    /// be enumerated.
    pub fn wrong_password(name: &UserName) -> Self {
        Self::new(
            Code::WrongPassword,
            format!("That isn't the password of {name}; nothing was done. Try again."),
        )
    }

    /// The token isn't valid for this name.
    pub fn bad_token(name: &UserName) -> Self {
        Self::new(
            Code::WrongPassword,
            format!(
                "That token doesn't sign in as {name}: it ran out, was revoked, or is another's. \
                 /login {name} asks for the password."
            ),
        )
    }

    /// The command needs an account.
    pub fn not_signed_in(spec: &CommandSpec) -> Self {
        Self::new(
            Code::NotSignedIn,
            format!(
                "/{} needs an account. /register makes your name one, /login NAME signs in.",
                spec.name
            ),
        )
    }

    /// The server requires an account, and the name is none. `register` is the command that makes
    /// it one, if registration is possible.
    pub fn account_required(name: &UserName, register: Option<&str>) -> Self {
        let how = match register {
            Some(register) => format!("{register} makes {name} one."),
            None => "Ask the server's operator for one.".to_owned(),
        };
        Self::new(
            Code::NotSignedIn,
            format!("Only accounts get in here, and {name} is none. /login NAME signs in. {how}"),
        )
    }

    /// `/register` while signed in.
    pub fn already_account(name: &UserName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("{name} is an account already, and you are signed in. /info shows it."),
        )
    }

    /// `/login` while signed in.
    pub fn already_signed_in(name: &UserName) -> Self {
        Self::new(Code::NotAllowed, format!("You are signed in as {name}. Type /logout first."))
    }

    /// `/name` while signed in.
    pub fn signed_in_name(name: &UserName) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "You are signed in as {name}, and the name of an account stays. Type /logout first."
            ),
        )
    }

    /// A sign-in after too many wrong passwords.
    pub fn login_too_soon(seconds: u64) -> Self {
        Self::new(
            Code::TooFast,
            format!(
                "There were too many wrong passwords; this one was not tried. Try again in {}.",
                Counted(seconds, "second")
            ),
        )
    }

    /// The queue of password checks is full.
    pub fn hashing_busy() -> Self {
        Self::new(
            Code::TooFast,
            "Too many people sign in at the moment; nothing was done. Try again in a moment.",
        )
    }

    /// Registration is closed.
    pub fn registration_closed() -> Self {
        Self::new(
            Code::NotAllowed,
            "This server makes no new accounts. Ask its operator for one, or go on without.",
        )
    }

    /// Registration needs an invitation.
    pub fn invitation_needed() -> Self {
        Self::new(
            Code::NotAllowed,
            "An account needs an invitation here. Ask the server's operator for one, and type \
             /register invite:CODE.",
        )
    }

    /// The invitation is used, expired or unknown.
    pub fn invitation_spent() -> Self {
        Self::new(
            Code::NotAllowed,
            "That invitation is not good any more, or never was. Ask for another one.",
        )
    }

    /// `invite:` with an invalid code.
    pub fn bad_invite() -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "What follows invite: can't be an invitation, which is one word of at most \
                 {MAX_INVITE_CHARS} characters. Type /register invite:CODE."
            ),
        )
    }

    /// The account has the maximum number of concurrent connections.
    pub fn too_many_devices(most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "That account is signed in on {most} devices, and no more are possible. Type /quit \
                 on one of them first."
            ),
        )
    }

    /// The line after a password prompt has no password.
    pub fn password_expected(spec: &CommandSpec) -> Self {
        Self::new(
            Code::MissingArgument,
            format!("There was no password; nothing was done. Type /{} again.", spec.name),
        )
    }

    /// The text is not acceptable as a password.
    pub fn bad_password(unfit: PasswordError) -> Self {
        let text = match unfit {
            PasswordError::TooShort { was } => format!(
                "That password has {}; it needs at least {MIN_PASSWORD_CHARS}. Take a longer one.",
                Counted(was as u64, "character")
            ),
            PasswordError::TooLong { over } => format!(
                "That password is {} too long; it holds at most {MAX_PASSWORD_CHARS}. Take a shorter \
                 one.",
                Counted(over as u64, "character")
            ),
            PasswordError::Sign(sign) => {
                format!("A password can't begin with {sign} here. Take another one.")
            }
        };
        Self::new(Code::BadArgument, text)
    }

    /// `/password` with one word.
    pub fn only_one_password() -> Self {
        Self::new(
            Code::MissingArgument,
            "/password needs the old password and the new one. Type /password OLD NEW, or only \
             /password to be asked for them.",
        )
    }

    /// `/password` with more than two words.
    pub fn more_than_old_and_new() -> Self {
        Self::new(
            Code::BadArgument,
            "Those are more than an old and a new password. If there are blanks in one, type only \
             /password and be asked for them.",
        )
    }

    /// The name is no account.
    pub fn no_such_account(name: &UserName) -> Self {
        Self::new(
            Code::NoSuchUser,
            format!("There is no account {name}. /users shows who is here."),
        )
    }

    /// The account was erased while the command was executed.
    pub fn account_gone() -> Self {
        Self::new(
            Code::NotSignedIn,
            "The account was erased on another device; nothing was done. /name takes a name.",
        )
    }
}
