//! What operators of the server decide is done, and told.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chat_proto::barred::{Barred, Hit};
use chat_proto::command::Invite;
use chat_proto::event::{Done, Event, ServerBan, SignedOutBy, Term};
use chat_proto::id::{LineId, Timestamp};
use chat_proto::limits::INVITATION_DAYS;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::setting::Period;
use chat_proto::text::Text;

use crate::hub::admin::bans::counts;
use crate::hub::admin::command::{Decided, Decree, Recorded, Ruler, Wish};
use crate::hub::admin::server_moderation::Invitation;
use crate::hub::client::account::Account;
use crate::hub::client::{By, Ending, Note, Person};
use crate::hub::fanout::delivery::Told;
use crate::hub::ports::Fact;
use crate::hub::{Hub, Registration, lock};
use crate::util::clock::on_the_wall;

/// For how long an invitation is good, in milliseconds.
#[expect(clippy::cast_possible_wrap, reason = "some days fit")]
const INVITATION_MILLIS: i64 = INVITATION_DAYS as i64 * 24 * 3_600_000;

/// What a wish takes.
struct Decision {
    what: Decided,
    /// For the record: the word, and whom it is about.
    did: &'static str,
    whom: Box<str>,
    until: Option<Timestamp>,
}

/// Somebody whose connection is to be ended.
type Ended = (Arc<Person>, Ending);

impl Hub {
    /// Wants something to be. The asker gets the answer once it is kept and done.
    pub(crate) fn decree(
        self: &Arc<Self>,
        asker: Ruler,
        wish: Wish,
        reason: Option<Text>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let by = asker.name();
        let decision = self.decide(wish, by.as_ref(), reason.as_ref(), now)?;
        let Decision { what, did, whom, until } = decision;
        self.under_way.fetch_add(1, Ordering::SeqCst);
        if self.closing.load(Ordering::SeqCst) {
            self.settle_one();
            return Err(Refusal::stopping());
        }
        let act = Recorded { time: on_the_wall(now), by, did: did.into(), whom, until, reason };
        self.order.decree(Box::new(Decree { asker, what, act }), self);
        Ok(())
    }

    fn decide(
        &self,
        wish: Wish,
        by: Option<&UserName>,
        reason: Option<&Text>,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        let mut until = None;
        let (what, did, whom) = match wish {
            Wish::Kill(user) => {
                let name = self.person(&user)?.name().unwrap_or(user);
                let whom = name.as_str().into();
                (Decided::Kill(name), "kill", whom)
            }
            Wish::Announce(text) => {
                let whom = text.as_str().into();
                (Decided::Announce(text), "announce", whom)
            }
            Wish::Invitation => {
                if self.bounds.registration == Registration::Closed {
                    return Err(Refusal::no_use_for_invitations());
                }
                lock(&self.governing).has_room(now)?;
                let (shown, hash) = self.vault.new_token().ok_or_else(Refusal::internal)?;
                let invite = Invite::new(shown.expose()).ok_or_else(Refusal::internal)?;
                let end = Timestamp(on_the_wall(now).0.saturating_add(INVITATION_MILLIS));
                until = Some(end);
                (Decided::Invitation { invite, hash, until: end }, "invitation", "".into())
            }
            Wish::Admin(name, admin) => {
                let account = self.registered_account(&name)?;
                let did = if admin { "grant" } else { "revoke" };
                let party = account.party;
                (Decided::Admin { party, admin }, did, account.name.as_str().into())
            }
            Wish::Ban(target, period) => {
                let target = lock(&self.governing).bans.known_as(target);
                lock(&self.governing).bans.has_room(&target, now)?;
                until = period.map(|period| shown_end(period, now));
                let term = until.map_or(Term::Lasting, Term::Until);
                let whom = target.to_string().into();
                let (key, by, reason) = (target.key(), by.cloned(), reason.cloned());
                let ban = ServerBan { target, by, time: on_the_wall(now), term, reason };
                (Decided::Ban(ban, key), "ban", whom)
            }
            Wish::Unban(target) => {
                let target = lock(&self.governing).bans.meant(target);
                let whom = target.to_string().into();
                let key = target.key();
                (Decided::Unban(target, key), "unban", whom)
            }
            Wish::Password(name, password) => {
                let account = self.registered_account(&name)?;
                let party = account.party;
                let what = Decided::Password { party, password };
                (what, "reset-password", account.name.as_str().into())
            }
            Wish::Delete(name) => {
                let account = self.registered_account(&name)?;
                let what = Decided::Delete { party: account.party };
                (what, "delete-account", account.name.as_str().into())
            }
        };
        Ok(Decision { what, did, whom, until })
    }

    /// An account by its name, for whoever may know which there are.
    pub(crate) fn registered_account(&self, name: &UserName) -> Result<Arc<Account>, Refusal> {
        self.account(name).ok_or_else(|| Refusal::no_such_account(name))
    }

    /// Does what is kept, and tells everybody concerned.
    pub(crate) fn settle_decree(self: &Arc<Self>, decree: Box<Decree>, kept: Result<(), Refusal>) {
        let Decree { asker, what, act } = *decree;
        match kept {
            Ok(()) => {
                log(&what, &act);
                lock(&self.governing).record(act.clone());
                let (done, ended) = self.carry_out(&asker, what, act);
                asker.answer(Ok(done));
                // After the answer, so that whoever asked hears of it first.
                for (person, ending) in ended {
                    person.end(ending);
                }
            }
            Err(refusal) => asker.answer(Err(refusal)),
        }
        self.settle_one();
    }

    /// Tells also whose connections are to be ended, and how.
    fn carry_out(
        self: &Arc<Self>,
        asker: &Ruler,
        what: Decided,
        act: Recorded,
    ) -> (Done, Vec<Ended>) {
        let mut ended = Vec::new();
        let done = match what {
            Decided::Kill(user) => {
                let devices: Vec<_> = lock(&self.directory).bearers(&user).cloned().collect();
                let ending = Ending { by: act.by, reason: act.reason, ban: None };
                ended.extend(devices.into_iter().map(|one| (one, ending.clone())));
                Done::Killed { user, count: ended.len() }
            }
            Decided::Announce(text) => {
                let by = asker.person().map_or(By::NOBODY, Person::by);
                let event = Event::Announcement { from: act.by, text, time: act.time };
                let number = self.sequence.next();
                let told = Arc::new(Told::new(event, by, number, LineId::default()).into());
                let listens = |one: &Arc<Person>| {
                    one.id != by.id
                        && one.name().is_some()
                        && one.try_note(Note::Told(Arc::clone(&told)))
                };
                let mut count = 0;
                self.each_person(|one| count += usize::from(listens(one)));
                Done::Announced { count }
            }
            Decided::Invitation { invite, hash, until } => {
                let invitation = Invitation::new(act.by, act.time, until);
                lock(&self.governing).invite(hash, invitation);
                Done::Invitation { invite, until }
            }
            Decided::Admin { party, admin } => {
                let changed = lock(&self.accounts).set_admin(party, admin);
                if let Some(account) = changed {
                    self.tell_devices(&account, None, || Note::Admin(admin));
                    if !admin {
                        ended = self.barred_devices(&account, act.time);
                    }
                }
                Done::Told
            }
            Decided::Ban(ban, _) => {
                // From now on nobody comes in whom it is against; who is here already is found.
                lock(&self.governing).bans.add(ban.clone());
                let mut hit = Vec::new();
                self.each_person(|one| {
                    if is_against(&ban.target, one) {
                        hit.push(Arc::clone(one));
                    }
                });
                let ServerBan { target, by, term, reason, .. } = ban;
                let ending = Ending { by, reason, ban: Some(term) };
                ended.extend(hit.into_iter().map(|one| (one, ending.clone())));
                Done::Barred { target, term, count: ended.len() }
            }
            Decided::Unban(target, key) => {
                let changed = lock(&self.governing).bans.remove(&key);
                Done::Unbarred { target, changed }
            }
            Decided::Password { party, password } => {
                lock(&self.accounts).revoke_all(party);
                if let Some(account) = self.account_of(party) {
                    account.set_password(&password);
                    self.tell_devices(&account, None, || Note::SignedOut(SignedOutBy::Operator));
                }
                Done::Told
            }
            Decided::Delete { party } => {
                let by = asker.person().map_or(By::NOBODY, Person::by);
                self.erase_account(party, by, None, SignedOutBy::Deleted);
                Done::Told
            }
        };
        (done, ended)
    }

    /// Those of an account's devices whom a ban is against that doesn't spare them any more.
    fn barred_devices(&self, account: &Account, now: Timestamp) -> Vec<Ended> {
        let directory = lock(&self.directory);
        let bearers = directory.bearers(&account.name);
        let devices = bearers.filter(|one| one.account() == Some(account.party)).cloned();
        let devices: Vec<_> = devices.collect();
        drop(directory);
        let bans = &lock(&self.governing).bans;
        let on_name = bans.on_name(&account.name, false, now);
        let barred = devices.into_iter().filter_map(|device| {
            let on_address = || bans.on_address(device.address()?, now);
            let ban = on_name.clone().or_else(on_address)?;
            let (by, reason) = (ban.by.clone(), ban.reason.clone());
            Some((device, Ending { by, reason, ban: Some(ban.term) }))
        });
        barred.collect()
    }

    /// Ends somebody who was let in in the moment before they were banned.
    pub(super) fn end_if_barred(&self, person: &Person, now: Timestamp) {
        let on_address = |address| lock(&self.governing).bans.on_address(address, now);
        if let Some(ban) = person.address().and_then(on_address) {
            let (by, reason) = (ban.by.clone(), ban.reason.clone());
            person.end(Ending { by, reason, ban: Some(ban.term) });
        }
    }

    /// What held until now holds no more.
    pub fn run_out(self: &Arc<Self>, now: Timestamp) {
        if lock(&self.governing).run_out(now) {
            // What is stored has the wall clock's time. What stays in the store is looked at again at the next start.
            self.order.remember(Fact::RanOut(now.min(on_the_wall(now))), self);
        }
    }
}

/// What the operator of the server finds in the log; the reasons are in the record.
fn log(what: &Decided, act: &Recorded) {
    let by = act.by.as_ref().map_or("(shell)", UserName::as_str);
    let whom = &*act.whom;
    match what {
        Decided::Kill(_) => tracing::info!(%whom, %by, "killed"),
        Decided::Ban(..) => tracing::info!(%whom, %by, "banned from the server"),
        Decided::Unban(..) => tracing::info!(%whom, %by, "no longer banned from the server"),
        Decided::Admin { admin: true, .. } => tracing::info!(%whom, %by, "operator of the server"),
        Decided::Admin { .. } => tracing::info!(%whom, %by, "no longer operator of the server"),
        Decided::Password { .. } => tracing::info!(%whom, %by, "password reset"),
        Decided::Delete { .. } => tracing::info!(%whom, %by, "account deleted"),
        Decided::Announce(_) | Decided::Invitation { .. } => {}
    }
}

fn shown_end(period: Period, now: Timestamp) -> Timestamp {
    let millis = i64::try_from(period.secs().saturating_mul(1000)).unwrap_or(i64::MAX);
    Timestamp(on_the_wall(now).0.saturating_add(millis))
}

/// Whether a ban is against somebody who is here.
fn is_against(target: &Barred, person: &Person) -> bool {
    let by_name = person.name().and_then(|name| target.hits_name(&name));
    let by_address = person.address().filter(|address| target.hits_address(*address));
    let hit = by_name.or(by_address.map(|_| Hit::Alike));
    hit.is_some_and(|hit| counts(hit, person.is_server_operator()))
}
