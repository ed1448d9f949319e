//! What those who run a channel do there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::event::{Done, Event, Restricted, Sentence, Term};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::Setting;
use chat_proto::text::Text;

use super::membership::put_out;
use crate::hub::channel::mod_action::{Act, Against, Aim, Authority, Deed, Keep, Kept};
use crate::hub::channel::moderation::{List, Mark};
use crate::hub::channel::operators::Right;
use crate::hub::channel::{Channel, State};
use crate::hub::client::{Cause, Kick, Note, Party, Person};
use crate::hub::ports::{Addressee, Draft, Fact, May, What};
use crate::hub::{Channels, Hub, lock};

/// An act that is kept, while it is carried out.
struct Doing<'a> {
    by: &'a Arc<Person>,
    by_name: &'a UserName,
    channel: &'a Arc<Channel>,
    /// All devices of the one whom it is about.
    devices: Vec<Arc<Person>>,
    reason: Option<Text>,
    now: Timestamp,
}

impl Hub {
    /// Does something in a channel. Whoever asks gets the answer as a note.
    pub(crate) fn act(
        self: &Arc<Self>,
        by: &Arc<Person>,
        from: UserName,
        channel: &Arc<Channel>,
        act: Act,
        time: Timestamp,
        may: May,
    ) -> Result<(), Refusal> {
        if let Some(shares) = &self.bounds.shares
            && act.adds_rule()
            && !by.is_server_operator()
        {
            lock(&self.index).has_room(channel, shares)?;
        }
        self.submit_to_channel(by, from, channel, What::Act(Box::new(act)), time, may)
    }

    /// Carries out what is kept already, and tells it. It `hides` so many lines.
    pub(super) fn apply_act(
        self: &Arc<Self>,
        by: &Arc<Person>,
        by_name: &UserName,
        channel: &Arc<Channel>,
        act: Act,
        now: Timestamp,
        hides: usize,
    ) {
        log(by_name, channel, &act);
        let person = act.aim().and_then(|aim| aim.person.as_ref());
        let devices = person.map(|person| self.devices(person)).unwrap_or_default();
        if matches!(act.deed, Deed::Drop) {
            let doing = Doing { by, by_name, channel, devices, reason: act.reason, now };
            return self.end_channel(&doing);
        }
        if let Deed::Kick(aim) | Deed::Ban(Against::Person(aim), _) = &act.deed
            && let Some(account) = aim.account.and_then(|account| self.account_of(account))
        {
            account.leaves(&channel.name);
        }
        let mut state = channel.state();
        let account = state.settle_operators(&channel.name);
        self.remember_operator(channel, account);
        let term = act.term(now).unwrap_or(Term::Lasting);
        let mark = act.mark(by_name, now);
        let ended = act.ended(&state);
        let Act { deed, reason } = act;
        let doing = Doing { by, by_name, channel, devices, reason, now };
        let answer = match deed {
            Deed::Kick(aim) => Ok(self.kick(&mut state, &doing, &aim)),
            Deed::Ban(against, _) => Ok(self.ban(&mut state, &doing, &against, term, mark)),
            Deed::Unban(against) => {
                let (target, channel) = (against.target(), channel.name.clone());
                let changed = end(&mut state, ended);
                Ok(Done::Unbanned { channel, target, changed })
            }
            Deed::Mute(aim, _) => {
                if let Some((list, mark)) = mark {
                    state.rules.add(list, mark);
                }
                let (user, reason) = (aim.name(), doing.reason.clone());
                let (by, channel) = (by_name.clone(), channel.name.clone());
                let done = Done::Muted { channel: channel.clone(), user: user.clone(), term };
                doing.tell(&state, Event::Muted { channel, user, by, term, reason });
                Ok(done)
            }
            Deed::Unmute(aim) => {
                let (user, by) = (aim.name(), by_name.clone());
                let changed = end(&mut state, ended);
                let channel = channel.name.clone();
                let done = Done::Unmuted { channel: channel.clone(), user: user.clone(), changed };
                if changed {
                    doing.tell(&state, Event::Unmuted { channel, user, by });
                }
                Ok(done)
            }
            Deed::Invite(aim) => self.invite(&mut state, &doing, &aim, mark),
            Deed::Op(aim) => {
                let of_account = aim.account;
                let done = appoint(&mut state, &doing, &aim);
                self.note_part(of_account, channel);
                Ok(done)
            }
            Deed::Deop(aim) => Ok(self.take_right(&mut state, &doing, &aim)),
            Deed::Set(setting) => Ok(self.set(&mut state, &doing, &setting)),
            Deed::Purge(aim, _) => {
                let (channel, user) = (channel.name.clone(), aim.name());
                let by = by_name.clone();
                let event = Event::Purged { channel: channel.clone(), user: user.clone(), by };
                state.tell(event, doing.by.by());
                Ok(Done::Purged { channel, user, count: hides })
            }
            // It is carried out above.
            Deed::Drop => Err(Refusal::internal()),
        };
        // What others ask of it afterwards is so already.
        self.reindex(channel, &mut state);
        // Before anything else happens here, so that it comes in its place.
        by.note(Note::Answer(answer));
    }

    /// The channel ends for everybody in it. Whoever is told so finds it gone.
    fn end_channel(self: &Arc<Self>, doing: &Doing<'_>) {
        let mut channels = self.channels.write();
        let mut state = doing.channel.state();
        let name = &doing.channel.name;
        let members: Vec<Arc<Person>> =
            state.members.values().map(|member| Arc::clone(&member.person)).collect();
        for person in members {
            let own = person.id == doing.by.id;
            let kick = doing.kick(if own { Cause::OwnDrop } else { Cause::Drop });
            put_out(&mut state, &person, kick, doing.now, doing.by);
        }
        self.retire(&mut channels, doing.channel, &mut state);
        // What is current after that the session knows.
        let done = Done::Dropped { channel: name.clone(), current: None };
        doing.by.note(Note::Answer(Ok(done)));
    }

    /// Somebody is somebody else now, by name or by account: they are put out where they are banned as that.
    pub(crate) fn put_out_where_banned<'a>(
        self: &Arc<Self>,
        person: &Arc<Person>,
        channels: impl Iterator<Item = &'a Arc<Channel>>,
        now: Timestamp,
    ) {
        if lock(&self.index).has_no_marks() {
            return;
        }
        let who = person.who();
        for channel in channels {
            let mut state = channel.state();
            let ban = state.rules.find(List::Bans, &who, now).map(|mark| mark.shown.clone());
            let Some(Restricted { by, term, reason, .. }) =
                ban.filter(|_| !state.is_operator(person))
            else {
                continue;
            };
            let kick = Kick {
                channel: channel.name.clone(),
                cause: Cause::Ban(term),
                by,
                reason,
                entry: 0,
                last_line: LineId::default(),
            };
            self.exclude(&mut state, person, kick, now, person);
            let account = state.settle_operators(&channel.name);
            self.remember_operator(channel, account);
        }
    }

    /// Puts somebody out of a channel, and remembers that their account is out: they may have entered while what puts
    /// them out was being stored.
    fn exclude(
        self: &Arc<Self>,
        state: &mut State,
        person: &Person,
        kick: Kick,
        now: Timestamp,
        by: &Person,
    ) {
        let channel = kick.channel.clone();
        put_out(state, person, kick, now, by);
        if let Some(account) = person.signed_in() {
            self.order.remember(Fact::NotMember(account.party, channel), self);
        }
    }

    /// What changed of a channel's bans and mutes is in the index from now on.
    pub(super) fn reindex(&self, channel: &Arc<Channel>, state: &mut State) {
        let (changed, count) = (state.rules.take_changed(), state.rules.count());
        if changed.is_empty() && count == state.counted {
            return;
        }
        let mut index = lock(&self.index);
        index.count(channel, std::mem::replace(&mut state.counted, count), count);
        for (sign, is_added) in changed {
            index.change(channel, sign, is_added);
        }
    }

    /// An account operates a channel from now on, or has set its topic.
    pub(super) fn note_part(&self, account: Option<Party>, channel: &Arc<Channel>) {
        if let Some(account) = account {
            lock(&self.index).concerns(account, channel);
        }
    }

    /// Takes a channel off every list.
    pub(super) fn retire(
        self: &Arc<Self>,
        channels: &mut Channels,
        channel: &Arc<Channel>,
        state: &mut State,
    ) {
        state.dropped = true;
        if let Some((name, last)) = channels.remove(&channel.name, state.last_line) {
            self.order.remember(Fact::Forgotten(name, last), self);
        }
        lock(&self.accounts).forget_channel(&channel.name);
        state.rules.clear();
        if channel.show_or_hide(state) {
            self.hidden.fetch_sub(1, Ordering::Relaxed);
        }
        self.reindex(channel, state);
        let mut index = lock(&self.index);
        for account in state.operators.all().0.into_iter().chain(state.topic_by) {
            index.concerns_no_more(account, channel);
        }
    }

    fn set(&self, state: &mut State, doing: &Doing<'_>, setting: &Setting) -> Done {
        let (channel, name) = (doing.channel.name.clone(), setting.name());
        state.rules.settings.set(setting);
        if doing.channel.show_or_hide(state) {
            if state.rules.settings.hidden {
                self.hidden.fetch_add(1, Ordering::Relaxed);
            } else {
                self.hidden.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let settings = &state.rules.settings;
        let value = |to_operator| Sentence::new(settings.shown(name, to_operator));
        let by = doing.by_name.clone();
        let event = Event::Set { channel: channel.clone(), name, value: value(false), by };
        state.tell(event, doing.by.by());
        Done::Set { channel, name, value: value(true) }
    }

    fn kick(self: &Arc<Self>, state: &mut State, doing: &Doing<'_>, aim: &Aim) -> Done {
        let (channel, user) = (doing.channel.name.clone(), aim.name());
        for device in &doing.devices {
            let kick = doing.kick(Cause::Kick);
            self.exclude(state, device, kick, doing.now, doing.by);
        }
        if !doing.devices.is_empty() {
            let account = state.settle_operators(&channel);
            self.remember_operator(doing.channel, account);
        }
        Done::Kicked { channel, user }
    }

    /// Bans, and puts everybody out whom the ban hits.
    fn ban(
        self: &Arc<Self>,
        state: &mut State,
        doing: &Doing<'_>,
        against: &Against,
        term: Term,
        mark: Option<(List, Mark)>,
    ) -> Done {
        let channel = doing.channel.name.clone();
        let Some((list, mark)) = mark else {
            return Done::Banned { channel, target: against.target(), term };
        };
        // Those whom an earlier ban hits are out already.
        let members = state.members.values().map(|member| &member.person);
        let is_hit =
            |person: &&Arc<Person>| mark.hits_person(&person.who()) && !state.is_operator(person);
        let hit: Vec<Arc<Person>> = members.filter(is_hit).map(Arc::clone).collect();
        state.rules.add(list, mark);
        for person in hit {
            let kick = doing.kick(Cause::Ban(term));
            self.exclude(state, &person, kick, doing.now, doing.by);
        }
        let account = state.settle_operators(&channel);
        self.remember_operator(doing.channel, account);
        Done::Banned { channel, target: against.target(), term }
    }

    fn invite(
        self: &Arc<Self>,
        state: &mut State,
        doing: &Doing<'_>,
        aim: &Aim,
        mark: Option<(List, Mark)>,
    ) -> Result<Done, Refusal> {
        let (channel, user) = (doing.channel.name.clone(), aim.name());
        if let Some((list, mark)) = mark {
            for key in state.rules.add(list, mark) {
                self.remember_rule(&channel, Keep::NoMark(list, key));
            }
        }
        let by = doing.by_name.clone();
        let mut told = doing.devices.is_empty();
        for device in &doing.devices {
            let (channel, user) = (channel.clone(), by.clone());
            told |= device.try_note(Note::Invited { channel, user, by: doing.by.party() });
        }
        if told { Ok(Done::Invited { channel, user }) } else { Err(Refusal::user_busy(&user)) }
    }

    fn take_right(self: &Arc<Self>, state: &mut State, doing: &Doing<'_>, aim: &Aim) -> Done {
        let (channel, user) = (doing.channel.name.clone(), aim.name());
        let changed = state.is_operated_by(aim);
        state.operators.remove(aim.person.as_deref(), aim.account);
        if changed {
            let by = doing.by_name.clone();
            let event =
                Event::Operator { channel: channel.clone(), user: user.clone(), by, is_one: false };
            state.tell(event, doing.by.by());
        }
        if let Some(account) = aim.account.filter(|account| state.topic_by != Some(*account)) {
            lock(&self.index).concerns_no_more(account, doing.channel);
        }
        let account = state.settle_operators(&channel);
        self.remember_operator(doing.channel, account);
        Done::Operator { channel, user, is_one: false, changed }
    }
}

impl Doing<'_> {
    fn kick(&self, cause: Cause) -> Kick {
        Kick {
            channel: self.channel.name.clone(),
            cause,
            by: self.by_name.clone(),
            reason: self.reason.clone(),
            entry: 0,
            last_line: LineId::default(),
        }
    }

    /// Tells everybody in the channel, if the one whom it is about is one of them.
    fn tell(&self, state: &State, event: Event) {
        if self.devices.iter().any(|device| state.members.contains_key(&device.id)) {
            state.tell(event, self.by.by());
        }
    }
}

/// What the operator of the server finds in the log; the reasons are in the channel's record.
fn log(by: &UserName, channel: &Channel, act: &Act) {
    let name = &channel.name;
    match &act.deed {
        Deed::Kick(aim) => tracing::info!(channel = %name, user = %aim.name(), %by, "kicked"),
        Deed::Ban(against, _) => {
            tracing::info!(channel = %name, whom = %against.target(), %by, "banned");
        }
        Deed::Drop => {
            let lines = channel.state().line_count();
            tracing::info!(channel = %name, lines, %by, "channel dropped");
        }
        _ => {}
    }
}

/// Ends marks; tells whether there was any.
fn end(state: &mut State, ended: Option<(List, Vec<String>)>) -> bool {
    let Some((list, keys)) = ended else { return false };
    state.rules.remove(list, &keys);
    !keys.is_empty()
}

fn appoint(state: &mut State, doing: &Doing<'_>, aim: &Aim) -> Done {
    let (channel, user) = (doing.channel.name.clone(), aim.name());
    let mut changed = false;
    if let Some(person) = &aim.person {
        changed = !state.is_owned_by(aim);
        // That of an account is kept already, with the act.
        state.appoint(person, &channel, Right::Full);
    } else if let Some(account) = aim.account {
        changed = state.operators.add_account(account, Right::Full);
    }
    if changed {
        let by = doing.by_name.clone();
        let event =
            Event::Operator { channel: channel.clone(), user: user.clone(), by, is_one: true };
        state.tell(event, doing.by.by());
    }
    Done::Operator { channel, user, is_one: true, changed }
}

impl Draft {
    /// Whether it is an act that hides lines.
    pub(crate) fn purges(&self) -> bool {
        matches!(&self.what, What::Act(act) if matches!(act.deed, Deed::Purge(..)))
    }

    /// What is to be kept of an act; nothing of other drafts.
    pub(crate) fn kept(&self) -> Option<Kept> {
        match (&self.what, &self.to) {
            (What::Act(act), Ok(Addressee::Channel(channel))) => {
                let state = channel.state();
                let mut kept = act.kept(&self.from, self.time, &state);
                let is_by_server = state.authority(&self.author) == Authority::Server;
                drop(state);
                if is_by_server && kept.logged.is_some() {
                    let by = Some(self.from.clone()).filter(|_| !self.author.is_shell());
                    kept.recorded = Some(Box::new(act.recorded(by, &channel.name, self.time)));
                }
                Some(kept)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
