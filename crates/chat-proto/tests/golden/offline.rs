//! Events and answers about messages that were sent while an account was offline.

use chat_proto::event::{Event, OkReply, Sentence};
use chat_proto::id::MessageId;
use chat_proto::limits::MAX_HISTORY_LINES;
use chat_proto::text::Text;

use super::{Case, channel, ok, private, some, user};

fn reentered(topic: Option<Text>, operator: bool) -> Event {
    Event::Reentered { channel: channel("dev"), members: 3, topic, operator, last: MessageId(53) }
}

fn unread(count: u64, mentions: u64) -> Event {
    Event::Unread { channel: channel("dev"), count, mentions, after: MessageId(41) }
}

pub(super) fn cases() -> Vec<Case> {
    let waiting = |count, told| Event::UnreadPrivate { count, told };
    let mentions = |count, next| ok("mentions", OkReply::Mentions { count, next });
    vec![
        ("reentered", reentered(None, false)),
        ("reentered, topic", reentered(some("Say hello"), true)),
        ("unread, one", unread(1, 0)),
        ("unread, more", unread(12, 0)),
        ("unread, one names", unread(1, 1)),
        ("unread, more name", unread(12, 2)),
        ("unread, more than can be asked for", unread(u64::from(MAX_HISTORY_LINES) + 1, 1)),
        ("waiting, one", waiting(1, 1)),
        ("waiting, more", waiting(3, 3)),
        ("waiting, more than are told", waiting(101, 100)),
        ("waiting, a line of them", private("bob", "alice", "are you there?", false, true)),
        ("mentions", mentions(2, None)),
        ("mentions, more", mentions(20, some("/mentions before:2026-11-22T07:44:05.120Z/17"))),
        ("mentions, none", mentions(0, None)),
        ("written to somebody who isn't here", Event::Notice(Sentence::not_here(&user("bob")))),
    ]
}
