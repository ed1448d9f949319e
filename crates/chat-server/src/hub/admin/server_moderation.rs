//! Server moderation in memory: bans, invitations, and the audit log.

use std::collections::{HashMap, VecDeque};

use chat_proto::event::ServerBan;
use chat_proto::limits::MAX_INVITATIONS;
use chat_proto::name::UserName;
use chat_proto::refusal::Refusal;
use chat_proto::time::Timestamp;

use crate::hub::admin::bans::Bans;
use crate::hub::admin::command::AuditEntry;
use crate::hub::id::TokenHash;
use crate::hub::limits::MAX_AUDIT_ENTRIES;
use crate::util::clock::end_of;

/// Bans, invitations and the audit log.
#[derive(Default)]
pub(crate) struct ServerModeration {
    pub(in crate::hub) bans: Bans,
    invitations: HashMap<TokenHash, Invitation>,
    /// Oldest first, [`MAX_AUDIT_ENTRIES`] at most.
    acts: VecDeque<AuditEntry>,
}

/// A code that allows one registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    /// `None` is the shell.
    pub(crate) by: Option<UserName>,
    pub(crate) created: Timestamp,
    /// The end, as it is shown.
    pub(crate) until: Timestamp,
    /// The end by the steady clock.
    ends: Timestamp,
    /// Reserved for an account that is being stored.
    pub(in crate::hub) taken: bool,
}

/// The stored part, at start.
#[derive(Debug, Default)]
pub(crate) struct StoredServerModeration {
    pub(crate) bans: Vec<ServerBan>,
    pub(crate) invitations: Vec<(TokenHash, Invitation)>,
    pub(crate) acts: Vec<AuditEntry>,
}

impl Invitation {
    pub(crate) fn new(by: Option<UserName>, created: Timestamp, until: Timestamp) -> Self {
        Self { by, created, until, ends: end_of(created, until), taken: false }
    }
}

impl ServerModeration {
    pub(in crate::hub) fn load(kept: StoredServerModeration) -> Self {
        let mut bans = Bans::default();
        for ban in kept.bans {
            bans.add(ban);
        }
        let invitations = kept.invitations.into_iter().collect();
        Self { bans, invitations, acts: kept.acts.into() }
    }

    pub(in crate::hub) fn record(&mut self, act: AuditEntry) {
        if self.acts.len() >= MAX_AUDIT_ENTRIES {
            self.acts.pop_front();
        }
        self.acts.push_back(act);
    }

    /// The last entries, oldest first.
    pub(in crate::hub) fn last_acts(&self, most: usize) -> impl Iterator<Item = &AuditEntry> {
        self.acts.iter().skip(self.acts.len().saturating_sub(most))
    }

    /// Refuses an invitation that is unknown, expired or in use.
    pub(in crate::hub) fn admits(&self, hash: &TokenHash, now: Timestamp) -> Result<(), Refusal> {
        let holds = |one: &&Invitation| !one.taken && now < one.ends;
        self.invitations.get(hash).filter(holds).map(|_| ()).ok_or_else(Refusal::invitation_spent)
    }

    /// Reserves an invitation for an account that is being stored.
    pub(in crate::hub) fn take(&mut self, hash: &TokenHash, now: Timestamp) -> Result<(), Refusal> {
        self.admits(hash, now)?;
        if let Some(one) = self.invitations.get_mut(hash) {
            one.taken = true;
        }
        Ok(())
    }

    /// Releases it: the account was not stored.
    pub(in crate::hub) fn give_back(&mut self, hash: &TokenHash) {
        if let Some(one) = self.invitations.get_mut(hash) {
            one.taken = false;
        }
    }

    /// Removes it: the account is stored.
    pub(in crate::hub) fn use_up(&mut self, hash: &TokenHash) {
        self.invitations.remove(hash);
    }

    /// Refuses an invitation beyond the limit.
    pub(in crate::hub) fn has_room(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.run_out(now);
        if self.invitations.len() < MAX_INVITATIONS {
            Ok(())
        } else {
            Err(Refusal::too_many_invitations())
        }
    }

    pub(in crate::hub) fn invite(&mut self, hash: TokenHash, invitation: Invitation) {
        self.invitations.insert(hash, invitation);
    }

    /// The valid invitations, oldest first.
    pub(in crate::hub) fn invitations(&self, now: Timestamp) -> Vec<Invitation> {
        let mut all: Vec<_> =
            self.invitations.values().filter(|one| now < one.ends).cloned().collect();
        all.sort_by_key(|one| one.created);
        all
    }

    /// Removes what has expired; returns whether there was anything.
    pub(in crate::hub) fn run_out(&mut self, now: Timestamp) -> bool {
        let before = self.invitations.len();
        self.invitations.retain(|_, one| one.taken || now < one.ends);
        let invitations = self.invitations.len() < before;
        self.bans.run_out(now) || invitations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: TokenHash = TokenHash([1; 32]);
    const NOW: Timestamp = Timestamp(5);

    fn server_moderation() -> ServerModeration {
        let invitation = Invitation::new(None, Timestamp(0), Timestamp(10));
        let invitations = vec![(HASH, invitation)];
        let kept = StoredServerModeration { invitations, ..StoredServerModeration::default() };
        ServerModeration::load(kept)
    }

    #[test]
    fn an_invitation_allows_one_stored_account() {
        let mut all = server_moderation();
        assert!(all.take(&TokenHash([2; 32]), NOW).is_err(), "no invitation");
        assert_eq!(all.take(&HASH, NOW), Ok(()));
        assert_eq!(all.take(&HASH, NOW), Err(Refusal::invitation_spent()), "it is being used");
        all.give_back(&HASH);
        assert_eq!(all.take(&HASH, NOW), Ok(()), "the first account was not stored");
        all.use_up(&HASH);
        all.give_back(&HASH);
        assert!(all.take(&HASH, NOW).is_err(), "it is used");
    }

    #[test]
    fn an_invitation_expires() {
        let mut all = server_moderation();
        assert!(all.admits(&HASH, Timestamp(9)).is_ok());
        assert!(all.admits(&HASH, Timestamp(10)).is_err());
        assert!(!all.run_out(Timestamp(9)));
        assert!(all.run_out(Timestamp(10)));
        assert!(all.invitations(NOW).is_empty());
    }

    #[test]
    fn invitations_and_actions_are_bounded() {
        let mut all = ServerModeration::default();
        for byte in 0..MAX_INVITATIONS {
            assert!(all.has_room(NOW).is_ok());
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&byte.to_le_bytes());
            all.invite(TokenHash(hash), Invitation::new(None, NOW, Timestamp(10)));
        }
        assert_eq!(all.has_room(NOW), Err(Refusal::too_many_invitations()));
        assert!(all.has_room(Timestamp(10)).is_ok(), "those that ran out make room");
        for time in 0..3000 {
            let (did, whom) = ("kill".into(), "bob".into());
            let time = Timestamp(time);
            all.record(AuditEntry { time, by: None, did, whom, until: None, reason: None });
        }
        assert_eq!(all.acts.len(), MAX_AUDIT_ENTRIES);
        let last: Vec<i64> = all.last_acts(2).map(|act| act.time.0).collect();
        assert_eq!(last, [2998, 2999]);
    }
}
