//! A "no" for the user who sent a command: a stable code for programs, a sentence for people.
//!
//! Every sentence states what happened and what to do next. A refusal is not an error: errors have
//! a cause for the operator and are logged.

mod account;
mod operator;

mod channel;

use std::fmt::{self, Write as _};

use crate::command_table::{CommandKind, CommandSpec};
use crate::conversation::Conversation;
use crate::id::MessageId;
use crate::limits::{
    MAX_HISTORY_LINES, MAX_KEY_CHARS, MAX_LINE_BYTES, MAX_SEARCH_BEGINNINGS, MAX_SEARCH_WORDS,
    MAX_SHOWN_WORD_CHARS,
};
use crate::name::{ChannelName, NameError, UserName};
use crate::text::clean;

macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal;)*) => {
        /// The stable part of a refusal. A published code never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the protocol page.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// When the code is returned, as on the protocol page.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    BadLine "bad-line" "The line is not UTF-8, has nothing in it, or is of another protocol.";
    LineTooLong "line-too-long" "The line is longer than 4096 bytes; nothing of it was carried out.";
    UnknownCommand "unknown-command" "No command, or more than one, begins like this.";
    MissingArgument "missing-argument" "The command needs more words.";
    BadArgument "bad-argument" "A word or text of the command is not as it must be.";
    BadName "bad-name" "No person or channel can have this name.";
    NameTaken "name-taken" "Somebody here has this name, or one that looks like it.";
    NameRegistered "name-registered" "The name belongs to an account.";
    NotNamed "not-named" "A name must be given first.";
    NoSuchChannel "no-such-channel" "There is no such channel.";
    ChannelExists "channel-exists" "There is such a channel already, or one that looks like it.";
    NotInChannel "not-in-channel" "The one it is about is not in that channel.";
    NoSuchUser "no-such-user" "Nobody here, and no account, has this name.";
    NoConversation "no-conversation" "There is no current conversation, or nobody to reply to.";
    TooManyChannels "too-many-channels" "A bound on channels is reached.";
    TooFast "too-fast" "Too much at once.";
    UserBusy "user-busy" "So much waits for that person that no more is taken.";
    Banned "banned" "Banned from there.";
    Muted "muted" "Muted there.";
    InviteOnly "invite-only" "Only the invited may enter.";
    NotAllowed "not-allowed" "Not with the rights one has.";
    WrongPassword "wrong-password" "Name and password, or token, don't belong together.";
    NotSignedIn "not-signed-in" "It needs an account.";
    ServerFull "server-full" "The server takes no more connections, in all or from this address.";
    Unavailable "unavailable" "It can't be carried out now; nothing of it was.";
    Internal "internal" "A fault of the server.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a command was not executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    text: Box<str>,
}

impl Refusal {
    /// A refusal with this text; control characters are removed.
    pub fn new(code: Code, text: impl AsRef<str>) -> Self {
        Self { code, text: clean(text.as_ref()).into() }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, and what to do next.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line is `over` bytes longer than [`MAX_LINE_BYTES`].
    pub fn line_too_long(over: u64) -> Self {
        Self::new(
            Code::LineTooLong,
            format!(
                "That line was {} too long and was left out whole. A line holds at most \
                 {MAX_LINE_BYTES} bytes; send it in parts.",
                Counted(over, "byte")
            ),
        )
    }

    /// The line was not UTF-8.
    pub fn not_utf8() -> Self {
        Self::new(
            Code::BadLine,
            "That line is not UTF-8 and was left out. Set your terminal to UTF-8.",
        )
    }

    /// The line has only blanks and control characters.
    pub fn blank_line() -> Self {
        Self::new(
            Code::BadLine,
            "There was nothing to say in that line. Type some words, or /help.",
        )
    }

    /// No command begins with this word.
    pub fn unknown_command(word: &str, nearest: &[&str]) -> Self {
        if word.is_empty() {
            let text = "There is no command after the slash. /help shows them all.";
            return Self::new(Code::UnknownCommand, text);
        }
        let mut text = format!("There is no command /{}.", Truncated(word));
        push_nearest(&mut text, "/", nearest);
        text.push_str(" /help shows them all.");
        Self::new(Code::UnknownCommand, text)
    }

    /// Several commands begin with this word.
    pub fn ambiguous_command(word: &str, words: &[&str]) -> Self {
        let mut text = format!("/{} may be ", Truncated(word));
        push_list(&mut text, "/", words, " or ");
        text.push_str(". Type more of it.");
        Self::new(Code::UnknownCommand, text)
    }

    /// The command needs more arguments.
    pub fn missing_argument(spec: &CommandSpec) -> Self {
        Self::new(
            Code::MissingArgument,
            format!(
                "/{} needs more words. Type {} – as in {}",
                spec.name,
                spec.usage(),
                spec.example
            ),
        )
    }

    /// The command has more arguments than it takes.
    pub fn too_many_arguments(spec: &CommandSpec, more: &str) -> Self {
        if spec.arguments.is_empty() {
            let text = format!("/{} takes no words after it. Type it alone.", spec.name);
            return Self::new(Code::BadArgument, text);
        }
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is more than /{} takes. Type {} – as in {}",
                Truncated(more),
                spec.name,
                spec.usage(),
                spec.example
            ),
        )
    }

    /// A text is longer than the command accepts.
    pub fn too_long(spec: &CommandSpec, most: usize, over: usize) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "The text of /{} is {} too long; it holds at most {most}. Shorten it.",
                spec.name,
                Counted(over as u64, "character")
            ),
        )
    }

    /// `/say` or `/once` without the required `#channel` or `@user`.
    pub fn say_where(spec: &CommandSpec, word: &str) -> Self {
        let begins = match spec.kind {
            CommandKind::Once => "once KEY",
            _ => spec.name,
        };
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is neither #channel nor @user. Type /{begins} #channel text, or /{begins} \
                 @user text.",
                Truncated(word)
            ),
        )
    }

    /// `/once` with an invalid key.
    pub fn bad_key(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" can't be a key. A key is one word of at most {MAX_KEY_CHARS} characters; \
                 take another one.",
                Truncated(typed)
            ),
        )
    }

    /// An invalid count of messages.
    pub fn bad_count(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" can't be a count of lines. Type a number from 1 to {MAX_HISTORY_LINES}.",
                Truncated(typed)
            ),
        )
    }

    /// `before` or `after` without a message id behind it.
    pub fn bad_line_id(before_or_after: &str, typed: &str) -> Self {
        let word = before_or_after.to_lowercase();
        let mut text = if typed.is_empty() {
            format!("There is no line's id behind \"{word}\".")
        } else {
            format!("\"{}\" behind \"{word}\" is no line's id.", Truncated(typed))
        };
        let _ = write!(text, " Type a number there, as in {word} 17.");
        Self::new(Code::BadArgument, text)
    }

    /// The id is greater than that of the conversation's last message.
    pub fn no_such_line(conversation: &Conversation, asked: MessageId, last: MessageId) -> Self {
        let mut text = match (conversation, last) {
            (Conversation::Channel(channel), MessageId(0)) => format!("{channel} has no lines yet"),
            (Conversation::Channel(channel), last) => {
                format!("The last line of {channel} is {last}")
            }
            (Conversation::Private(user), MessageId(0)) => {
                format!("The private chat with {user} has no lines yet")
            }
            (Conversation::Private(user), last) => {
                format!("The last line of the private chat with {user} is {last}")
            }
        };
        let _ = write!(
            text,
            "; there is nothing after {asked}. Leave \"after {asked}\" out for the newest."
        );
        Self::new(Code::BadArgument, text)
    }

    /// `from:`, `in:` or `before:` without a value.
    pub fn empty_filter(filter: &str) -> Self {
        let example = match filter {
            "from" => "bob",
            "in" => "#general",
            _ => "2026-11-01",
        };
        Self::new(
            Code::BadArgument,
            format!(
                "There is nothing right after {filter}: in that search. Type it without a blank, \
                 as in {filter}:{example}."
            ),
        )
    }

    /// A filter is used twice.
    pub fn filter_twice(filter: &str) -> Self {
        let text = if filter == "in" {
            "That search names two conversations. Leave one out, or both to search everywhere."
                .to_owned()
        } else {
            format!("That search has {filter}: twice. Leave one out.")
        };
        Self::new(Code::BadArgument, text)
    }

    /// `before:` with an invalid day.
    pub fn bad_day(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" is no day. Type year, month and day, as in before:2026-11-01.",
                Truncated(typed)
            ),
        )
    }

    /// A search without a letter or digit.
    pub fn nothing_to_search(typed: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "\"{}\" has no letter or digit in it to search for. Type a word.",
                Truncated(typed)
            ),
        )
    }

    /// More words than one search accepts.
    pub fn too_many_search_words(were: usize) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "That search has {were} words; it takes at most {MAX_SEARCH_WORDS}. Leave some out, \
                 or put \"those that follow each other\" in quotes."
            ),
        )
    }

    /// More prefixes than one search accepts.
    pub fn too_many_search_beginnings(were: usize) -> Self {
        Self::new(
            Code::BadArgument,
            format!(
                "That search has {were} beginnings of words; it takes at most \
                 {MAX_SEARCH_BEGINNINGS}. Leave some out, or type whole words."
            ),
        )
    }

    /// A search was cancelled because of its cost.
    pub fn search_too_costly() -> Self {
        Self::new(
            Code::Unavailable,
            "That search takes too long. Name a conversation with in:#channel, or use rarer words.",
        )
    }

    /// The search timed out in the queue.
    pub fn search_busy() -> Self {
        Self::new(
            Code::Unavailable,
            "Too many searches wait at the moment; this one was not made. Try again in a moment.",
        )
    }

    /// The store failed to write a message.
    pub fn not_stored() -> Self {
        Self::new(
            Code::Unavailable,
            "The server can't store anything at the moment; this was not said or set. Try again in a moment.",
        )
    }

    /// The store failed to read messages.
    pub fn not_read() -> Self {
        Self::new(
            Code::Unavailable,
            "The server can't read what is stored at the moment. Try again in a moment.",
        )
    }

    /// The server is stopping and accepts no more commands.
    pub fn stopping() -> Self {
        Self::new(
            Code::Unavailable,
            "The server is stopping; this was not said. Connect again in a moment.",
        )
    }

    /// `/format` with an unknown format.
    pub fn unknown_form(word: &str) -> Self {
        Self::new(
            Code::BadArgument,
            format!("There is no form \"{}\". Type /format text or /format json.", Truncated(word)),
        )
    }

    /// The command can't target its sender.
    pub fn yourself(spec: &CommandSpec) -> Self {
        Self::new(
            Code::BadArgument,
            format!("That is your own name. /{} takes somebody else's.", spec.name),
        )
    }

    /// The name is invalid.
    pub fn bad_name(error: &NameError) -> Self {
        Self::new(Code::BadName, error.to_string())
    }

    /// The name, or one that looks like it, is in use.
    pub fn name_taken(wanted: &UserName, holder: &UserName) -> Self {
        let text = if wanted == holder {
            format!("The name {wanted} is taken. Type another one.")
        } else {
            format!("The name {wanted} looks like {holder}, who is here. Type another one.")
        };
        Self::new(Code::NameTaken, text)
    }

    /// The command needs a name.
    pub fn not_named(spec: Option<&CommandSpec>) -> Self {
        let text = match spec {
            Some(spec) => format!("/{} needs a name first. Type your name to begin.", spec.name),
            None => "Type your name to begin.".to_owned(),
        };
        Self::new(Code::NotNamed, text)
    }

    /// No such channel. Suggests the nearest ones, and how to create it.
    pub fn no_such_channel(name: &ChannelName, nearest: &[&str]) -> Self {
        let mut text = format!("There is no channel {name}.");
        push_nearest(&mut text, "#", nearest);
        let _ = write!(text, " /create {} makes it.", name.bare());
        Self::new(Code::NoSuchChannel, text)
    }

    /// The channel, or one that looks like it, exists.
    pub fn channel_exists(wanted: &ChannelName, there: &ChannelName) -> Self {
        let text = if wanted == there {
            format!("There is a channel {there} already. /enter {} enters it.", there.bare())
        } else {
            format!(
                "{wanted} looks like {there}, which exists. /enter {} enters that one; or take \
                 another name.",
                there.bare()
            )
        };
        Self::new(Code::ChannelExists, text)
    }

    /// The client is not in that channel.
    pub fn not_in_channel(channel: &ChannelName) -> Self {
        Self::new(
            Code::NotInChannel,
            format!("You are not in {channel}. /enter {} enters it.", channel.bare()),
        )
    }

    /// The target is not in that channel.
    pub fn user_not_in_channel(user: &UserName, channel: &ChannelName) -> Self {
        Self::new(
            Code::NotInChannel,
            format!("{user} is not in {channel}. /users {} shows who is.", channel.bare()),
        )
    }

    /// No user of this name is online.
    pub fn no_such_user(typed: &str, nearest: &[&str]) -> Self {
        let mut text = format!("Nobody here is called {}.", Truncated(typed));
        push_nearest(&mut text, "", nearest);
        text.push_str(" /users shows who is here.");
        Self::new(Code::NoSuchUser, text)
    }

    /// No private chat with that user is open.
    pub fn no_private_chat(user: &UserName) -> Self {
        Self::new(
            Code::NoConversation,
            format!("You are in no private chat with {user}. /private {user} opens one."),
        )
    }

    /// There is no current conversation.
    pub fn no_conversation() -> Self {
        Self::new(
            Code::NoConversation,
            "You are in no conversation. /channels lists the channels, /enter CHANNEL enters one.",
        )
    }

    /// The current conversation is a private chat, and the command needs a channel.
    pub fn needs_channel(spec: &CommandSpec, current: &Conversation) -> Self {
        Self::new(
            Code::NoConversation,
            format!(
                "You are in {current}, and /{} is for channels. /enter CHANNEL makes one current.",
                spec.name
            ),
        )
    }

    /// `/reply` before a private message has arrived.
    pub fn nobody_to_reply_to() -> Self {
        Self::new(
            Code::NoConversation,
            "Nobody has written to you yet. /msg USER TEXT writes first.",
        )
    }

    /// The client is in the maximum number of conversations.
    pub fn too_many_conversations(most: usize) -> Self {
        Self::new(
            Code::TooManyChannels,
            format!("You are in {most} conversations, and no more are possible. /leave one first."),
        )
    }

    /// The client hides the maximum number of users.
    pub fn too_many_ignored(most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!("You ignore {most} people, and no more are possible. /unignore one first."),
        )
    }

    /// The server has the maximum number of channels.
    pub fn too_many_channels(most: usize) -> Self {
        Self::new(
            Code::TooManyChannels,
            format!("There are {most} channels, and no more are possible. /channels lists them."),
        )
    }

    /// An account or address has created the maximum number of channels.
    pub fn too_many_own_channels(most: usize) -> Self {
        Self::new(
            Code::TooManyChannels,
            format!(
                "You, or people at your address, made {most} channels that are still there, and no more are \
                 possible. /drop one of yours, or /enter one that is there."
            ),
        )
    }

    /// The server has the maximum number of accounts.
    pub fn too_many_accounts(most: usize) -> Self {
        Self::new(
            Code::NotAllowed,
            format!(
                "The server has {most} accounts, and no more are possible. Go on without one, or ask its \
                 operator."
            ),
        )
    }

    /// The store has no conversation number left.
    pub fn no_number_left() -> Self {
        Self::new(
            Code::Unavailable,
            "The server stores as many conversations as it can, and this would be a new one; nothing was \
             said or set. Go on in one that is there, or ask the server's operator.",
        )
    }

    /// An account or address exceeds the rate of a costly operation.
    pub fn too_often(what: &str, wait_secs: u64) -> Self {
        Self::new(
            Code::TooFast,
            format!(
                "Too many {what} in a short time, from you or from people at your address. Wait {wait_secs} s, \
                 then type it again."
            ),
        )
    }

    /// The address exceeds the rate of new connections.
    pub fn connects_too_often(wait_secs: u64) -> Self {
        Self::new(
            Code::TooFast,
            format!(
                "Too many connections came from your address in a short time. Connect again in {wait_secs} s."
            ),
        )
    }

    /// The account, or the address, exceeds its storage rate.
    pub fn stored_too_much(wait_secs: u64) -> Self {
        Self::new(
            Code::TooFast,
            format!(
                "Your share of the server's disk is used up for now, or that of people at your address; this was \
                 not said. Say it again in {wait_secs} s."
            ),
        )
    }

    /// The disk is nearly full, and only accounts may write.
    pub fn disk_nearly_full() -> Self {
        Self::new(
            Code::Unavailable,
            "The server's disk is nearly full, and without an account you can only read; nothing was done. /login NAME \
             signs in.",
        )
    }

    /// The queue of private messages to that user is full.
    pub fn user_busy(user: &UserName) -> Self {
        Self::new(
            Code::UserBusy,
            format!("{user} isn't reading what waits already; this was not sent. Try again later."),
        )
    }

    /// The command is for the operators of a channel, which the text lists.
    pub fn for_operators(
        spec: &CommandSpec,
        channel: &ChannelName,
        operators: &[UserName],
    ) -> Self {
        let mut text = format!("/{} is for the operators of {channel}", spec.name);
        let operators: Vec<&str> = operators.iter().map(UserName::as_str).collect();
        if operators.is_empty() {
            text.push_str(", of whom none is there.");
        } else {
            text.push_str(": ask ");
            push_list(&mut text, "", &operators, " or ");
            text.push('.');
        }
        Self::new(Code::NotAllowed, text)
    }

    /// The client isn't in a channel of this name, but has a private chat with a user of this name.
    pub fn leave_whom(channel: &ChannelName, user: &UserName) -> Self {
        Self::new(
            Code::NotInChannel,
            format!("You are not in {channel}. /leave @{user} ends the private chat with {user}."),
        )
    }

    /// The other user of a private chat has disconnected; with `another_user` another user has the
    /// name now.
    pub fn gone_from_chat(user: &UserName, another_user: bool) -> Self {
        let text = if another_user {
            format!(
                "The {user} of this chat has left; somebody else has the name now. /private {user} \
                 opens a chat with them, /leave @{user} ends this one."
            )
        } else {
            format!("{user} has left; this was not said. /leave @{user} ends the chat.")
        };
        Self::new(Code::NoSuchUser, text)
    }

    /// The server accepts no more connections.
    pub fn server_full(from_this_address: bool) -> Self {
        let text = if from_this_address {
            "Too many connections come from your address. Close one, or try again later."
        } else {
            "The server has as many connections as it takes. Try again later."
        };
        Self::new(Code::ServerFull, text)
    }

    /// An internal error.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "The server failed at that; the fault is logged. Try again, or tell its operator.",
        )
    }
}

fn push_nearest(text: &mut String, sign: &str, nearest: &[&str]) {
    if !nearest.is_empty() {
        text.push_str(" Near: ");
        push_list(text, sign, nearest, ", ");
        text.push('.');
    }
}

fn push_list(text: &mut String, sign: &str, words: &[&str], last: &str) {
    for (at, word) in words.iter().enumerate() {
        let between = match at {
            0 => "",
            at if at + 1 == words.len() => last,
            _ => ", ",
        };
        let _ = write!(text, "{between}{sign}{word}");
    }
}

/// A number with its noun: `1 byte`, `2 bytes`.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// A typed word, truncated to [`MAX_SHOWN_WORD_CHARS`].
pub(crate) struct Truncated<'a>(pub(crate) &'a str);

impl fmt::Display for Truncated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_SHOWN_WORD_CHARS) {
            Some((end, _)) => write!(f, "{}…", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}
