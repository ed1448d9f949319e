#![no_main]

#[path = "../../tests/oracle/command.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::check(data));
