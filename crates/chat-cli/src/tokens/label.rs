//! The file names of tokens.

use std::fmt::Write as _;

use super::ServerIdentity;

/// The longest file name that file systems accept.
const MAX_BYTES: usize = 255;

/// The file name: `alice@chat.example.org%3A5002`, with the name of the certificate after another
/// `@`. Other characters are written as `%` and two digits; the end of a name that is too long is
/// replaced with a hash. Two of those may collide, so the content of the file has to be checked.
pub(super) fn label(server: &ServerIdentity, account: &str) -> String {
    let mut label = format!("{}{}", plain(account), end(server));
    if label.len() > MAX_BYTES {
        let hint = format!("~{:016x}", hash(&label));
        label.truncate(MAX_BYTES - hint.len());
        label.push_str(&hint);
    }
    label
}

/// Whether a file of this name may belong to that server.
pub(super) fn may_be_of(name: &str, server: &ServerIdentity) -> bool {
    name.ends_with(&end(server)) || name.contains('~')
}

fn end(server: &ServerIdentity) -> String {
    let tls_name = server.tls_name.as_ref().map(|name| format!("@{}", plain(name)));
    format!("@{}{}", plain(&server.address), tls_name.unwrap_or_default())
}

/// Only ASCII letters, digits and characters without a meaning to file systems.
fn plain(text: &str) -> String {
    text.bytes().enumerate().fold(String::with_capacity(text.len()), |mut plain, (at, byte)| {
        // A leading dot would hide the file.
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && at > 0) {
            plain.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(plain, "%{byte:02X}");
        }
        plain
    })
}

/// FNV-1a, which returns the same value in every run.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: &str, tls_name: Option<&str>) -> ServerIdentity {
        ServerIdentity { address: address.into(), tls_name: tls_name.map(Into::into) }
    }

    #[test]
    fn tokens_have_file_names() {
        for (address, tls_name, account, expected) in [
            ("chat.example.org:5002", None, "alice", "alice@chat.example.org%3A5002"),
            ("h:1", Some("chat.example.org"), "alice", "alice@h%3A1@chat.example.org"),
            ("/run/chat.sock", None, "a.b_c-d", "a.b_c-d@%2Frun%2Fchat.sock"),
            ("[::1]:5002", None, "é", "%C3%A9@%5B%3A%3A1%5D%3A5002"),
            ("h:1", None, "../x", "%2E.%2Fx@h%3A1"),
        ] {
            assert_eq!(label(&server(address, tls_name), account), expected);
        }
    }

    #[test]
    fn long_names_fit_and_stay_distinct() {
        let path = format!("/{}", "d/".repeat(50));
        let one = label(&server(&format!("{path}1"), None), &"漢".repeat(32));
        let other = label(&server(&format!("{path}2"), None), &"漢".repeat(32));
        assert_eq!(one.len(), MAX_BYTES);
        assert_ne!(one, other);
    }
}
