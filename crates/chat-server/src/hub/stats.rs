//! Figures about the server, for its operators.

use std::sync::atomic::Ordering;

use chat_proto::event::Stat;
use chat_proto::time::Timestamp;

use crate::hub::Hub;
use crate::hub::rate_counter::Rates;
use crate::util::memory;
use crate::util::sync::lock;

impl Hub {
    /// The present figures.
    pub(crate) fn stats(&self, now: Timestamp) -> Vec<Stat> {
        let (connections, people) = {
            let directory = lock(&self.directory);
            (directory.everyone.len(), directory.named().len())
        };
        let (accounts, operators) = {
            let accounts = lock(&self.accounts);
            (accounts.count(), accounts.admins().len())
        };
        let (bans, invitations) = {
            let server_moderation = lock(&self.server_moderation);
            (server_moderation.bans.all(now).len(), server_moderation.invitations(now).len())
        };
        let channels = self.channels.read().by_name.len();
        let Rates { all, minute, hour } = self.lines.read(now);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let mut stats = vec![
            ("people", count(people)),
            ("connections", count(connections)),
            ("accounts", count(accounts)),
            ("operators", count(operators)),
            ("channels", count(channels)),
            ("bans", count(bans)),
            ("invitations", count(invitations)),
            ("lines", all),
            ("lines_in_last_minute", minute),
            ("lines_in_last_hour", hour),
            ("waiting_to_be_stored", self.in_flight.load(Ordering::Relaxed)),
            ("waiting_passwords", count(self.auth.waiting())),
            ("uptime_secs", now.seconds_since(self.started)),
        ];
        stats.extend(memory::occupied_bytes().map(|bytes| ("memory_bytes", bytes)));
        stats.into_iter().map(|(name, value)| Stat { name, value }).collect()
    }
}
