//! The other devices of one's account, and what of this one must not count as reading.
//!
//! All of them are in the same channels, and what was shown on one before a line is typed there
//! counts as read on all. The server can't know who typed a line. So what is for convenience only
//! waits here until the person types.

use std::mem;

use super::account::Reentered;
use super::resume::ResumeStep;
use super::{ClientSession, Now, PendingRequest, SessionStage};
use crate::mention::same_name;
use crate::render;
use crate::server_event::CurrentChange;

/// Channels that wait to be looked up; as many as one may be in on a usual server.
const MAX_TO_LOOK_UP: usize = 50;

impl ClientSession {
    /// Whether what the server tells belongs to a sign-in that it hasn't answered yet.
    pub(super) fn is_signing_in(&self) -> bool {
        match self.pending.front() {
            Some(PendingRequest::Identity) => true,
            Some(PendingRequest::Typed(typed)) => typed.is_about_password(),
            _ => false,
        }
    }

    /// Another device has entered a channel, and so this one is in it.
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

    /// Another device has left a channel, and so this one isn't in it either.
    pub(super) fn follow_out(&mut self, channel: &str) {
        let was_here = self.place_of_lines().is_some_and(|place| same_name(place, channel));
        self.is_out_of(channel);
        self.conversations.followed_out(channel);
        let current = self.place_of_lines().map(ToOwned::to_owned);
        let now_in = if was_here { CurrentChange::Now(current) } else { CurrentChange::Unchanged };
        self.show(render::followed_out(channel, &now_in));
    }

    /// One is not in the channel any more: it is not to be entered again either, nor anything shown
    /// of it.
    pub(super) fn is_out_of(&mut self, channel: &str) {
        self.to_look_up.retain(|own| !same_name(own, channel));
        self.reentered.retain(|own| !same_name(&own.channel, channel));
        self.waiting.retain(|own| !own.is_of(channel));
        if let SessionStage::Entering { steps, home } = &mut self.stage {
            steps.retain(|step| !same_name(&step.place(), channel));
            home.take_if(|home| same_name(home, channel));
        }
    }

    /// Channels that one was in when the connection was lost and to which signing in has not led
    /// back.
    pub(super) fn leave_behind(&mut self, back: &[Reentered]) {
        let is_back = |own: &&String| back.iter().any(|one| same_name(&one.channel, own));
        let behind = self.conversations.channels().iter().filter(|own| !is_back(own));
        for channel in behind.cloned().collect::<Vec<_>>() {
            self.conversations.followed_out(&channel);
            self.show(render::left_behind(&channel));
        }
    }

    /// The person is about to send something: the server has to have them where they see
    /// themselves.
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

    /// Who is in the channel is asked when the person types something.
    pub(super) fn look_up_later(&mut self, channel: &str, members: u64) {
        let names = self.to_look_up.iter().any(|own| same_name(own, channel));
        if Self::is_looked_up(members) && !names && self.to_look_up.len() < MAX_TO_LOOK_UP {
            self.to_look_up.push(channel.to_owned());
        }
    }

    /// The person types something.
    pub(super) fn look_up_rest(&mut self, now: Now) {
        if matches!(self.stage, SessionStage::Ready { .. }) {
            for channel in mem::take(&mut self.to_look_up) {
                self.look_up(format!("/users {channel}"), now);
            }
        }
    }
}

/// Whether the server has one there already, and nothing of it was missed. A private chat is opened
/// once it is needed.
pub(super) fn is_reached(step: &ResumeStep, back: &[Reentered]) -> bool {
    match step {
        ResumeStep::Enter { channel, after, .. } => back
            .iter()
            .any(|one| same_name(&one.channel, channel) && (after.is_none() || *after == one.last)),
        ResumeStep::Reopen { .. } => true,
        ResumeStep::Make { .. } | ResumeStep::CatchUp { .. } => false,
    }
}
