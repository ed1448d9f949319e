//! A queue that serves lanes, addresses and connections in turns.
//!
//! It holds work that a client may request and that takes a worker's time. A client, or an address
//! with many connections, delays the others by its share and no more. A flow that was idle is
//! served before recently served flows, except every fourth turn, as in FQ-CoDel (RFC 8290, section
//! 4.2): an occasional request doesn't wait for constant ones, which aren't starved either.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex};

use crate::util::net::client_prefix;
use crate::util::sync::lock;
use crate::util::work_queue::{Popped, Wait};

/// Idle flows served before the next recently served one.
const FRESH_IN_A_ROW: u32 = 3;

/// Identifies the flow of a work item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId {
    /// Lanes have equal shares, whatever is queued in each.
    lane: u8,
    /// An IPv6 address counts as its /64. Connections without an address are one flow.
    address: Option<IpAddr>,
    /// A hash of the name of the account that it is about; 0 if it is about none.
    account: u64,
    connection: u64,
}

impl FlowId {
    /// Returns the flow of a connection.
    pub(crate) fn new(address: Option<IpAddr>, connection: u64) -> Self {
        Self { lane: 0, address: address.map(client_prefix), account: 0, connection }
    }

    /// The flow of the operator at the shell.
    pub(crate) const SHELL: Self = Self { lane: 0, address: None, account: 0, connection: 0 };

    /// The work is about an account. From one address each account has its turn, however many
    /// connections try one.
    pub(crate) fn on_account(self, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self { account: hasher.finish(), ..self }
    }

    pub(crate) fn in_lane(self, lane: u8) -> Self {
        Self { lane, ..self }
    }
}

/// Work for one thread or several.
pub(crate) struct FairQueue<T> {
    /// Maximum number of items.
    most: usize,
    state: Mutex<FairQueueState<T>>,
    added: Condvar,
}

struct FairQueueState<T> {
    waiting: FairItems<T>,
    closed: bool,
}

impl<T> FairQueue<T> {
    /// Creates a queue for a maximum number of items.
    pub(crate) fn new(most: usize) -> Self {
        let state = FairQueueState { waiting: FairItems::default(), closed: false };
        Self { most, state: Mutex::new(state), added: Condvar::new() }
    }

    /// Adds an item, or drops it once the queue is closed. Returns the item displaced from a full
    /// queue: the last of the longest flow.
    pub(crate) fn add(&self, flow: FlowId, one: T) -> Option<T> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.waiting.add(flow, one);
        let over = state.waiting.len() > self.most;
        let displaced = over.then(|| state.waiting.pop_of_longest()).flatten();
        drop(state);
        self.added.notify_one();
        displaced
    }

    /// Removes items that match.
    pub(crate) fn take_where(&self, which: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        lock(&self.state).waiting.take_where(&which, &mut taken);
        taken
    }

    /// Returns the number of items.
    pub(crate) fn len(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Closes the queue. Queued items are still served.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.added.notify_all();
    }

    /// Closes the queue and drops its items.
    pub(crate) fn close_now(&self) {
        self.close();
        let dropped = std::mem::take(&mut lock(&self.state).waiting);
        drop(dropped);
    }

    /// Takes the next item in turn, or waits for one.
    pub(crate) fn next(&self, wait: Wait) -> Popped<T> {
        let mut state = lock(&self.state);
        loop {
            if let Some(one) = state.waiting.pop() {
                return Popped::Some(one);
            }
            if state.closed {
                return Popped::Closed;
            }
            let is_idle = |state: &FairQueueState<T>| state.waiting.len() == 0 && !state.closed;
            match wait.on(&self.added, state, is_idle) {
                Some(woken) => state = woken,
                None => return Popped::Nothing,
            }
        }
    }
}

/// Items of many flows, in turns.
struct FairItems<T>(Turns<u8, Addresses<T>>);

type Addresses<T> = Turns<Option<IpAddr>, Accounts<T>>;
type Accounts<T> = Turns<u64, Connections<T>>;
type Connections<T> = Turns<u64, VecDeque<T>>;

impl<T> Default for FairItems<T> {
    fn default() -> Self {
        Self(Turns::default())
    }
}

impl<T> FairItems<T> {
    fn add(&mut self, flow: FlowId, one: T) {
        let FlowId { lane, address, account, connection } = flow;
        self.0.add(lane, |lane| {
            lane.add(address, |address| {
                address.add(account, |account| account.add(connection, |own| own.push_back(one)));
            });
        });
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn pop_of_longest(&mut self) -> Option<T> {
        self.0.pop_of_longest()
    }

    fn take_where(&mut self, which: &impl Fn(&T) -> bool, taken: &mut Vec<T>) {
        self.0.take_where(which, taken);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A source of items.
trait ItemSource: Default {
    type Item;

    fn len(&self) -> usize;

    fn pop(&mut self) -> Option<Self::Item>;

    /// Takes the item that costs its flow the least.
    fn pop_of_longest(&mut self) -> Option<Self::Item>;

    fn take_where(&mut self, which: &impl Fn(&Self::Item) -> bool, taken: &mut Vec<Self::Item>);
}

impl<T> ItemSource for VecDeque<T> {
    type Item = T;

    fn len(&self) -> usize {
        self.len()
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn pop_of_longest(&mut self) -> Option<T> {
        self.pop_back()
    }

    fn take_where(&mut self, which: &impl Fn(&T) -> bool, taken: &mut Vec<T>) {
        // Usually none matches.
        if self.iter().any(which) {
            let (which_are, others) = std::mem::take(self).into_iter().partition(which);
            taken.extend::<Self>(which_are);
            *self = others;
        }
    }
}

/// Sources served in turns.
struct Turns<K, S> {
    sources: HashMap<K, S>,
    /// Sources without a turn since they were idle.
    fresh: VecDeque<K>,
    /// Sources that had one. An empty one stays until its next turn, so that it isn't fresh again
    /// too soon.
    served: VecDeque<K>,
    /// Turns of fresh sources since the last of another.
    fresh_in_a_row: u32,
    len: usize,
}

impl<K, S> Default for Turns<K, S> {
    fn default() -> Self {
        Self {
            sources: HashMap::new(),
            fresh: VecDeque::new(),
            served: VecDeque::new(),
            fresh_in_a_row: 0,
            len: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, S: ItemSource> Turns<K, S> {
    /// `put` adds one item to the source.
    fn add(&mut self, key: K, put: impl FnOnce(&mut S)) {
        let fresh = &mut self.fresh;
        put(self.sources.entry(key).or_insert_with(|| {
            fresh.push_back(key);
            S::default()
        }));
        self.len += 1;
    }
}

impl<K: Copy + Eq + Hash, S: ItemSource> ItemSource for Turns<K, S> {
    type Item = S::Item;

    fn len(&self) -> usize {
        self.len
    }

    fn pop(&mut self) -> Option<S::Item> {
        while self.len > 0 {
            let is_fresh = self.served.is_empty()
                || (!self.fresh.is_empty() && self.fresh_in_a_row < FRESH_IN_A_ROW);
            let list = if is_fresh { &mut self.fresh } else { &mut self.served };
            let key = list.pop_front()?;
            let Some(item) = self.sources.get_mut(&key).and_then(S::pop) else {
                self.sources.remove(&key);
                continue;
            };
            self.served.push_back(key);
            self.fresh_in_a_row = if is_fresh { self.fresh_in_a_row + 1 } else { 0 };
            self.len -= 1;
            if self.len == 0 {
                *self = Self::default();
            }
            return Some(item);
        }
        None
    }

    fn pop_of_longest(&mut self) -> Option<S::Item> {
        // Of several longest, the one that was served last.
        let length = |key: &&K| self.sources.get(key).map_or(0, S::len);
        let longest = *self.fresh.iter().chain(&self.served).max_by_key(length)?;
        let item = self.sources.get_mut(&longest)?.pop_of_longest();
        self.len -= usize::from(item.is_some());
        if self.len == 0 {
            *self = Self::default();
        }
        item
    }

    fn take_where(&mut self, which: &impl Fn(&S::Item) -> bool, taken: &mut Vec<S::Item>) {
        self.sources.values_mut().for_each(|source| source.take_where(which, taken));
        self.len = self.sources.values().map(S::len).sum();
        if self.len == 0 {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn flow(address: u8, connection: u64) -> FlowId {
        FlowId::new(Some(IpAddr::from([192, 0, 2, address])), connection)
    }

    /// Takes an item and adds its successor, as a client with constant requests.
    fn serve(queue: &mut FairItems<FlowId>) -> FlowId {
        let served = queue.pop().unwrap();
        queue.add(served, served);
        served
    }

    #[test]
    fn sixty_connections_of_one_address_delay_another_address_by_two_turns() {
        let mut queue = FairItems::default();
        (0..60).for_each(|connection| queue.add(flow(1, connection), flow(1, connection)));
        for _ in 0..200 {
            serve(&mut queue);
        }
        for _ in 0..10 {
            queue.add(flow(2, 99), flow(2, 99));
            let turns = (1..10).find(|_| {
                let served = queue.pop().unwrap();
                if served != flow(2, 99) {
                    queue.add(served, served);
                }
                served == flow(2, 99)
            });
            assert!(turns.is_some_and(|turns| turns <= 2), "{turns:?}");
        }
        // Also another connection of the same address.
        queue.add(flow(1, 99), flow(1, 99));
        assert!((0..2).any(|_| serve(&mut queue) == flow(1, 99)));
    }

    /// Regression: sixty connections behind a proxy, each with one password attempt, blocked all
    /// other sign-ins from the proxy for seconds.
    #[test]
    fn many_connections_that_try_one_account_delay_another_account_by_two_turns() {
        let mut queue = FairItems::default();
        for connection in 0..60 {
            let flow = flow(1, connection).on_account("victim");
            queue.add(flow, flow);
        }
        serve(&mut queue);
        let other = flow(1, 99).on_account("other");
        queue.add(other, other);
        assert!((0..2).any(|_| serve(&mut queue) == other));
    }

    #[test]
    fn a_lane_has_its_share_independent_of_the_other() {
        let mut queue = FairItems::default();
        for connection in 0..100 {
            let flow = flow((connection % 50) as u8, connection).in_lane(1);
            queue.add(flow, flow);
        }
        for _ in 0..10 {
            serve(&mut queue);
        }
        (0..10).for_each(|connection| queue.add(flow(7, connection), flow(7, connection)));
        let of_first = (0..20).filter(|_| serve(&mut queue).lane == 0).count();
        assert!(of_first >= 9, "{of_first}");
    }

    #[test]
    fn a_full_queue_displaces_the_last_of_the_longest_flow() {
        let queue = FairQueue::new(4);
        for at in 0..4 {
            assert_eq!(queue.add(flow(1, at), (1, at)), None);
        }
        assert_eq!(queue.add(flow(2, 9), (2, 9)), Some((1, 3)));
        assert_eq!(queue.add(flow(2, 10), (2, 10)), Some((1, 2)));
        assert_eq!(queue.len(), 4);
        queue.close();
        assert_eq!(queue.add(flow(3, 1), (3, 1)), None, "it is dropped");
        let mut left = Vec::new();
        while let Popped::Some(one) = queue.next(Wait::Forever) {
            left.push(one);
        }
        left.sort_unstable();
        assert_eq!(left, [(1, 0), (1, 1), (2, 9), (2, 10)]);
    }

    #[derive(Clone, Debug)]
    enum QueueStep {
        Add(u8, u8, u64),
        Pop,
        Displace,
        TakeOf(u8),
    }

    fn step() -> impl Strategy<Value = QueueStep> {
        prop_oneof![
            5 => (0..2_u8, 0..4_u8, 0..5_u64).prop_map(|(lane, address, connection)| {
                QueueStep::Add(lane, address, connection)
            }),
            4 => Just(QueueStep::Pop),
            1 => Just(QueueStep::Displace),
            1 => (0..4_u8).prop_map(QueueStep::TakeOf),
        ]
    }

    proptest! {
        #[test]
        fn each_item_comes_out_once_and_those_of_a_flow_in_order(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut queue = FairItems::default();
            let mut inside: Vec<(FlowId, usize)> = Vec::new();
            for (at, step) in steps.into_iter().enumerate() {
                match step {
                    QueueStep::TakeOf(_) => {}
                    QueueStep::Add(lane, address, connection) => {
                        let flow = flow(address, connection).in_lane(lane);
                        queue.add(flow, (flow, at));
                        inside.push((flow, at));
                    }
                    QueueStep::Pop => match queue.pop() {
                        Some(item) => {
                            let place = inside.iter().position(|(flow, _)| *flow == item.0).unwrap();
                            prop_assert_eq!(inside.remove(place), item);
                        }
                        None => prop_assert!(inside.is_empty()),
                    },
                    QueueStep::Displace => match queue.pop_of_longest() {
                        Some(item) => {
                            let place = inside.iter().rposition(|(flow, _)| *flow == item.0).unwrap();
                            prop_assert_eq!(inside.remove(place), item);
                        }
                        None => prop_assert!(inside.is_empty()),
                    },
                }
                if let QueueStep::TakeOf(address) = step {
                    let is_of = |(flow, _): &(FlowId, usize)| flow.address == self::flow(address, 0).address;
                    let mut taken = Vec::new();
                    queue.take_where(&is_of, &mut taken);
                    taken.sort_unstable_by_key(|(_, at)| *at);
                    let expected: Vec<_> = inside.extract_if(.., |one| is_of(one)).collect();
                    prop_assert_eq!(taken, expected);
                }
                prop_assert_eq!(queue.len(), inside.len());
            }
            while let Some(item) = queue.pop() {
                let place = inside.iter().position(|one| *one == item).unwrap();
                inside.remove(place);
            }
            prop_assert!(inside.is_empty());
            prop_assert!(queue.0.sources.is_empty() && queue.0.served.is_empty(), "nothing is left");
        }

        #[test]
        fn constantly_requesting_addresses_have_equal_shares(
            connections in prop::collection::vec(1..20_u64, 2..6),
        ) {
            let mut queue = FairItems::default();
            for (address, count) in (0..).zip(&connections) {
                (0..*count).for_each(|one| queue.add(flow(address, one), flow(address, one)));
            }
            for _ in 0..20 * connections.len() {
                serve(&mut queue);
            }
            let mut turns = vec![0_usize; connections.len()];
            let rounds = 40;
            for _ in 0..rounds * connections.len() {
                let IpAddr::V4(address) = serve(&mut queue).address.unwrap() else { unreachable!() };
                turns[usize::from(address.octets()[3])] += 1;
            }
            let (least, most) = (turns.iter().min().unwrap(), turns.iter().max().unwrap());
            prop_assert!(most - least <= 2, "{:?}", turns);
        }

        /// However many new flows come, each flow that waits has a turn in bounded time.
        #[test]
        fn new_flows_starve_no_flow(waiting in 1..20_u64, newcomers in 1..4_u64) {
            let mut queue = FairItems::default();
            (0..waiting).for_each(|one| queue.add(flow(1, one), flow(1, one)));
            for _ in 0..4 * waiting {
                serve(&mut queue);
            }
            let mut left: HashSet<u64> = (0..waiting).collect();
            let mut next = 1000;
            for _ in 0..u64::from(FRESH_IN_A_ROW + 1) * (waiting + 1) {
                for _ in 0..newcomers {
                    next += 1;
                    queue.add(flow(1, next), flow(1, next));
                }
                left.remove(&queue.pop().unwrap().connection);
            }
            prop_assert!(left.is_empty(), "{:?}", left);
        }
    }
}
