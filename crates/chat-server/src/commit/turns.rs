//! The order of waiting work.
//!
//! Moderation actions are committed one by one, so a message behind many of them would wait for as
//! many commits. A turn runs few actions, and work that concerns neither the channel nor the author
//! of a waiting action overtakes it.

use std::collections::{HashSet, VecDeque};

use chat_proto::name::ChannelName;

use crate::hub::id::ClientId;

/// Actions of one turn while more wait.
const ACTS_A_TURN: usize = 4;

/// The scope of a piece of work.
#[derive(Clone, Copy)]
pub(super) enum WorkScope<'a> {
    /// An action in a channel, by its author.
    Act(&'a ChannelName, ClientId),
    /// A message in a channel or in private, by its author.
    Line(Option<&'a ChannelName>, ClientId),
    /// Something else in a channel.
    Channel(&'a ChannelName),
    /// The whole server: everything after it waits.
    All,
    /// Nothing that an action changes.
    Else,
}

/// Work that waits for actions before it.
pub(super) struct WorkTurns<W>(VecDeque<W>);

impl<W> Default for WorkTurns<W> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// The scope of the waiting work.
#[derive(Default)]
struct WaitingWork {
    channels: HashSet<ChannelName>,
    authors: HashSet<ClientId>,
    /// Some of it concerns the whole server.
    all: bool,
}

impl<W> WorkTurns<W> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds work; returns the work that runs now, in order.
    pub(super) fn next(&mut self, work: Vec<W>, scope: impl Fn(&W) -> WorkScope<'_>) -> Vec<W> {
        let is_act = |one: &W| matches!(scope(one), WorkScope::Act(..));
        if self.0.is_empty() && work.iter().filter(|one| is_act(one)).count() <= ACTS_A_TURN {
            return work;
        }
        let mut waiting = WaitingWork::default();
        let (mut now, mut later) = (Vec::with_capacity(work.len()), VecDeque::new());
        for one in self.0.drain(..).chain(work) {
            if waiting.takes(scope(&one)) {
                later.push_back(one);
            } else {
                now.push(one);
            }
        }
        let mut acts = 0;
        while let Some(next) = later.front() {
            acts += usize::from(is_act(next));
            if acts > ACTS_A_TURN {
                break;
            }
            now.extend(later.pop_front());
        }
        self.0 = later;
        now
    }

    /// Returns all waiting work.
    pub(super) fn rest(&mut self) -> Vec<W> {
        self.0.drain(..).collect()
    }
}

impl WaitingWork {
    /// Whether it must wait. If so, its scope is recorded.
    fn takes(&mut self, scope: WorkScope<'_>) -> bool {
        match scope {
            WorkScope::Act(channel, author) => {
                self.channels.insert(channel.clone());
                self.authors.insert(author);
                true
            }
            WorkScope::Line(channel, author) => {
                let waits = self.all
                    || self.authors.contains(&author)
                    || channel.is_some_and(|channel| self.channels.contains(channel));
                if waits {
                    self.authors.insert(author);
                }
                waits
            }
            WorkScope::Channel(channel) => self.all || self.channels.contains(channel),
            WorkScope::All => {
                self.all |= !self.channels.is_empty();
                self.all
            }
            WorkScope::Else => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A letter for the kind, its channel (`-` in private) and its author.
    type Work = (char, ChannelName, u64, bool);

    fn work(kind: char, channel: &str, author: u64) -> Work {
        let name = ChannelName::new(if channel == "-" { "none" } else { channel }).unwrap();
        (kind, name, author, channel == "-")
    }

    fn scope((kind, channel, author, is_private): &Work) -> WorkScope<'_> {
        let author = ClientId(*author);
        match kind {
            'a' => WorkScope::Act(channel, author),
            'l' => WorkScope::Line(Some(channel).filter(|_| !is_private), author),
            'c' => WorkScope::Channel(channel),
            's' => WorkScope::All,
            _ => WorkScope::Else,
        }
    }

    fn taken(turns: &mut WorkTurns<Work>, add: Vec<Work>) -> String {
        let shown = |(kind, _, author, _): Work| format!("{kind}{author} ");
        turns.next(add, scope).into_iter().map(shown).collect()
    }

    /// Regression: sixty connections, each with a mute in a channel of its own, delayed every
    /// message by sixty commits.
    #[test]
    fn a_message_overtakes_unrelated_waiting_actions() {
        let mut turns = WorkTurns::default();
        let acts = (1..=10).map(|n| work('a', &format!("own{n}"), n));
        let add = acts.chain([work('l', "dev", 20), work('l', "-", 21)]).collect();
        assert_eq!(taken(&mut turns, add), "l20 l21 a1 a2 a3 a4 ");
        assert_eq!(taken(&mut turns, vec![work('l', "dev", 22)]), "l22 a5 a6 a7 a8 ");
        assert_eq!(taken(&mut turns, Vec::new()), "a9 a10 ");
        assert!(turns.is_empty());
    }

    #[test]
    fn work_on_the_channel_or_author_of_an_action_keeps_its_order() {
        let mut turns = WorkTurns::default();
        let mut add: Vec<Work> = (1..=6).map(|n| work('a', &format!("own{n}"), n)).collect();
        add.extend([
            // The channel of an action.
            work('l', "own5", 20),
            // By an author with a waiting message.
            work('l', "dev", 20),
            // The author of an action.
            work('l', "-", 6),
            work('c', "own6", 30),
            work('c', "dev", 31),
            work('e', "dev", 32),
            work('l', "dev", 33),
        ]);
        assert_eq!(taken(&mut turns, add), "c31 e32 l33 a1 a2 a3 a4 ");
        assert_eq!(taken(&mut turns, Vec::new()), "a5 a6 l20 l20 l6 c30 ");
        assert!(turns.is_empty());
    }

    #[test]
    fn all_work_after_a_server_action_waits_for_it() {
        let mut turns = WorkTurns::default();
        let mut add: Vec<Work> = (1..=6).map(|n| work('a', &format!("own{n}"), n)).collect();
        add.extend([work('s', "-", 40), work('l', "dev", 20), work('c', "dev", 21)]);
        assert_eq!(taken(&mut turns, add), "a1 a2 a3 a4 ");
        assert_eq!(taken(&mut turns, vec![work('l', "dev", 22)]), "a5 a6 s40 l20 c21 l22 ");
        assert!(turns.is_empty());
    }

    #[test]
    fn few_actions_run_in_order_of_arrival() {
        let mut turns = WorkTurns::default();
        let add = vec![work('a', "dev", 1), work('l', "other", 2), work('a', "other", 3)];
        assert_eq!(taken(&mut turns, add), "a1 l2 a3 ");
    }
}
