#![no_main]

#[path = "../../tests/oracle/line.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|data: &[u8]| oracle::check(data));
