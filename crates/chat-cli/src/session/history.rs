//! History that the server sends before an `ok`, shown under a heading, each line once.
//!
//! While the client requests missed messages of a conversation, after a reconnection or a `missed`
//! event, its live messages wait, so that everything is shown in the order in which it was sent.

use std::collections::VecDeque;
use std::mem;

use super::resume::ResumeStep;
use super::{ClientSession, Mode, Now, PendingRequest};
use crate::highlight::Highlight;
use crate::mention::same_name;
use crate::server_event::{ChatMessage, OkAnswer};
use crate::show::{DisplayItem, calls};

/// Lines that wait for their heading, which has their number; with more lines the heading has none.
const MAX_GATHERED: usize = 1_000;
/// Live lines that wait until the lines before them are shown. With more they are dropped, and
/// requested later.
const MAX_WAITING: usize = 1_000;
/// Lines per request for missed lines.
const PAGE: u64 = 500;
/// Missed lines requested for one `missed` event: more than a user reads, and the scrollback of a
/// terminal.
const MAX_FETCHED: u64 = 10_000;
/// The default number of lines of `/history`; the lines before them are offered.
const OFFERED: u32 = chat_proto::limits::HISTORY_LINES;

/// Lines of history that were received and not shown yet.
#[derive(Debug, Default)]
pub(super) struct HistoryBuffer {
    rows: Vec<(String, ChatMessage)>,
    /// Whether their heading is shown.
    headed: bool,
    /// The number of lines shown for this answer.
    count: u64,
    /// The oldest of them.
    first: Option<u64>,
}

/// A conversation whose live lines wait.
#[derive(Debug)]
pub(super) struct HeldMessages {
    place: String,
    rows: VecDeque<(ChatMessage, bool)>,
    /// Some lines didn't fit and have to be requested.
    overflowed: bool,
}

impl HeldMessages {
    pub(super) fn is_of(&self, place: &str) -> bool {
        same_name(&self.place, place)
    }
}

/// A request for missed lines, one page at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissedFetch {
    channel: String,
    after: u64,
    fetched: u64,
}

impl MissedFetch {
    fn line(&self) -> String {
        format!("/history {} {PAGE} after {}", self.channel, self.after)
    }
}

/// The kind of history that comes before the next answer.
enum HistoryKind {
    /// Shown when a channel is entered.
    Replay,
    /// Sent while the connection was lost.
    Away,
    /// Dropped by the server because the client read too slowly.
    Missed,
    /// Private messages that waited for the sign-in.
    Waiting,
    /// Requested by the user.
    History,
    /// Requested by the user: messages that mention the user.
    Mentions,
    Search(Vec<Highlight>),
}

impl HistoryKind {
    /// Whether the user requested these lines, which are then shown even if they were shown before.
    fn is_asked_for(&self) -> bool {
        matches!(self, Self::History | Self::Mentions | Self::Search(_))
    }

    fn heading(&self, place: &str, count: Option<usize>) -> String {
        let lines = match count {
            Some(1) => "1 line".to_owned(),
            Some(count) => format!("{count} lines"),
            None => "lines".to_owned(),
        };
        match self {
            Self::Replay => format!("last said in {place}: {lines}"),
            Self::Away => format!("{lines} in {place} while you were away"),
            Self::Missed => format!("{lines} in {place} that came too fast"),
            Self::Waiting => format!("{lines} for you while you were away"),
            Self::History => format!("{lines} of {place}"),
            Self::Mentions => format!("{lines} with your name"),
            Self::Search(_) => format!("{lines} found, newest first"),
        }
    }
}

impl ClientSession {
    fn which(&self) -> Option<HistoryKind> {
        match self.pending.front()? {
            PendingRequest::Goal(ResumeStep::Enter { .. }) if !self.is_settled() => {
                Some(HistoryKind::Replay)
            }
            PendingRequest::Goal(
                ResumeStep::Enter { after: None, .. } | ResumeStep::CatchUp { after: None, .. },
            ) => Some(HistoryKind::Replay),
            PendingRequest::Goal(_) => Some(HistoryKind::Away),
            PendingRequest::Fetch(_) => Some(HistoryKind::Missed),
            PendingRequest::Identity => Some(HistoryKind::Waiting),
            PendingRequest::Typed(typed) => match typed.spec {
                Some("enter") => Some(HistoryKind::Replay),
                Some("login") => Some(HistoryKind::Waiting),
                // The line may be the password that the server asked for.
                None if typed.secret => Some(HistoryKind::Waiting),
                Some("history") => Some(HistoryKind::History),
                Some("mentions") => Some(HistoryKind::Mentions),
                Some("search") => Some(HistoryKind::Search(Highlight::all_in(&typed.line))),
                _ => None,
            },
            _ => None,
        }
    }

    /// Handles a message, live or of history.
    pub(super) fn heard(&mut self, place: String, said: ChatMessage, own: bool) {
        if said.past {
            return self.heard_past(place, said);
        }
        if let Some(waiting) = self.waiting_in(&place) {
            if waiting.rows.len() < MAX_WAITING {
                waiting.rows.push_back((said, own));
            } else {
                waiting.rows.clear();
                waiting.overflowed = true;
            }
            return;
        }
        self.conversations.set_last(&place, said.id);
        self.count_unread(&place, &said, own);
        self.show(DisplayItem::Said { place, said, own });
    }

    fn count_unread(&mut self, place: &str, said: &ChatMessage, own: bool) {
        if !own {
            let calls = calls(place, &said.text, self.me.as_deref());
            self.conversations.unseen(place, 1, calls);
        }
    }

    fn heard_past(&mut self, place: String, said: ChatMessage) {
        let Some(which) = self.which() else {
            let own = self.is_me(&said.from);
            return self.show(DisplayItem::Said { place, said, own });
        };
        if !which.is_asked_for() {
            self.outbox.compare(&place, said.id, &said.from, &said.text, said.action);
            // A typed sign-in has other chats, whose read positions aren't known yet.
            let is_known = self.pending.front() == Some(&PendingRequest::Identity)
                || !matches!(which, HistoryKind::Waiting);
            if is_known && said.id.is_some() && said.id <= self.conversations.last(&place) {
                return;
            }
        }
        self.gathered.rows.push((place, said));
        if self.gathered.rows.len() >= MAX_GATHERED {
            self.show_gathered(&which, false);
        }
    }

    /// Shows the history that came before this answer.
    pub(super) fn show_past(&mut self, which_of: &PendingRequest) {
        self.pending.push_front(which_of.clone());
        let which = self.which();
        self.pending.pop_front();
        let Some(which) = which else { return };
        self.show_gathered(&which, true);
        let gathered = mem::take(&mut self.gathered);
        let Some(first) = gathered.first.filter(|_| self.options.mode == Mode::Terminal) else {
            return;
        };
        if let (HistoryKind::History, PendingRequest::Typed(typed)) = (which, which_of)
            && let Some(place) = self.history_place.take()
            && first > 1
        {
            let after = typed.line.to_lowercase().contains(" after ");
            let more = if after {
                format!("end of {} lines", gathered.count)
            } else {
                format!("/history {place} {OFFERED} before {first} shows what was said before")
            };
            self.show(DisplayItem::Heading(more));
        }
    }

    fn show_gathered(&mut self, which: &HistoryKind, complete: bool) {
        let rows = mem::take(&mut self.gathered.rows);
        let Some((place, _)) = rows.first() else { return };
        self.history_place = Some(place.clone());
        if !self.gathered.headed && self.options.mode == Mode::Terminal {
            self.show(DisplayItem::Heading(which.heading(place, complete.then_some(rows.len()))));
        }
        self.gathered.headed = true;
        for (place, said) in rows {
            self.gathered.count += 1;
            self.gathered.first = self.gathered.first.or(said.id);
            let own = self.is_me(&said.from);
            match which {
                HistoryKind::Search(words) => {
                    self.show(DisplayItem::Found { place, said, words: words.clone() });
                }
                HistoryKind::Mentions => {
                    let words = self.me.as_deref().map(Highlight::word).into_iter().collect();
                    self.show(DisplayItem::Found { place, said, words });
                }
                HistoryKind::History => self.show(DisplayItem::Said { place, said, own }),
                HistoryKind::Replay
                | HistoryKind::Away
                | HistoryKind::Missed
                | HistoryKind::Waiting => {
                    if place.starts_with('@') && !own {
                        self.last_writer = Some(said.from.clone());
                    }
                    self.conversations.raise_last(&place, said.id);
                    if !matches!(which, HistoryKind::Replay) {
                        self.count_unread(&place, &said, own);
                    }
                    self.show(DisplayItem::Said { place, said, own });
                }
            }
        }
    }

    /// Drops the history of an answer that is a refusal, or doesn't come.
    pub(super) fn forget_past(&mut self) {
        self.gathered = HistoryBuffer::default();
    }

    pub(super) fn waits_in(&self, place: &str) -> bool {
        self.waiting.iter().any(|waiting| same_name(&waiting.place, place))
    }

    fn waiting_in(&mut self, place: &str) -> Option<&mut HeldMessages> {
        self.waiting.iter_mut().find(|waiting| same_name(&waiting.place, place))
    }

    /// Live lines of the conversation wait from now on.
    pub(super) fn wait_in(&mut self, place: &str) {
        if self.waiting_in(place).is_none() {
            let place = place.to_owned();
            self.waiting.push(HeldMessages { place, rows: VecDeque::new(), overflowed: false });
        }
    }

    /// Shows the live lines that waited; later ones don't wait. Returns whether some didn't fit.
    pub(super) fn go_live(&mut self, place: &str) -> bool {
        let at = self.waiting.iter().position(|waiting| same_name(&waiting.place, place));
        let Some(waiting) = at.map(|at| self.waiting.remove(at)) else { return false };
        for (said, own) in waiting.rows {
            if said.id.is_none() || said.id > self.conversations.last(&waiting.place) {
                self.heard(waiting.place.clone(), said, own);
            }
        }
        waiting.overflowed
    }

    /// The server has dropped lines for a slow reader: the client requests them.
    pub(super) fn missed_lines(&mut self, channel: &str, after: Option<u64>, now: Now) {
        let Some(after) = self.conversations.last(channel).or(after) else { return };
        if self.waiting_in(channel).is_some() {
            // The waiting lines have a gap too.
            if let Some(waiting) = self.waiting_in(channel) {
                waiting.overflowed = true;
            }
            return;
        }
        self.wait_in(channel);
        self.fetch(MissedFetch { channel: channel.to_owned(), after, fetched: 0 }, now);
    }

    fn fetch(&mut self, fetch: MissedFetch, now: Now) {
        let line = fetch.line();
        self.ask(PendingRequest::Fetch(fetch), line, now);
    }

    /// A page of missed lines is shown.
    pub(super) fn fetched(&mut self, fetch: MissedFetch, answer: &OkAnswer, now: Now) {
        let count = answer.fields().number("count").unwrap_or(0);
        let fetched = fetch.fetched + count;
        let after = self.conversations.last(&fetch.channel).unwrap_or(fetch.after).max(fetch.after);
        let overflowed = self
            .waiting_in(&fetch.channel)
            .is_some_and(|waiting| mem::take(&mut waiting.overflowed));
        let more = count > 0 || overflowed;
        if overflowed && let Some(waiting) = self.waiting_in(&fetch.channel) {
            waiting.rows.clear();
        }
        if more && fetched < MAX_FETCHED {
            return self.fetch(MissedFetch { channel: fetch.channel, after, fetched }, now);
        }
        if more {
            self.show(DisplayItem::warning(format!(
                "There may be more. /history {} {PAGE} after {after} shows them.",
                fetch.channel
            )));
        }
        self.go_live(&fetch.channel);
    }

    /// The missed lines aren't available.
    pub(super) fn not_fetched(&mut self, fetch: &MissedFetch, code: &str, text: &str) {
        let MissedFetch { channel, after, .. } = fetch;
        let after = self.conversations.last(channel).unwrap_or(*after);
        self.show(DisplayItem::warning(format!(
            "You missed lines in {channel} ({code}: {text}). /history {channel} {PAGE} after {after} \
             shows them."
        )));
        self.go_live(channel);
    }
}
