use std::sync::Arc;

use chat_proto::event::Term;
use chat_proto::mod_target::ModTarget;
use chat_proto::name::{ChannelName, UserName};
use chat_proto::period::Period;
use chat_proto::refusal::Code;
use chat_proto::time::Timestamp;

use super::*;
use crate::hub::channel::mod_action::{BanSubject, PurgeScope, TargetFacts};
use crate::hub::channel::moderation::Settings;
use crate::hub::client::Client;
use crate::hub::id::ClientId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Outsider,
    Invited,
    Member,
    Operator,
    /// Not a member.
    OperatorOutside,
}

use Role::{Invited, Member, Operator, OperatorOutside, Outsider};

const ROLES: [Role; 5] = [Outsider, Invited, Member, Operator, OperatorOutside];

/// A state of the channel, or of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Banned,
    Muted,
    InviteOnly,
    Hidden,
    Slow,
    TopicLock,
    Words,
    Links,
}

use State::{Banned, Hidden, InviteOnly, Links, Muted, Open, Slow, TopicLock, Words};

const STATES: [State; 9] = [Open, Banned, Muted, InviteOnly, Hidden, Slow, TopicLock, Words, Links];

#[derive(Clone, Copy, Debug)]
enum Asks {
    /// Whether the client may know of the channel; `no-such-channel` is no.
    Know,
    Enter,
    Read,
    SeeMembers,
    Say(&'static str),
    SetTopic,
    Run(CommandKind),
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn text(words: &str) -> Text {
    Text::new(words).unwrap()
}

fn settings(state: State) -> Settings {
    let mut settings = Settings::default();
    let set = match state {
        InviteOnly => ("invite-only", "on"),
        Hidden => ("hidden", "on"),
        Slow => ("slow", "10s"),
        TopicLock => ("topic-lock", "on"),
        Words => ("words", "+bad"),
        Links => ("links", "off"),
        Open | Banned | Muted => return settings,
    };
    settings.set(&ChannelSetting::read(set.0, set.1).unwrap());
    settings
}

fn asked(role: Role, state: State, asks: Asks) -> Option<Code> {
    let channel = ChannelName::new("dev").unwrap();
    let settings = settings(state);
    let list_entry = Restriction {
        target: ModTarget::User(user("bob")),
        by: user("alice"),
        time: Timestamp(0),
        term: Term::Permanent,
        reason: None,
    };
    let access = AccessContext {
        channel: &channel,
        name: None,
        member: matches!(role, Member | Operator),
        operator: matches!(role, Operator | OperatorOutside),
        authority: if matches!(role, Operator | OperatorOutside) {
            Authority::Full
        } else {
            Authority::None
        },
        invited: role == Invited,
        ban: (state == Banned).then_some(&list_entry),
        mute: (state == Muted).then_some(&list_entry),
        settings: &settings,
        wait: (state == Slow).then(|| (Period::new(10).unwrap(), 7)),
        operators: vec![user("alice")],
        target: TargetFacts::default(),
        list_entries: [0, 0],
        verdict: None,
    };
    let answer = match asks {
        Asks::Know => return (!access.knows()).then_some(Code::NoSuchChannel),
        Asks::Enter => may_enter(&access),
        Asks::Read => may_take_part(&access),
        Asks::SeeMembers => may_see_members(&access),
        Asks::Say(words) => may(&access, &Payload::Message { text: text(words), action: false }),
        Asks::SetTopic => may(&access, &Payload::Topic(text("a bad one: https://x.example"))),
        Asks::Run(kind) => may_run(&access, kind),
    };
    answer.err().map(|refusal| refusal.code())
}

/// In the order of the decisions.
#[expect(clippy::match_same_arms, reason = "the arms are in the order of the decisions")]
fn expected(role: Role, state: State, asks: Asks) -> Option<Code> {
    let outside = matches!(role, Outsider | Invited);
    let operator = matches!(role, Operator | OperatorOutside);
    // Not a member.
    let not_in = match (role, state) {
        (Outsider | Invited, Banned) => Some(Code::Banned),
        (Outsider | Invited | OperatorOutside, _) => Some(Code::NotInChannel),
        (Member | Operator, _) => None,
    };
    match (asks, state) {
        (Asks::Know, Hidden) if role == Outsider => Some(Code::NoSuchChannel),
        (Asks::Know, _) => None,
        (Asks::Enter, Banned) if outside => Some(Code::Banned),
        (Asks::Enter, InviteOnly) if role == Outsider => Some(Code::InviteOnly),
        (Asks::Enter, _) => None,
        (Asks::SeeMembers, Banned) if outside => Some(Code::Banned),
        (Asks::SeeMembers, _) => None,
        (Asks::Run(CommandKind::Drop), _) if role == OperatorOutside => None,
        (_, _) if not_in.is_some() => not_in,
        (Asks::Read, _) => None,
        (_, _) if operator => None,
        (Asks::Run(_), _) => Some(Code::NotAllowed),
        (Asks::Say(_) | Asks::SetTopic, Muted) => Some(Code::Muted),
        (Asks::Say(_), Slow) => Some(Code::TooFast),
        (Asks::Say(words), Words) if words.contains("bad") => Some(Code::NotAllowed),
        (Asks::Say(words), Links) if words.contains("https:") => Some(Code::NotAllowed),
        (Asks::SetTopic, TopicLock | Words | Links) => Some(Code::NotAllowed),
        (Asks::Say(_) | Asks::SetTopic, _) => None,
    }
}

#[test]
fn permissions_by_role_and_state() {
    let running = [
        CommandKind::Kick,
        CommandKind::Ban,
        CommandKind::Unban,
        CommandKind::Mute,
        CommandKind::Unmute,
        CommandKind::Invite,
        CommandKind::Op,
        CommandKind::Deop,
        CommandKind::Set,
        CommandKind::Purge,
        CommandKind::Log,
        CommandKind::Drop,
    ];
    let all = [
        Asks::Know,
        Asks::Enter,
        Asks::Read,
        Asks::SeeMembers,
        Asks::Say("hi"),
        Asks::Say("a bad word"),
        Asks::Say("https://x.example"),
        Asks::SetTopic,
    ];
    let all = all.into_iter().chain(running.map(Asks::Run));
    let mut refused = 0;
    for asks in all {
        for role in ROLES {
            for state in STATES {
                let code = asked(role, state, asks);
                assert_eq!(code, expected(role, state, asks), "{role:?}, {state:?}: {asks:?}");
                refused += usize::from(code.is_some());
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

fn subject() -> ActionTarget {
    let client = Arc::new(Client::new(ClientId(1), None, Timestamp(0), Arc::default()));
    ActionTarget { user: user("bob"), client: Some(client), account: None }
}

/// Refusals for operators, because of the target or of limits.
#[test]
fn refusals_for_operators() {
    let member = TargetFacts { member: true, ..TargetFacts::default() };
    let operator = TargetFacts { operator: true, ..member };
    let sole = TargetFacts { sole_operator: true, ..operator };
    let banned = TargetFacts { banned: true, ..TargetFacts::default() };
    let listed = TargetFacts { listed: true, ..member };
    let outside = TargetFacts::default();
    let full = [MAX_LIST_ENTRIES, MAX_LIST_ENTRIES];
    let net = || BanSubject::Net(ModTarget::net("10.0.0.0/8").unwrap());
    let word = || ChannelSetting::read("words", "+bad").unwrap();
    for (kind, target, list_entries, code) in [
        (ModActionKind::Kick(subject()), member, [0, 0], None),
        (ModActionKind::Kick(subject()), operator, [0, 0], None),
        (ModActionKind::Kick(subject()), outside, [0, 0], Some(Code::NotInChannel)),
        (ModActionKind::Ban(BanSubject::User(subject()), None), member, [0, 0], None),
        (ModActionKind::Ban(BanSubject::User(subject()), None), outside, [0, 0], None),
        (
            ModActionKind::Ban(BanSubject::User(subject()), None),
            operator,
            [0, 0],
            Some(Code::NotAllowed),
        ),
        (
            ModActionKind::Ban(BanSubject::User(subject()), None),
            member,
            full,
            Some(Code::NotAllowed),
        ),
        (ModActionKind::Ban(BanSubject::User(subject()), None), listed, full, None),
        (ModActionKind::Ban(net(), None), outside, full, Some(Code::NotAllowed)),
        (ModActionKind::Ban(net(), None), outside, [MAX_LIST_ENTRIES - 1, 0], None),
        (ModActionKind::Unban(net()), outside, full, None),
        (ModActionKind::Mute(subject(), None), member, [MAX_LIST_ENTRIES, 0], None),
        (
            ModActionKind::Mute(subject(), None),
            member,
            [0, MAX_LIST_ENTRIES],
            Some(Code::NotAllowed),
        ),
        (ModActionKind::Mute(subject(), None), operator, [0, 0], Some(Code::NotAllowed)),
        (ModActionKind::Unmute(subject()), outside, full, None),
        (ModActionKind::Invite(subject()), outside, [0, 0], None),
        (ModActionKind::Invite(subject()), member, [0, 0], Some(Code::NotAllowed)),
        (ModActionKind::Invite(subject()), banned, [0, 0], Some(Code::NotAllowed)),
        (ModActionKind::Op(subject()), member, [0, 0], None),
        (ModActionKind::Op(subject()), outside, [0, 0], Some(Code::NotInChannel)),
        (ModActionKind::Deop(subject()), operator, [0, 0], None),
        (ModActionKind::Deop(subject()), sole, [0, 0], Some(Code::NotAllowed)),
        (ModActionKind::Purge(subject(), PurgeScope::default()), outside, [0, 0], None),
        (ModActionKind::Set(word()), outside, [0, 0], None),
        (ModActionKind::Drop, outside, [0, 0], None),
    ] {
        let channel = ChannelName::new("dev").unwrap();
        let access = AccessContext {
            channel: &channel,
            name: None,
            member: true,
            operator: true,
            authority: Authority::Full,
            invited: false,
            ban: None,
            mute: None,
            settings: &Settings::default(),
            wait: None,
            operators: Vec::new(),
            target,
            list_entries,
            verdict: None,
        };
        let action = ModAction { kind, reason: None };
        let refused = may(&access, &Payload::ModAction(Box::new(action))).err().map(|it| it.code());
        assert_eq!(refused, code, "{target:?} {list_entries:?}");
    }
}

#[test]
fn the_patterns_of_a_channel_are_bounded() {
    let channel = ChannelName::new("dev").unwrap();
    let mut settings = Settings::default();
    for n in 0..MAX_PATTERNS {
        settings.set(&ChannelSetting::read("words", &format!("+word{n}")).unwrap());
    }
    let access = AccessContext {
        channel: &channel,
        name: None,
        member: true,
        operator: true,
        authority: Authority::Full,
        invited: false,
        ban: None,
        mute: None,
        settings: &settings,
        wait: None,
        operators: Vec::new(),
        target: TargetFacts::default(),
        list_entries: [0, 0],
        verdict: None,
    };
    let set = |value| {
        let kind = ModActionKind::Set(ChannelSetting::read("words", value).unwrap());
        may_act(&access, &ModAction { kind, reason: None }).err().map(|refusal| refusal.code())
    };
    assert_eq!(set("+more"), Some(Code::NotAllowed));
    assert_eq!(set("-word0"), None);
    assert_eq!(set("off"), None);
}

#[test]
fn irreversible_actions_need_an_appointed_operator_with_an_account() {
    let channel = ChannelName::new("dev").unwrap();
    let all = [Authority::Inherited, Authority::Unregistered, Authority::Full, Authority::Server];
    let oneself =
        TargetFacts { oneself: true, member: true, operator: true, ..TargetFacts::default() };
    let member = TargetFacts { member: true, ..TargetFacts::default() };
    let set = |name, value| ModActionKind::Set(ChannelSetting::read(name, value).unwrap());
    for (kind, target, may_do) in [
        (ModActionKind::Drop, member, [false, false, true, true]),
        (
            ModActionKind::Purge(subject(), PurgeScope::default()),
            member,
            [false, false, true, true],
        ),
        (ModActionKind::Op(subject()), member, [false, false, true, true]),
        (ModActionKind::Deop(subject()), member, [false, false, true, true]),
        (ModActionKind::Deop(subject()), oneself, [true; 4]),
        (set("history", "off"), member, [false, true, true, true]),
        (set("history", "on"), member, [true; 4]),
        (set("hidden", "on"), member, [false, true, true, true]),
        (set("invite-only", "on"), member, [true; 4]),
        (ModActionKind::Kick(subject()), member, [true; 4]),
        (ModActionKind::Ban(BanSubject::User(subject()), None), member, [true; 4]),
        (ModActionKind::Mute(subject(), None), member, [true; 4]),
        (ModActionKind::Invite(subject()), TargetFacts::default(), [true; 4]),
    ] {
        let action = ModAction { kind, reason: None };
        for (authority, may_do) in all.into_iter().zip(may_do) {
            let access = AccessContext {
                channel: &channel,
                name: None,
                member: true,
                operator: true,
                authority,
                invited: false,
                ban: None,
                mute: None,
                settings: &Settings::default(),
                wait: None,
                operators: Vec::new(),
                target,
                list_entries: [0, 0],
                verdict: None,
            };
            let refused = may_act(&access, &action).err().map(|it| it.code());
            let expected = (!may_do).then_some(Code::NotAllowed);
            assert_eq!(refused, expected, "{:?} {authority:?}", action.kind());
        }
    }
}

#[test]
fn a_name_shown_in_a_channel_obeys_its_rules() {
    let channel = ChannelName::new("dev").unwrap();
    let by_words = settings(Words);
    let by_links = settings(Links);
    let list_entry = Restriction {
        target: ModTarget::User(user("bob")),
        by: user("alice"),
        time: Timestamp(0),
        term: Term::Permanent,
        reason: None,
    };
    let (bad, good) = (user("a.bad.one"), user("good"));
    let link = user("www.example");
    let plain = Settings::default();
    for (settings, mute, operator, invited, name, renamed, entered) in [
        (&plain, false, false, false, &bad, None, None),
        (&plain, true, false, false, &good, Some(Code::Muted), None),
        (&plain, true, true, false, &good, None, None),
        (&by_words, false, false, false, &good, None, None),
        (&by_words, false, false, false, &bad, Some(Code::NotAllowed), Some(Code::NotAllowed)),
        (&by_words, false, false, true, &bad, Some(Code::NotAllowed), None),
        (&by_words, false, true, false, &bad, None, None),
        (&by_links, false, false, false, &link, Some(Code::NotAllowed), Some(Code::NotAllowed)),
    ] {
        let access = |member| AccessContext {
            channel: &channel,
            name: Some(name),
            member,
            operator,
            authority: if operator { Authority::Full } else { Authority::None },
            invited,
            ban: None,
            mute: mute.then_some(&list_entry),
            settings,
            wait: None,
            operators: Vec::new(),
            target: TargetFacts::default(),
            list_entries: [0, 0],
            verdict: None,
        };
        let code = |answer: Result<(), Refusal>| answer.err().map(|refusal| refusal.code());
        assert_eq!(code(may_be_renamed(&access(true), name)), renamed, "{name} as a member");
        assert_eq!(code(may_enter(&access(false))), entered, "{name} enters");
    }
}
