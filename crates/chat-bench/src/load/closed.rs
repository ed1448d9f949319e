//! A closed loop: a fixed number of messages in flight; the next is sent when one has arrived at
//! every recipient.

use std::time::{Duration, Instant};

use super::{Load, Swarm};
use crate::dialect::To;
use crate::words::Texts;

/// When a closed loop ends.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    /// After this time.
    Lasted(Duration),
    /// After this many messages are sent.
    Lines(u64),
}

/// A closed loop in one channel.
pub(crate) struct Closed<'a> {
    pub(crate) channel: &'a str,
    /// The senders, in turn.
    pub(crate) speakers: &'a [usize],
    /// Recipients of each message.
    pub(crate) hearers: u64,
    /// Messages in flight at once.
    pub(crate) in_flight: u64,
    pub(crate) until: Until,
}

impl Closed<'_> {
    pub(crate) fn run(&self, swarm: &mut Swarm) -> anyhow::Result<Load> {
        drop(swarm.take_latency()?);
        let mut texts = Texts::new();
        let mut speakers = self.speakers.iter().copied().cycle();
        let (begun, before) = (Instant::now(), swarm.marks());
        let mut lines = 0;
        let mut over = false;
        loop {
            let arrived = (swarm.marks() - before) / self.hearers.max(1);
            over = over
                || match self.until {
                    Until::Lasted(time) => begun.elapsed() >= time,
                    Until::Lines(most) => lines >= most,
                };
            if over && arrived >= lines {
                break;
            }
            while !over && lines - arrived < self.in_flight {
                let (now, dialect) = (swarm.now(), swarm.dialect());
                let Some(speaker) = speakers.next() else { break };
                dialect.say(To::Current(self.channel), &texts.next(now), swarm.out(speaker)?);
                lines += 1;
                over = matches!(self.until, Until::Lines(most) if lines >= most);
            }
            let marks = swarm.marks();
            swarm.until("lines", |swarm| swarm.marks() > marks)?;
        }
        Ok(Load {
            deliveries: swarm.marks() - before,
            lost: 0,
            dropped: swarm.closed(),
            lasted: begun.elapsed(),
            latency: swarm.take_latency()?,
        })
    }
}
