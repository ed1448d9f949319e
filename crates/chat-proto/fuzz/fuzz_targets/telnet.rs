#![no_main]

#[path = "../../../chat-server/tests/oracle/telnet.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::check(data));
