//! Accounts: who owns which name, in memory. What is asked of one while somebody chats needs no disk.

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

/// An account. Its number is the party that it is in private chats.
pub(crate) struct Account {
    pub(crate) user_id: UserId,
    /// As its owner wrote it when it was made.
    pub(crate) name: UserName,
    state: RankedMutex<{ Rank::Account as u8 }, State>,
    /// Those of every account.
    members: Arc<MembershipIndex>,
}

/// What of an account changes.
struct State {
    /// Of its password, as a PHC string.
    password: Arc<str>,
    away: Option<Away>,
    /// When it was last here.
    seen: Timestamp,
    /// Whether it is an operator of the server.
    admin: bool,
    ignored: Vec<IgnoredUser>,
    /// The channels that it is in, the one that was entered last at the end.
    channels: Vec<AccountMembership>,
    /// What was read of private chats lately.
    chats: HashMap<UserId, MessageId>,
    /// When it entered a channel last.
    entered: Timestamp,
    /// It was erased; with the number of the event that tells it.
    gone: Option<u64>,
    /// None of its devices is here; with the number of the event that tells it.
    departed: Option<u64>,
}

/// A channel that an account is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountMembership {
    pub(crate) channel: ChannelName,
    /// Lines up to this one are read.
    pub(crate) read: MessageId,
}

/// Somebody whom an account hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IgnoredUser {
    pub(crate) name: UserName,
    /// Who had the name.
    pub(crate) user_id: Option<UserId>,
}

/// An account as it is kept.
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

/// For how long a token holds after it was last used, in milliseconds.
#[expect(clippy::cast_possible_wrap, reason = "some days fit")]
const TOKEN_MILLIS: i64 = TOKEN_DAYS as i64 * 24 * 3_600_000;

/// A token's use is remembered anew after so long, in milliseconds: a day.
const USE_MILLIS: i64 = 24 * 3_600_000;

/// Private chats of which it is remembered here what was read. The store knows it within moments, so that past it all
/// are given up.
const MAX_CHATS: usize = 256;

/// Channels that an account is in; past it, it is out of the one that it entered first. No connection is in more than 60 at
/// once.
const MAX_CHANNELS: usize = 256;

/// Every account.
#[derive(Default)]
pub(crate) struct AccountTable {
    by_name: BTreeMap<UserName, Arc<Account>>,
    /// What a name looks like, to whose it is.
    by_skeleton: SkeletonIndex<UserName>,
    by_user: HashMap<UserId, Arc<Account>>,
    tokens: HashMap<TokenHash, Token>,
    tokens_of: BTreeMap<UserId, Vec<TokenHash>>,
    /// Names of which the account is being stored.
    reserved: HashSet<UserName>,
    /// The operators of the server.
    admins: BTreeSet<UserId>,
    members: Arc<MembershipIndex>,
}

/// Accounts whose tokens are looked at together.
const ACCOUNTS_A_SLICE: usize = 256;

/// What signs somebody in without the password.
struct Token {
    user_id: UserId,
    used: Timestamp,
}

/// Why somebody can't take a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NameConflict {
    /// It belongs to an account.
    Exact,
    /// It looks like this one, which does.
    Similar(UserName),
}

/// What a token turned out to be.
pub(crate) enum TokenCheck {
    /// It holds; `renewed` if its use is to be remembered.
    Valid { account: Arc<Account>, renewed: bool },
    /// It isn't one, or holds no more.
    Invalid,
}

impl AccountTable {
    /// Those that were kept when a server starts.
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
        let state = State {
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

    /// Erases an account and all that signs in to it.
    /// `number` is that of the event which tells that it is gone.
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

    /// A channel is gone: whatever is made under its name later is another one.
    pub(in crate::hub) fn forget_channel(&self, channel: &ChannelName) {
        for user_id in self.members.take(channel) {
            if let Some(account) = self.by_user.get(&user_id) {
                account.leave_channel(channel);
            }
        }
    }

    /// Keeps a name for whoever is registering it.
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

    /// How many there are.
    pub(in crate::hub) fn count(&self) -> usize {
        self.by_name.len()
    }

    pub(in crate::hub) fn by_name(&self) -> &BTreeMap<UserName, Arc<Account>> {
        &self.by_name
    }

    /// Those that are operators of the server.
    pub(in crate::hub) fn admins(&self) -> impl ExactSizeIterator<Item = Option<&Arc<Account>>> {
        self.admins.iter().map(|user_id| self.by_user.get(user_id))
    }

    /// Makes an account an operator of the server, or no more. Returns it if this changes anything.
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

    /// Whether a name, or one that looks like it, belongs to somebody.
    pub(in crate::hub) fn owned(&self, name: &UserName) -> Option<NameConflict> {
        if self.by_name.contains_key(name) || self.reserved.contains(name) {
            return Some(NameConflict::Exact);
        }
        let like = name
            .loose_skeletons()
            .find_map(|skeleton| self.by_skeleton.of(&skeleton).next().cloned());
        like.map(NameConflict::Similar)
    }

    /// A token was made, or was kept.
    pub(in crate::hub) fn add_token(&mut self, hash: TokenHash, user_id: UserId, now: Timestamp) {
        if self.tokens.insert(hash, Token { user_id, used: now }).is_none() {
            self.tokens_of.entry(user_id).or_default().push(hash);
        }
    }

    /// The token that is given up when one more is made.
    pub(in crate::hub) fn surplus_token(&self, user_id: UserId) -> Option<TokenHash> {
        let own = self.tokens_of.get(&user_id).filter(|own| own.len() >= MAX_TOKENS)?;
        let used = |hash: &&TokenHash| self.tokens.get(hash).map(|token| token.used);
        own.iter().min_by_key(used).copied()
    }

    pub(in crate::hub) fn revoke(&mut self, hash: &TokenHash) {
        let Some(Token { user_id, .. }) = self.tokens.remove(hash) else { return };
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

    /// Looks what a token opens. The name must be that of its account.
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

    /// Takes out the tokens that hold no more, of some accounts that come after one. Returns them, and the last account that
    /// was looked at, if there was any.
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
            let holds = |token: &Token| now.0 - token.used.0 < TOKEN_MILLIS;
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
    /// Of its password, as a PHC string.
    pub(crate) fn password(&self) -> Arc<str> {
        Arc::clone(&lock(&self.state).password)
    }

    /// Whether it was erased, while somebody is still signed in to it.
    pub(in crate::hub) fn is_gone(&self) -> bool {
        lock(&self.state).gone.is_some()
    }

    /// The number of the event that tells that its last device has left, or that it was erased.
    pub(in crate::hub) fn gone(&self) -> Option<u64> {
        let state = lock(&self.state);
        state.gone.or(state.departed)
    }

    /// It is erased; with the number of the event that tells it.
    fn set_gone(&self, number: u64) {
        let mut state = lock(&self.state);
        state.gone = Some(number);
        for known in &state.channels {
            self.members.remove(&known.channel, self.user_id);
        }
    }

    /// With a number, none of its devices is here from now on; else one is.
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

    /// When it was last here.
    pub(crate) fn seen(&self) -> Timestamp {
        lock(&self.state).seen
    }

    pub(in crate::hub) fn set_seen(&self, now: Timestamp) {
        lock(&self.state).seen = now;
    }

    /// Whether it is an operator of the server.
    pub(crate) fn is_admin(&self) -> bool {
        lock(&self.state).admin
    }

    /// Returns whether this changed anything.
    fn set_admin(&self, admin: bool) -> bool {
        std::mem::replace(&mut lock(&self.state).admin, admin) != admin
    }

    /// Whom it hides.
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

    /// The channels that it is in, the one that was entered last at the end.
    pub(crate) fn channels(&self) -> Vec<AccountMembership> {
        lock(&self.state).channels.clone()
    }

    /// Is in a channel from now on, of which lines up to `read` are read. Returns when, so that each is later than the one
    /// before, and the channel that gives way if it is in too many.
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

    /// Up to which line a channel is read, if it is in it.
    pub(crate) fn read_marker(&self, channel: &ChannelName) -> Option<MessageId> {
        let state = lock(&self.state);
        state.channels.iter().find(|known| known.channel == *channel).map(|known| known.read)
    }

    /// Tells whether it was in it.
    pub(in crate::hub) fn leave_channel(&self, channel: &ChannelName) -> bool {
        let mut state = lock(&self.state);
        let before = state.channels.len();
        state.channels.retain(|known| known.channel != *channel);
        self.members.remove(channel, self.user_id);
        state.channels.len() < before
    }

    /// Whether it is in a channel, on some device or when it comes back.
    pub(crate) fn is_in(&self, channel: &ChannelName) -> bool {
        lock(&self.state).channels.iter().any(|known| known.channel == *channel)
    }

    /// Has read a channel up to a line; tells whether that is news.
    pub(in crate::hub) fn mark_read(&self, channel: &ChannelName, line: MessageId) -> bool {
        let mut state = lock(&self.state);
        let known = state.channels.iter_mut().find(|known| known.channel == *channel);
        known.is_some_and(|known| {
            let news = known.read < line;
            known.read = known.read.max(line);
            news
        })
    }

    /// Has read a private chat up to a line.
    pub(in crate::hub) fn mark_private_read(&self, with: UserId, line: MessageId) {
        let mut state = lock(&self.state);
        if state.chats.len() >= MAX_CHATS {
            state.chats.clear();
        }
        let read = state.chats.entry(with).or_insert(line);
        *read = line.max(*read);
    }

    /// What it has read.
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
    fn a_name_its_case_and_its_looks_belong_to_the_account() {
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
    fn a_token_opens_its_own_account_until_it_is_revoked_or_too_old() {
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
