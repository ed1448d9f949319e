//! Events, answers and refusals about accounts.

use chat_proto::command_table::CommandKind;
use chat_proto::event::{Away, Event, OkReply, PasswordPurpose, SignOutReason};
use chat_proto::refusal::Refusal;
use chat_proto::secret::{PasswordError, Secret};

use super::{Case, TIME, in_channel, ok, own, person, refused, some, user};

const TOKEN: &str = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn parsed(what: PasswordPurpose) -> Event {
    Event::PasswordAsked { what, name: user("alice") }
}

fn signed_out(by: SignOutReason) -> Event {
    Event::SignedOut { name: user("alice"), by }
}

fn last_seen(away: Option<Away>) -> Event {
    Event::LastSeen { name: user("bob"), seen: TIME, away }
}

pub(super) fn cases() -> Vec<Case> {
    let alice = || user("alice");
    let token = || Secret::new(TOKEN);
    let silent = || Some(Away { reason: None });
    let lunch = || Some(Away { reason: some("lunch") });
    let signed_in = |token| ok("login", OkReply::SignedIn { name: alice(), token });
    vec![
        ("password asked, new", parsed(PasswordPurpose::New)),
        ("password asked, old", parsed(PasswordPurpose::Old)),
        ("password asked, to sign in", parsed(PasswordPurpose::Login)),
        ("password asked, to erase", parsed(PasswordPurpose::Forget)),
        ("signed out by a new password", signed_out(SignOutReason::NewPassword)),
        ("signed out by an operator", signed_out(SignOutReason::Operator)),
        ("signed out by deleting", signed_out(SignOutReason::Deleted)),
        ("signed out by erasing", signed_out(SignOutReason::Forgotten)),
        ("whois, with an account", person(Some("Bob"), silent(), &["general"], 0, 59)),
        ("whois, not here", last_seen(None)),
        ("whois, not here and away", last_seen(silent())),
        ("whois, not here and away with a reason", last_seen(lunch())),
        ("info, with an account", {
            own(Some("alice"), Some(in_channel("general")), &["general"], lunch(), 125)
        }),
        ("registered", ok("register", OkReply::Registered { name: alice(), token: token() })),
        ("signed in", signed_in(Some(token()))),
        ("signed in by a token", signed_in(None)),
        ("signed out", ok("logout", OkReply::SignedOut { name: alice() })),
        ("password changed", ok("password", OkReply::PasswordChanged { token: token() })),
        ("forgotten", ok("forget", OkReply::Forgotten { name: alice() })),
    ]
}

/// The name of each case begins with the function that returns the refusal.
pub(super) fn refusals() -> Vec<Case> {
    let (alice, like) = (user("alice"), user("a1ice"));
    let bad = |unfit| refused("register", Refusal::bad_password(unfit));
    let seconds = |seconds| refused("login", Refusal::login_too_soon(seconds));
    vec![
        ("name_registered", refused("name", Refusal::name_registered(&alice))),
        ("looks_registered", refused("name", Refusal::looks_registered(&like, &alice))),
        ("wrong_password", refused("login", Refusal::wrong_password(&alice))),
        ("bad_token", refused("login", Refusal::bad_token(&alice))),
        ("not_signed_in", refused("logout", Refusal::not_signed_in(CommandKind::Logout.spec()))),
        ("account_gone", refused("password", Refusal::account_gone())),
        ("account_required", {
            refused("name", Refusal::account_required(&alice, Some("/register")))
        }),
        ("account_required, no registration", {
            refused("name", Refusal::account_required(&alice, None))
        }),
        ("already_account", refused("register", Refusal::already_account(&alice))),
        ("already_signed_in", refused("login", Refusal::already_signed_in(&alice))),
        ("signed_in_name", refused("name", Refusal::signed_in_name(&alice))),
        ("login_too_soon, one", seconds(1)),
        ("login_too_soon, more", seconds(32)),
        ("hashing_busy", refused("login", Refusal::hashing_busy())),
        ("registration_closed", refused("register", Refusal::registration_closed())),
        ("invitation_needed", refused("register", Refusal::invitation_needed())),
        ("invitation_spent", refused("register", Refusal::invitation_spent())),
        ("bad_invite", refused("register", Refusal::bad_invite())),
        ("too_many_devices", refused("login", Refusal::too_many_devices(16))),
        ("password_expected", {
            refused("login", Refusal::password_expected(CommandKind::Login.spec()))
        }),
        ("bad_password, too short", bad(PasswordError::TooShort { was: 7 })),
        ("bad_password, too long", bad(PasswordError::TooLong { over: 1 })),
        ("bad_password, a sign", bad(PasswordError::Sign("token:"))),
        ("only_one_password", refused("password", Refusal::only_one_password())),
        ("more_than_old_and_new", refused("password", Refusal::more_than_old_and_new())),
        ("no_such_account", refused("login", Refusal::no_such_account(&alice))),
    ]
}
