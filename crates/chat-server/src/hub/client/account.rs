//! Accounts in memory: names, tokens, and what each account remembers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use chat_proto::event::Away;
use chat_proto::id::MessageId;
use chat_proto::limits::{MAX_TOKENS, TOKEN_DAYS};
use chat_proto::name::{ChannelName, UserName};
use chat_proto::time::Timestamp;

use crate::hub::client::membership_index::MembershipIndex;
use crate::hub::id::UserId;
use crate::hub::id::{ConversationKey, TokenHash};
use crate::hub::skeleton_index::SkeletonIndex;
use crate::util::sync::lock;
use crate::util::sync::{Rank, RankedMutex};

/// An account. Its number is its user id in private chats.
pub(crate) struct Account {
    pub(crate) user_id: UserId,
    /// As the owner typed it on registration.
    pub(crate) name: UserName,
    state: RankedMutex<{ Rank::Account as u8 }, AccountState>,
    /// The index over all accounts.
    members: Arc<MembershipIndex>,
}

/// The mutable part of an account.
struct AccountState {
    /// The password hash, as a PHC string.
    password: Arc<str>,
    away: Option<Away>,
    /// When it was last online.
    seen: Timestamp,
    /// Whether it is a server operator.
    admin: bool,
    ignored: Vec<IgnoredUser>,
    /// The channels that it is a member of, in the order of joining.
    channels: Vec<AccountMembership>,
    /// Recent read markers of private chats.
    chats: HashMap<UserId, MessageId>,
    /// When it last joined a channel.
    entered: Timestamp,
    /// Deleted; with the sequence number of that event.
    gone: Option<u64>,
    /// No device is online; with the sequence number of the last departure.
    departed: Option<u64>,
}

/// A channel that an account is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountMembership {
    pub(crate) channel: ChannelName,
    /// The read marker.
    pub(crate) read: MessageId,
}

/// A user whom an account ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IgnoredUser {
    pub(crate) name: UserName,
    /// The user who had the name.
    pub(crate) user_id: Option<UserId>,
}

/// An account as it is stored.
#[derive(Debug)]
pub(crate) struct StoredAccount {
    pub(crate) user_id: UserId,
    pub(crate) name: UserName,
    pub(crate) password: Box<str>,
    pub(crate) away: Option<Away>,
    pub(crate) seen: Timestamp,
    pub(crate) admin: bool,
    pub(crate) ignored: Vec<IgnoredUser>,
    pub(crate) channels: Vec<AccountMembership>,
}

/// How long an unused token is valid, in milliseconds.
#[expect(clippy::cast_possible_wrap, reason = "the number of days is small")]
const TOKEN_MILLIS: i64 = TOKEN_DAYS as i64 * 24 * 3_600_000;

/// A token's use is stored once in this time: a day.
const USE_MILLIS: i64 = 24 * 3_600_000;

/// Read markers of private chats kept in memory. The store has each within moments, so all are
/// dropped beyond it.
const MAX_CHATS: usize = 256;

/// Channels that an account is a member of; beyond it, it leaves the one that it joined first. One
/// connection is in at most 60.
const MAX_CHANNELS: usize = 256;

/// All accounts.
#[derive(Default)]
pub(crate) struct AccountTable {
    by_name: BTreeMap<UserName, Arc<Account>>,
    /// Skeletons of names, to the names.
    by_skeleton: SkeletonIndex<UserName>,
    by_user: HashMap<UserId, Arc<Account>>,
    tokens: HashMap<TokenHash, AccountToken>,
    tokens_of: BTreeMap<UserId, Vec<TokenHash>>,
    /// Names whose accounts are being stored.
    reserved: HashSet<UserName>,
    /// The server operators.
    admins: BTreeSet<UserId>,
    members: Arc<MembershipIndex>,
}

/// Accounts whose tokens are checked with the lock held once.
const ACCOUNTS_A_SLICE: usize = 256;

/// A token, which signs in without a password.
struct AccountToken {
    user_id: UserId,
    used: Timestamp,
}

/// Why a name can't be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameConflict {
    /// An account has this name.
    Exact,
    /// An account has this similar name.
    Similar(UserName),
}

/// The result of checking a token.
pub(crate) enum TokenCheck {
    /// It is valid; `renewed` if its use is to be stored.
    Valid { account: Arc<Account>, renewed: bool },
    /// It is unknown or expired.
    Invalid,
}

impl AccountTable {
    /// Loads the stored accounts.
    pub(in crate::hub) fn load(
        kept: Vec<StoredAccount>,
        tokens: Vec<(TokenHash, UserId, Timestamp)>,
    ) -> Self {
        let mut accounts = Self::default();
        for kept in kept {
            accounts.add(kept);
        }
        for (hash, user_id, used) in tokens {
            accounts.add_token(hash, user_id, used);
        }
        accounts
    }

    pub(in crate::hub) fn add(&mut self, kept: StoredAccount) -> Arc<Account> {
        let StoredAccount { user_id, name, password, away, seen, admin, ignored, channels } = kept;
        let password = password.into();
        let chats = HashMap::new();
        let (entered, gone, departed) = (Timestamp(0), None, None);
        for known in &channels {
            self.members.add(&known.channel, user_id);
        }
        if admin {
            self.admins.insert(user_id);
        }
        let state = AccountState {
            password,
            away,
            seen,
            admin,
            ignored,
            channels,
            chats,
            entered,
            gone,
            departed,
        };
        let (state, members) = (RankedMutex::new(state), Arc::clone(&self.members));
        let account = Arc::new(Account { user_id, name: name.clone(), state, members });
        for skeleton in name.loose_skeletons() {
            self.by_skeleton.add(&skeleton, name.clone());
        }
        self.reserved.remove(&name);
        self.by_name.insert(name, Arc::clone(&account));
        self.by_user.insert(user_id, Arc::clone(&account));
        account
    }

    /// Deletes an account and its tokens. `number` is the sequence number of that event.
    pub(in crate::hub) fn remove(&mut self, user_id: UserId, number: u64) -> Option<Arc<Account>> {
        let account = self.by_user.remove(&user_id)?;
        self.by_name.remove(&account.name);
        for skeleton in account.name.loose_skeletons() {
            self.by_skeleton.remove(&skeleton, &account.name);
        }
        self.revoke_all(user_id);
        self.admins.remove(&user_id);
        account.set_gone(number);
        Some(account)
    }

    /// Removes a channel that is gone from every account: a later one of the name is another
    /// channel.
    pub(in crate::hub) fn forget_channel(&self, channel: &ChannelName) {
        for user_id in self.members.take(channel) {
            if let Some(account) = self.by_user.get(&user_id) {
                account.leave_channel(channel);
            }
        }
    }

    /// Reserves a name whose account is being stored.
    pub(in crate::hub) fn reserve(&mut self, name: UserName) {
        self.reserved.insert(name);
    }

    pub(in crate::hub) fn free(&mut self, name: &UserName) {
        self.reserved.remove(name);
    }

    pub(in crate::hub) fn find(&self, name: &UserName) -> Option<&Arc<Account>> {
        self.by_name.get(name)
    }

    pub(in crate::hub) fn of(&self, user_id: UserId) -> Option<&Arc<Account>> {
        self.by_user.get(&user_id)
    }

    /// The number of accounts.
    pub(in crate::hub) fn count(&self) -> usize {
        self.by_name.len()
    }

    pub(in crate::hub) fn by_name(&self) -> &BTreeMap<UserName, Arc<Account>> {
        &self.by_name
    }

    /// The accounts that are server operators.
    pub(in crate::hub) fn admins(&self) -> impl ExactSizeIterator<Item = Option<&Arc<Account>>> {
        self.admins.iter().map(|user_id| self.by_user.get(user_id))
    }

    /// Sets the right of a server operator. Returns the account if that is a change.
    pub(in crate::hub) fn set_admin(
        &mut self,
        user_id: UserId,
        admin: bool,
    ) -> Option<Arc<Account>> {
        let account = self.by_user.get(&user_id)?;
        if admin {
            self.admins.insert(user_id)
        } else {
            self.admins.remove(&user_id)
        };
        account.set_admin(admin).then(|| Arc::clone(account))
    }

    /// Whether an account has this name or a similar one.
    pub(in crate::hub) fn owned(&self, name: &UserName) -> Option<NameConflict> {
        if self.by_name.contains_key(name) || self.reserved.contains(name) {
            return Some(NameConflict::Exact);
        }
        let like = name
            .loose_skeletons()
            .find_map(|skeleton| self.by_skeleton.of(&skeleton).next().cloned());
        like.map(NameConflict::Similar)
    }

    /// Adds a token.
    pub(in crate::hub) fn add_token(&mut self, hash: TokenHash, user_id: UserId, now: Timestamp) {
        if self.tokens.insert(hash, AccountToken { user_id, used: now }).is_none() {
            self.tokens_of.entry(user_id).or_default().push(hash);
        }
    }

    /// The token that a new one replaces: the least recently used, once there are too many.
    pub(in crate::hub) fn surplus_token(&self, user_id: UserId) -> Option<TokenHash> {
        let own = self.tokens_of.get(&user_id).filter(|own| own.len() >= MAX_TOKENS)?;
        let used = |hash: &&TokenHash| self.tokens.get(hash).map(|token| token.used);
        own.iter().min_by_key(used).copied()
    }

    pub(in crate::hub) fn revoke(&mut self, hash: &TokenHash) {
        let Some(AccountToken { user_id, .. }) = self.tokens.remove(hash) else { return };
        if let Some(own) = self.tokens_of.get_mut(&user_id) {
            own.retain(|own| own != hash);
            if own.is_empty() {
                self.tokens_of.remove(&user_id);
            }
        }
    }

    pub(in crate::hub) fn revoke_all(&mut self, user_id: UserId) {
        for hash in self.tokens_of.remove(&user_id).unwrap_or_default() {
            self.tokens.remove(&hash);
        }
    }

    /// Checks a token. The name must be that of its account.
    pub(in crate::hub) fn open(
        &mut self,
        hash: &TokenHash,
        name: &UserName,
        now: Timestamp,
    ) -> TokenCheck {
        let Some(token) = self.tokens.get_mut(hash) else { return TokenCheck::Invalid };
        let Some(account) = self.by_user.get(&token.user_id) else { return TokenCheck::Invalid };
        if now.0 - token.used.0 >= TOKEN_MILLIS || account.name != *name {
            return TokenCheck::Invalid;
        }
        let renewed = now.0 - token.used.0 >= USE_MILLIS;
        if renewed {
            token.used = now;
        }
        TokenCheck::Valid { account: Arc::clone(account), renewed }
    }

    /// Removes the expired tokens of some accounts after `after`. Returns them, and the last
    /// account checked.
    pub(in crate::hub) fn expired_tokens(
        &mut self,
        after: Option<UserId>,
        now: Timestamp,
    ) -> (Vec<(UserId, TokenHash)>, Option<UserId>) {
        let mut last = None;
        let mut due = Vec::new();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let some = self.tokens_of.range((after, Bound::Unbounded)).take(ACCOUNTS_A_SLICE);
        for (user_id, hashes) in some {
            last = Some(*user_id);
            let holds = |token: &AccountToken| now.0 - token.used.0 < TOKEN_MILLIS;
            let over = hashes.iter().filter(|hash| !self.tokens.get(hash).is_some_and(holds));
            due.extend(over.map(|hash| (*user_id, *hash)));
        }
        for (_, hash) in &due {
            self.revoke(hash);
        }
        (due, last)
    }
}

impl Account {
    /// The password hash, as a PHC string.
    pub(crate) fn password(&self) -> Arc<str> {
        Arc::clone(&lock(&self.state).password)
    }

    /// Whether it was deleted while a client is still signed in to it.
    pub(in crate::hub) fn is_gone(&self) -> bool {
        lock(&self.state).gone.is_some()
    }

    /// The sequence number of its deletion, or of the departure of its last device.
    pub(in crate::hub) fn gone(&self) -> Option<u64> {
        let state = lock(&self.state);
        state.gone.or(state.departed)
    }

    /// Marks it as deleted.
    fn set_gone(&self, number: u64) {
        let mut state = lock(&self.state);
        state.gone = Some(number);
        for known in &state.channels {
            self.members.remove(&known.channel, self.user_id);
        }
    }

    /// Marks it as offline with the number of the last departure, or as online with `None`.
    pub(in crate::hub) fn set_departed(&self, number: Option<u64>) {
        lock(&self.state).departed = number;
    }

    pub(in crate::hub) fn set_password(&self, password: &str) {
        lock(&self.state).password = password.into();
    }

    pub(crate) fn away(&self) -> Option<Away> {
        lock(&self.state).away.clone()
    }

    pub(in crate::hub) fn set_away(&self, away: Option<Away>) {
        lock(&self.state).away = away;
    }

    /// When it was last online.
    pub(crate) fn seen(&self) -> Timestamp {
        lock(&self.state).seen
    }

    pub(in crate::hub) fn set_seen(&self, now: Timestamp) {
        lock(&self.state).seen = now;
    }

    /// Whether it is a server operator.
    pub(crate) fn is_admin(&self) -> bool {
        lock(&self.state).admin
    }

    /// Returns whether this changed anything.
    fn set_admin(&self, admin: bool) -> bool {
        std::mem::replace(&mut lock(&self.state).admin, admin) != admin
    }

    /// The users whom it ignores.
    pub(crate) fn ignored(&self) -> Vec<IgnoredUser> {
        lock(&self.state).ignored.clone()
    }

    pub(in crate::hub) fn ignore(&self, hidden: IgnoredUser) {
        let mut state = lock(&self.state);
        state.ignored.retain(|other| other.name != hidden.name);
        state.ignored.push(hidden);
    }

    pub(in crate::hub) fn unignore(&self, name: &UserName) {
        lock(&self.state).ignored.retain(|hidden| hidden.name != *name);
    }

    /// The channels that it is a member of, in the order of joining.
    pub(crate) fn channels(&self) -> Vec<AccountMembership> {
        lock(&self.state).channels.clone()
    }

    /// Joins a channel with this read marker. Returns the time, which rises with each call, and the
    /// channel that is left if there are too many.
    pub(crate) fn join(
        &self,
        channel: &ChannelName,
        read: MessageId,
        now: Timestamp,
    ) -> (Timestamp, Option<ChannelName>) {
        let mut state = lock(&self.state);
        state.entered = Timestamp(now.0.max(state.entered.0 + 1));
        state.channels.retain(|known| known.channel != *channel);
        state.channels.push(AccountMembership { channel: channel.clone(), read });
        if state.gone.is_none() {
            self.members.add(channel, self.user_id);
        }
        let is_full = state.channels.len() > MAX_CHANNELS;
        let oldest = is_full.then(|| state.channels.remove(0).channel);
        if let Some(oldest) = &oldest {
            self.members.remove(oldest, self.user_id);
        }
        (state.entered, oldest)
    }

    /// The read marker of a channel, if it is a member.
    pub(crate) fn read_marker(&self, channel: &ChannelName) -> Option<MessageId> {
        let state = lock(&self.state);
        state.channels.iter().find(|known| known.channel == *channel).map(|known| known.read)
    }

    /// Returns whether it was a member.
    pub(in crate::hub) fn leave_channel(&self, channel: &ChannelName) -> bool {
        let mut state = lock(&self.state);
        let before = state.channels.len();
        state.channels.retain(|known| known.channel != *channel);
        self.members.remove(channel, self.user_id);
        state.channels.len() < before
    }

    /// Whether it is a member, online or not.
    pub(crate) fn is_in(&self, channel: &ChannelName) -> bool {
        lock(&self.state).channels.iter().any(|known| known.channel == *channel)
    }

    /// Moves the read marker of a channel; returns whether it moved.
    pub(in crate::hub) fn mark_read(&self, channel: &ChannelName, line: MessageId) -> bool {
        let mut state = lock(&self.state);
        let known = state.channels.iter_mut().find(|known| known.channel == *channel);
        known.is_some_and(|known| {
            let news = known.read < line;
            known.read = known.read.max(line);
            news
        })
    }

    /// Moves the read marker of a private chat.
    pub(in crate::hub) fn mark_private_read(&self, with: UserId, line: MessageId) {
        let mut state = lock(&self.state);
        if state.chats.len() >= MAX_CHATS {
            state.chats.clear();
        }
        let read = state.chats.entry(with).or_insert(line);
        *read = line.max(*read);
    }

    /// All read markers.
    pub(crate) fn read(&self) -> HashMap<ConversationKey, MessageId> {
        let state = lock(&self.state);
        let channel = |known: &AccountMembership| {
            (ConversationKey::Channel(known.channel.clone()), known.read)
        };
        let chats = state.chats.iter();
        let chats =
            chats.map(|(with, line)| (ConversationKey::private(self.user_id, *with), *line));
        state.channels.iter().map(channel).chain(chats).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(user_id: u64, name: &str) -> StoredAccount {
        StoredAccount {
            user_id: UserId(user_id),
            name: UserName::new(name).unwrap(),
            password: "phc".into(),
            away: None,
            seen: Timestamp(0),
            admin: false,
            ignored: Vec::new(),
            channels: Vec::new(),
        }
    }

    fn hash(byte: u8) -> TokenHash {
        TokenHash([byte; 32])
    }

    #[test]
    fn a_name_in_any_case_and_its_look_alikes_belong_to_the_account() {
        let accounts = AccountTable::load(vec![kept(1, "Bob")], Vec::new());
        let bob = UserName::new("Bob").unwrap();
        for (name, owned) in [
            ("bob", Some(NameConflict::Exact)),
            ("BOB", Some(NameConflict::Exact)),
            ("b0b", Some(NameConflict::Similar(bob.clone()))),
            ("bob_", Some(NameConflict::Similar(bob))),
            ("bobby", None),
        ] {
            assert_eq!(accounts.owned(&UserName::new(name).unwrap()), owned, "{name}");
        }
    }

    #[test]
    fn a_name_whose_account_is_being_stored_is_taken_already() {
        let mut accounts = AccountTable::default();
        let bob = UserName::new("bob").unwrap();
        accounts.reserve(bob.clone());
        assert_eq!(accounts.owned(&bob), Some(NameConflict::Exact));
        accounts.free(&bob);
        assert_eq!(accounts.owned(&bob), None);
    }

    #[test]
    fn a_token_signs_in_to_its_account_until_it_is_revoked_or_expired() {
        let [bob, carol] = ["bob", "carol"].map(|name| UserName::new(name).unwrap());
        let tokens = vec![(hash(1), UserId(1), Timestamp(0))];
        let mut accounts = AccountTable::load(vec![kept(1, "bob"), kept(2, "carol")], tokens);
        let opens = |accounts: &mut AccountTable, hash, name: &UserName, now| match accounts.open(
            &hash,
            name,
            Timestamp(now),
        ) {
            TokenCheck::Valid { account, renewed } => Some((account.user_id.0, renewed)),
            TokenCheck::Invalid => None,
        };
        assert_eq!(opens(&mut accounts, hash(1), &bob, 1), Some((1, false)));
        assert_eq!(opens(&mut accounts, hash(1), &carol, 1), None);
        assert_eq!(opens(&mut accounts, hash(2), &bob, 1), None);
        assert_eq!(opens(&mut accounts, hash(1), &bob, USE_MILLIS), Some((1, true)));
        assert_eq!(opens(&mut accounts, hash(1), &bob, USE_MILLIS), Some((1, false)));
        assert_eq!(opens(&mut accounts, hash(1), &bob, USE_MILLIS + TOKEN_MILLIS), None);
        let later = Timestamp(USE_MILLIS + TOKEN_MILLIS);
        let expired = accounts.expired_tokens(None, later);
        assert_eq!(expired, (vec![(UserId(1), hash(1))], Some(UserId(1))));
        assert_eq!(accounts.expired_tokens(Some(UserId(1)), later), (Vec::new(), None));
        accounts.add_token(hash(3), UserId(1), Timestamp(5));
        accounts.revoke_all(UserId(2));
        assert_eq!(opens(&mut accounts, hash(3), &bob, 6), Some((1, false)));
        accounts.revoke(&hash(3));
        assert_eq!(opens(&mut accounts, hash(3), &bob, 6), None);
    }

    #[test]
    fn tokens_of_one_account_are_bounded() {
        let mut accounts = AccountTable::load(vec![kept(1, "bob")], Vec::new());
        for byte in 0..32 {
            assert_eq!(accounts.surplus_token(UserId(1)), None);
            accounts.add_token(hash(byte), UserId(1), Timestamp(i64::from(100 - byte)));
        }
        assert_eq!(accounts.surplus_token(UserId(1)), Some(hash(31)));
        assert_eq!(accounts.surplus_token(UserId(2)), None);
    }
}
