//! The other devices of the account, and what must not count as reading on this one.
//!
//! All devices are in the same channels, and what a device has shown before a line is sent from it
//! counts as read on all. The server can't know whether the user typed a line. So requests that
//! only serve convenience wait here until the user types.

use std::mem;

use super::account::Reentered;
use super::resume::ResumeStep;
use super::{ClientSession, Now, PendingRequest, SessionStage};
use crate::mention::same_name;
use crate::render;
use crate::server_event::CurrentChange;

/// Channels that wait to be looked up; the default limit of channels per user.
const MAX_TO_LOOK_UP: usize = 50;

impl ClientSession {
    /// Whether an event of the server belongs to a sign-in without an answer yet.
    pub(super) fn is_signing_in(&self) -> bool {
        match self.pending.front() {
            Some(PendingRequest::Identity) => true,
            Some(PendingRequest::Typed(typed)) => typed.is_about_password(),
            _ => false,
        }
    }

    /// Another device has entered a channel, so this one is in it too.
    pub(super) fn follow_in(
        &mut self,
        channel: &str,
        members: u64,
        topic: Option<&String>,
        last: Option<u64>,
    ) {
        if self.me.is_none() {
            return;
        }
        self.with_known(|names| names.channel(channel));
        self.conversations.followed(channel);
        self.conversations.set_last(channel, last);
        if matches!(self.stage, SessionStage::Ready { .. }) {
            self.conversations.settle_in(None);
        }
        self.look_up_later(channel, members);
        self.show(render::followed_in(channel, members, topic));
    }

    /// Another device has left a channel, so this one isn't in it any more.
    pub(super) fn follow_out(&mut self, channel: &str) {
        let was_here = self.place_of_lines().is_some_and(|place| same_name(place, channel));
        self.is_out_of(channel);
        self.conversations.followed_out(channel);
        let current = self.place_of_lines().map(ToOwned::to_owned);
        let now_in = if was_here { CurrentChange::Now(current) } else { CurrentChange::Unchanged };
        self.show(render::followed_out(channel, &now_in));
    }

    /// The client is not in the channel any more: it isn't entered again, and nothing of it is
    /// shown.
    pub(super) fn is_out_of(&mut self, channel: &str) {
        self.to_look_up.retain(|own| !same_name(own, channel));
        self.reentered.retain(|own| !same_name(&own.channel, channel));
        self.waiting.retain(|own| !own.is_of(channel));
        if let SessionStage::Entering { steps, home } = &mut self.stage {
            steps.retain(|step| !same_name(&step.place(), channel));
            home.take_if(|home| same_name(home, channel));
        }
    }

    /// Leaves the channels of the lost connection that the sign-in has not entered again.
    pub(super) fn leave_behind(&mut self, back: &[Reentered]) {
        let is_back = |own: &&String| back.iter().any(|one| same_name(&one.channel, own));
        let behind = self.conversations.channels().iter().filter(|own| !is_back(own));
        for channel in behind.cloned().collect::<Vec<_>>() {
            self.conversations.followed_out(&channel);
            self.show(render::left_behind(&channel));
        }
    }

    /// Before the user sends something, the server's current conversation must be the one that the
    /// user sees.
    pub(super) fn go_home(&mut self, now: Now) {
        if self.account.is_none() || !matches!(self.stage, SessionStage::Ready { .. }) {
            return;
        }
        let Some(home) = self.conversations.straighten() else { return };
        let step = match home.strip_prefix('@') {
            Some(user) => ResumeStep::Reopen { user: user.to_owned(), tries: 0 },
            None => ResumeStep::enter(&home, self.conversations.last(&home)),
        };
        self.ask_for(step, now);
    }

    /// Looks up the members of the channel once the user types something.
    pub(super) fn look_up_later(&mut self, channel: &str, members: u64) {
        let names = self.to_look_up.iter().any(|own| same_name(own, channel));
        if Self::is_looked_up(members) && !names && self.to_look_up.len() < MAX_TO_LOOK_UP {
            self.to_look_up.push(channel.to_owned());
        }
    }

    /// The user types something.
    pub(super) fn look_up_rest(&mut self, now: Now) {
        if matches!(self.stage, SessionStage::Ready { .. }) {
            for channel in mem::take(&mut self.to_look_up) {
                self.look_up(format!("/users {channel}"), now);
            }
        }
    }
}

/// Whether the sign-in has entered the channel already, without missed messages. A private chat is
/// opened when it is needed.
pub(super) fn is_reached(step: &ResumeStep, back: &[Reentered]) -> bool {
    match step {
        ResumeStep::Enter { channel, after, .. } => back
            .iter()
            .any(|one| same_name(&one.channel, channel) && (after.is_none() || *after == one.last)),
        ResumeStep::Reopen { .. } => true,
        ResumeStep::Make { .. } | ResumeStep::CatchUp { .. } => false,
    }
}
