//! Names that users can't take, because their messages would be believed or misread.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::skeleton;

/// Lower case, in order; see the test.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "anonymous",
    "chat",
    "chat-cli",
    "chat-server",
    "console",
    "daemon",
    "everybody",
    "everyone",
    "everywhere",
    "guest",
    "help",
    "here",
    "me",
    "moderator",
    "nobody",
    "notice",
    "null",
    "operator",
    "root",
    "server",
    "service",
    "services",
    "staff",
    "support",
    "sysadmin",
    "sysop",
    "system",
    "undefined",
    "you",
];

/// Whether this skeleton is that of a reserved name.
pub(super) fn is_reserved(a_look: &str) -> bool {
    static LOOKS: LazyLock<HashSet<String>> =
        LazyLock::new(|| RESERVED.iter().map(|word| skeleton::look(word).into_owned()).collect());
    LOOKS.contains(a_look)
}

/// Whether this loose skeleton is that of a reserved name. `Ali` is allowed, though its loose
/// skeleton is that of `all`.
pub(super) fn is_loosely_reserved(a_loose_look: &str) -> bool {
    static LOOKS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let words = RESERVED.iter().filter(|word| **word != "all");
        words.map(|word| skeleton::loose(skeleton::look(word)).into_owned()).collect()
    });
    LOOKS.contains(a_loose_look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        assert!(RESERVED.is_sorted_by(|a, b| a < b));
        assert!(RESERVED.iter().all(|word| *word == word.to_lowercase()));
    }
}
