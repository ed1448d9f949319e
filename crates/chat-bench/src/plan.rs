//! The scenarios of a report, with their sizes.

use crate::scenario::Scenario;
use crate::scenario::connect::Connect;
use crate::scenario::durable::Durable;
use crate::scenario::fanout::Fanout;
use crate::scenario::history::HistoryScenario;
use crate::scenario::idle::Idle;
use crate::scenario::login::Login;
use crate::scenario::mixed::Mixed;
use crate::scenario::passwords::Passwords;
use crate::scenario::pingpong::Pingpong;
use crate::scenario::replay::Replay;
use crate::scenario::rooms::Rooms;
use crate::scenario::slow::Slow;
use crate::scenario::storm::Storm;

/// The size of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// A check that every scenario works: a moment each.
    Smoke,
    /// All scenarios in some minutes; too short for comparisons.
    Quick,
    /// The published sizes.
    Full,
}

impl Scale {
    fn pick<T>(self, smoke: T, quick: T, full: T) -> T {
        match self {
            Self::Smoke => smoke,
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// All scenarios at a scale.
pub(crate) fn scenarios(scale: Scale) -> Vec<Box<dyn Scenario>> {
    let seconds = scale.pick(0.1, 0.5, 3.0);
    let longer = scale.pick(0.3, 1.0, 10.0);
    let mut all: Vec<Box<dyn Scenario>> = Vec::new();
    // Members, senders, messages in flight.
    let rooms: &[(usize, usize, u64)] = scale.pick(
        &[(5, 2, 1), (10, 1, 16)],
        &[(100, 1, 1), (100, 1, 16), (1000, 1, 16)],
        &[(100, 1, 1), (100, 1, 16), (100, 8, 16), (1000, 1, 1), (1000, 1, 16), (5000, 1, 16)],
    );
    for (people, speakers, in_flight) in rooms.iter().copied() {
        all.push(Box::new(Fanout { people, speakers, in_flight, rate: None, seconds }));
    }
    let rates: &[u64] =
        scale.pick(&[200], &[300, 1000, 3000], &[100, 300, 1000, 2000, 4000, 8000, 16_000]);
    for rate in rates.iter().copied() {
        let (people, speakers) = (scale.pick(5, 100, 100), scale.pick(2, 16, 16));
        all.push(Box::new(Fanout { people, speakers, in_flight: 16, rate: Some(rate), seconds }));
    }
    for memberships in [1, scale.pick(2, 20, 20)] {
        all.push(Box::new(Rooms {
            count: scale.pick(4, 100, 1000),
            people: scale.pick(4, 20, 10),
            memberships,
            rate: scale.pick(100, 2000, 10_000),
            seconds: longer / 2.0,
        }));
    }
    all.push(Box::new(Pingpong { pairs: scale.pick(2, 100, 100), seconds }));
    all.push(Box::new(Idle {
        people: scale.pick(vec![20, 60], vec![500, 2000], vec![1_000, 5_000, 10_000, 19_500]),
        room: scale.pick(10, 100, 100),
        seconds: longer / 5.0,
    }));
    all.push(Box::new(Connect { people: scale.pick(50, 2000, 10_000) }));
    all.push(Box::new(Storm { at_once: (scale == Scale::Smoke).then_some(4), seconds }));
    // A few stuck clients show the effect on the others; many show the cost of each.
    let stuck: &[(usize, usize)] = scale.pick(&[(10, 1)], &[(100, 5)], &[(100, 5), (400, 100)]);
    for (people, stuck) in stuck.iter().copied() {
        let lines = scale.pick(100, 10_000, 60_000);
        all.push(Box::new(Slow { people, stuck, lines }));
    }
    all.push(Box::new(Mixed {
        people: scale.pick(40, 500, 2000),
        rooms: scale.pick(5, 60, 200),
        rate: scale.pick(200, 500, 1000),
        seconds: longer,
    }));
    all.push(Box::new(Login {
        people: scale.pick(20, 1000, 10_000),
        channels: scale.pick(5, 100, 500),
        each: 3,
        at_once: scale.pick(20, 1000, 1000),
    }));
    all.push(Box::new(Passwords {
        people: scale.pick(2, 20, 100),
        others: scale.pick(20, 200, 1000),
        rate: scale.pick(100, 1000, 1000),
        seconds: longer / 2.0,
    }));
    all.push(Box::new(Replay {
        people: scale.pick(3, 50, 200),
        lines: scale.pick(30, 1000, 2000),
    }));
    all.push(Box::new(Durable {
        lines: scale.pick(2000, 40_000, 800_000),
        singles: scale.pick(20, 300, 3000),
    }));
    all.push(Box::new(HistoryScenario {
        lines: scale.pick(2000, 20_000, 10_000_000),
        tries: scale.pick(5, 50, 200),
    }));
    all
}
