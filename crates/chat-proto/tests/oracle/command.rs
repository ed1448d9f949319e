//! What the parser of commands owes, for tests and the fuzzer alike.

#![allow(clippy::panic, reason = "a test fails by it")]

use chat_proto::command::parse;
use chat_proto::text::clean;

/// Parsing never fails loudly, and a command prints as a line that means the same.
pub(crate) fn check(data: &[u8]) {
    let Ok(raw) = str::from_utf8(data) else { return };
    let Ok(command) = parse(&clean(raw)) else { return };
    let printed = command.to_string();
    assert_eq!(clean(&printed), printed, "printed as something unclean");
    match parse(&printed) {
        Ok(again) => assert_eq!(again, command, "printed as {printed:?}"),
        Err(refusal) => panic!("printed as {printed:?}, which is refused: {refusal:?}"),
    }
}
