//! The contract of the command parser, for tests and the fuzzer.

#![allow(clippy::panic, reason = "a test may panic")]

use chat_proto::command::parse;
use chat_proto::encoding::encoded;
use chat_proto::event::Event;
use chat_proto::format::Format;
use chat_proto::text::clean;

/// Parsing never panics, a command prints as a line that parses to the same command, and the answer
/// to a line is one line in each format.
pub(crate) fn check(data: &[u8]) {
    let Ok(raw) = str::from_utf8(data) else { return };
    if raw.contains('\n') {
        return;
    }
    let parsed = parse(raw);
    match parsed.command {
        Ok(command) => {
            let printed = command.to_string();
            assert_eq!(clean(&printed), printed, "printed as something unclean");
            match parse(&printed).command {
                Ok(again) => assert_eq!(again, command, "printed as {printed:?}"),
                Err(refusal) => panic!("printed as {printed:?}, which is refused: {refusal:?}"),
            }
        }
        Err(refusal) => {
            for format in Format::ALL {
                let event = Event::Refused { re: parsed.re.clone(), refusal: refusal.clone() };
                let line = encoded(&event, format);
                let ending = line.iter().position(|byte| *byte == b'\n');
                assert_eq!(ending, Some(line.len() - 1), "{line:?}");
            }
        }
    }
}
