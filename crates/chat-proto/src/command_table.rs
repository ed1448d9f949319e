//! The table of commands: one definition for the parser, `/help`, completion and the docs.

use crate::limits::MAX_NEAREST;
use crate::suggest::suggestions;

/// Which command a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "its row in COMMANDS describes each")]
pub enum CommandKind {
    Help,
    Name,
    Channels,
    Create,
    Enter,
    Leave,
    Private,
    Msg,
    Reply,
    Say,
    Once,
    Me,
    Info,
    Users,
    Whois,
    Topic,
    History,
    Search,
    Away,
    Back,
    Ignore,
    Unignore,
    Kick,
    Kill,
    Announce,
    Stats,
    Invitation,
    Register,
    Login,
    Logout,
    Password,
    Forget,
    Mentions,
    Ban,
    Unban,
    Mute,
    Unmute,
    Invite,
    Op,
    Deop,
    Set,
    Purge,
    Log,
    Drop,
    Format,
    Ping,
    Quit,
}

/// The word for the whole server, in the place of a channel. It is a reserved name.
pub const EVERYWHERE: &str = "everywhere";

/// One row of the table.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are columns of a table")]
pub struct CommandSpec {
    /// The command that the parser returns.
    pub kind: CommandKind,
    /// The command's word, without the slash.
    pub name: &'static str,
    /// Other words for the same command.
    pub aliases: &'static [&'static str],
    /// The arguments, as `/help` shows them; empty if there are none.
    pub arguments: &'static str,
    /// Its effect, in one short clause.
    pub summary: &'static str,
    /// A valid line, for `/help COMMAND`.
    pub example: &'static str,
    /// Whether it is allowed before a name is given.
    pub nameless: bool,
    /// Whether it is only for operators of a channel.
    pub for_operators: bool,
    /// Whether it is only for operators of the server.
    pub for_server_operators: bool,
    /// The arguments after `everywhere`, if server operators may use it for the whole server; else
    /// empty.
    pub everywhere: &'static str,
    /// Whether it is in the short menu of the main page.
    pub on_main_page: bool,
    /// Whether the arguments are secret, so that no input history stores them.
    pub secret: bool,
}

impl CommandSpec {
    /// The command as it is typed: `/enter channel`.
    pub fn usage(&self) -> String {
        if self.arguments.is_empty() {
            format!("/{}", self.name)
        } else {
            format!("/{} {}", self.name, self.arguments)
        }
    }

    /// All words of the command, the canonical one first.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

const ROW: CommandSpec = CommandSpec {
    kind: CommandKind::Help,
    name: "",
    aliases: &[],
    arguments: "",
    summary: "",
    example: "",
    nameless: false,
    for_operators: false,
    for_server_operators: false,
    everywhere: "",
    on_main_page: false,
    secret: false,
};

/// Every command, in the order in which `/help` lists them.
pub const COMMANDS: &[CommandSpec] = &[
    CommandSpec {
        kind: CommandKind::Channels,
        name: "channels",
        aliases: &["list"],
        arguments: "[part of a name]",
        summary: "list the channels",
        example: "/channels dev",
        nameless: true,
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Create,
        name: "create",
        arguments: "channel [topic…]",
        summary: "make a channel and enter it as its operator",
        example: "/create general Say hello",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Enter,
        name: "enter",
        aliases: &["join", "j"],
        arguments: "channel [after ID]",
        summary: "enter a channel; what you type is said there",
        example: "/enter general",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Leave,
        name: "leave",
        aliases: &["part"],
        arguments: "[channel or @user] [reason…]",
        summary: "leave the current or the named conversation",
        example: "/leave general",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Private,
        name: "private",
        aliases: &["query", "dm"],
        arguments: "user [text…]",
        summary: "chat with one person; what you type goes only there",
        example: "/private bob",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Users,
        name: "users",
        aliases: &["who", "names"],
        arguments: "[channel]",
        summary: "who is in a channel, or online",
        example: "/users general",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Info,
        name: "info",
        aliases: &["whoami"],
        summary: "who and where you are",
        example: "/info",
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Msg,
        name: "msg",
        aliases: &["tell", "w"],
        arguments: "user text…",
        summary: "send one private message",
        example: "/msg bob psst",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Reply,
        name: "reply",
        aliases: &["r"],
        arguments: "text…",
        summary: "answer whoever last wrote to you privately",
        example: "/reply on my way",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Say,
        name: "say",
        arguments: "#channel-or-@user text…",
        summary: "say something into a conversation without going there",
        example: "/say #general hi all",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Me,
        name: "me",
        arguments: "text…",
        summary: "tell what you do",
        example: "/me waves",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Whois,
        name: "whois",
        arguments: "user",
        summary: "about one person",
        example: "/whois bob",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Topic,
        name: "topic",
        arguments: "[text…]",
        summary: "show or set the current channel's topic",
        example: "/topic Say hello",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::History,
        name: "history",
        arguments: "[conversation] [count] [before ID or after ID]",
        summary: "show what was said, oldest first",
        example: "/history general 20",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Search,
        name: "search",
        arguments: "[conversation] words…",
        summary: "find lines by their words, newest first",
        example: "/search from:bob \"release notes\" deploy*",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Mentions,
        name: "mentions",
        arguments: "[count] [before:DAY]",
        summary: "show the lines in your channels that name you",
        example: "/mentions 20",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Away,
        name: "away",
        arguments: "[reason…]",
        summary: "tell those who write to you that you are away",
        example: "/away lunch",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Back,
        name: "back",
        summary: "you are here again",
        example: "/back",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Ignore,
        name: "ignore",
        arguments: "[user]",
        summary: "hide a person from you, or list whom you hide",
        example: "/ignore bob",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Unignore,
        name: "unignore",
        arguments: "user",
        summary: "see a person again",
        example: "/unignore bob",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Kick,
        name: "kick",
        arguments: "user [reason…]",
        summary: "put a person out of the channel",
        example: "/kick bob enough now",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Ban,
        name: "ban",
        arguments: "[user or address] [for 2h] [reason…]",
        summary: "keep a person or a net out of the channel, or list the bans",
        example: "/ban bob for 2h spam",
        for_operators: true,
        everywhere: "[user, address or pattern] [for 2h] [reason…]",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Unban,
        name: "unban",
        arguments: "user or address",
        summary: "let them in again",
        example: "/unban bob",
        for_operators: true,
        everywhere: "user, address or pattern",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Mute,
        name: "mute",
        arguments: "[user] [for 10m] [reason…]",
        summary: "let a person only read, or list the mutes",
        example: "/mute bob for 10m cool down",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Unmute,
        name: "unmute",
        arguments: "user",
        summary: "let a person speak again",
        example: "/unmute bob",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Invite,
        name: "invite",
        arguments: "user",
        summary: "let a person in once, and tell them",
        example: "/invite bob",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Op,
        name: "op",
        arguments: "user",
        summary: "make a person an operator of the channel",
        example: "/op bob",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Deop,
        name: "deop",
        arguments: "user",
        summary: "take the operator's right from a person, or give up one's own",
        example: "/deop bob",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Set,
        name: "set",
        arguments: "[setting value]",
        summary: "show the channel's settings, or change one",
        example: "/set slow 10s",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Purge,
        name: "purge",
        arguments: "user [reason…]",
        summary: "hide all that a person said in the channel",
        example: "/purge bob spam",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Log,
        name: "log",
        arguments: "[count]",
        summary: "who did what to whom, when and why",
        example: "/log 50",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Drop,
        name: "drop",
        arguments: "channel [reason…]",
        summary: "end a channel, with everything said in it",
        example: "/drop general",
        for_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Kill,
        name: "kill",
        arguments: "user [reason…]",
        summary: "end every connection of a person",
        example: "/kill bob enough now",
        for_server_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Announce,
        name: "announce",
        arguments: "text…",
        summary: "tell something to everybody here",
        example: "/announce the server restarts at noon",
        for_server_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Stats,
        name: "stats",
        summary: "how the server is doing",
        example: "/stats",
        for_server_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Invitation,
        name: "invitation",
        summary: "make a code that lets somebody register",
        example: "/invitation",
        for_server_operators: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Name,
        name: "name",
        aliases: &["nick"],
        arguments: "name",
        summary: "take or change your name",
        example: "/name alice",
        nameless: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Register,
        name: "register",
        arguments: "[invite:CODE] [password…]",
        summary: "make your name an account of yours",
        example: "/register",
        nameless: true,
        secret: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Login,
        name: "login",
        arguments: "name [password… or token:TOKEN]",
        summary: "sign in to your account",
        example: "/login alice",
        nameless: true,
        secret: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Logout,
        name: "logout",
        summary: "sign out on this device and go on without a name",
        example: "/logout",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Password,
        name: "password",
        arguments: "[old new]",
        summary: "change your password and sign out everywhere else",
        example: "/password",
        secret: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Forget,
        name: "forget",
        arguments: "[password…]",
        summary: "erase your account and all that it wrote",
        example: "/forget",
        secret: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Format,
        name: "format",
        arguments: "text or json",
        summary: "the form of all further output",
        example: "/format json",
        nameless: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Once,
        name: "once",
        arguments: "KEY #channel-or-@user text…",
        summary: "say something once, however often you send it",
        example: "/once 7f3a #general hi all",
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Ping,
        name: "ping",
        arguments: "[token]",
        summary: "answered at once with the token",
        example: "/ping 42",
        nameless: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Help,
        name: "help",
        aliases: &["menu", "h", "?"],
        arguments: "[command]",
        summary: "this menu, or one command's usage",
        example: "/help enter",
        nameless: true,
        on_main_page: true,
        ..ROW
    },
    CommandSpec {
        kind: CommandKind::Quit,
        name: "quit",
        aliases: &["leavesystem", "exit", "bye"],
        arguments: "[reason…]",
        summary: "leave the system",
        example: "/quit good night",
        nameless: true,
        on_main_page: true,
        ..ROW
    },
];

impl CommandKind {
    /// The row of this command.
    pub fn spec(self) -> &'static CommandSpec {
        // Every kind has a row; a test checks this.
        COMMANDS.iter().find(|spec| spec.kind == self).unwrap_or(&ROW)
    }
}

/// The result of looking up a command word.
#[derive(Clone, Debug)]
pub enum WordMatch {
    /// One command, by one of its words or an unambiguous prefix.
    One(&'static CommandSpec),
    /// A prefix of the words of several commands.
    Several(Vec<&'static str>),
    /// No command; these words are the nearest.
    Nothing(Vec<&'static str>),
}

/// Looks up a command word, without its slash, in any case.
pub fn lookup(word: &str) -> WordMatch {
    let word = word.to_lowercase();
    if let Some(spec) = COMMANDS.iter().find(|spec| spec.words().any(|own| own == word)) {
        return WordMatch::One(spec);
    }
    let begun: Vec<(&'static CommandSpec, &'static str)> = if word.is_empty() {
        Vec::new()
    } else {
        COMMANDS
            .iter()
            .filter_map(|spec| Some((spec, spec.words().find(|own| own.starts_with(&word))?)))
            .collect()
    };
    match begun.as_slice() {
        [] => WordMatch::Nothing(nearest(&word)),
        [(spec, _)] => WordMatch::One(spec),
        several => WordMatch::Several(several.iter().map(|(_, own)| *own).collect()),
    }
}

fn nearest(word: &str) -> Vec<&'static str> {
    let words = COMMANDS.iter().flat_map(CommandSpec::words).filter(|own| own.len() > 1);
    let words = words.map(|own| (own, own));
    suggestions(word, words, MAX_NEAREST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_one_command_only() {
        let mut words: Vec<_> = COMMANDS.iter().flat_map(CommandSpec::words).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
        assert!(words.iter().all(|word| *word == word.to_lowercase() && !word.is_empty()));
    }

    #[test]
    fn every_row_is_complete_and_found_by_its_kind() {
        for spec in COMMANDS {
            assert!(!spec.summary.is_empty() && !spec.example.is_empty(), "/{}", spec.name);
            assert_eq!(spec.kind.spec().name, spec.name);
            assert!(spec.example.starts_with(&format!("/{}", spec.name)), "/{}", spec.name);
        }
    }

    #[test]
    fn words_prefixes_and_near_misses() {
        let one = |word: &str| match lookup(word) {
            WordMatch::One(spec) => spec.name,
            other => panic!("{word}: {other:?}"),
        };
        for (typed, name) in [
            ("enter", "enter"),
            ("ENTER", "enter"),
            ("j", "enter"),
            ("en", "enter"),
            ("?", "help"),
            ("who", "users"),
            ("whoa", "info"),
            ("leaves", "quit"),
            ("form", "format"),
            ("W", "msg"),
        ] {
            assert_eq!(one(typed), name, "{typed}");
        }
        for (typed, name) in
            [("hi", "history"), ("sea", "search"), ("sa", "say"), ("on", "once"), ("h", "help")]
        {
            assert_eq!(one(typed), name, "{typed}");
        }
        assert!(
            matches!(lookup("s"), WordMatch::Several(words) if words == ["say", "search", "set", "stats"])
        );
        assert!(matches!(lookup("se"), WordMatch::Several(words) if words == ["search", "set"]));
        assert!(matches!(lookup("o"), WordMatch::Several(words) if words == ["op", "once"]));
        assert!(
            matches!(lookup("c"), WordMatch::Several(words) if words == ["channels", "create"])
        );
        assert!(matches!(lookup("e"), WordMatch::Several(words) if words == ["enter", "exit"]));
        assert!(matches!(lookup("lsit"), WordMatch::Nothing(words) if words.contains(&"list")));
        assert!(matches!(lookup("entre"), WordMatch::Nothing(words) if words[0] == "enter"));
        assert!(matches!(lookup("xyzzyxyzzy"), WordMatch::Nothing(words) if words.is_empty()));
        assert!(matches!(lookup(""), WordMatch::Nothing(_)));
    }
}
