//! What the file of a server and an account is called.

use std::fmt::Write as _;

use super::ServerIdentity;

/// The longest name that file systems take.
const MAX_BYTES: usize = 255;

/// A name for the file: `alice@chat.example.org%3A5002`, with the certificate's name behind another
/// `@`. What can't stand in it is written as `%` and two digits; of a name that is too long the end
/// is only hinted at. Two of those may come out the same, so what is in the file has to be looked
/// at.
pub(super) fn label(server: &ServerIdentity, account: &str) -> String {
    let mut label = format!("{}{}", plain(account), end(server));
    if label.len() > MAX_BYTES {
        let hint = format!("~{:016x}", hash(&label));
        label.truncate(MAX_BYTES - hint.len());
        label.push_str(&hint);
    }
    label
}

/// Whether a file of this name may be of that server.
pub(super) fn may_be_of(name: &str, server: &ServerIdentity) -> bool {
    name.ends_with(&end(server)) || name.contains('~')
}

fn end(server: &ServerIdentity) -> String {
    let tls_name = server.tls_name.as_ref().map(|name| format!("@{}", plain(name)));
    format!("@{}{}", plain(&server.address), tls_name.unwrap_or_default())
}

/// Only letters, digits and signs that mean nothing to a file system; so it is ASCII.
fn plain(text: &str) -> String {
    text.bytes().enumerate().fold(String::with_capacity(text.len()), |mut plain, (at, byte)| {
        // A dot in front would hide the file.
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && at > 0) {
            plain.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(plain, "%{byte:02X}");
        }
        plain
    })
}

/// FNV-1a, which is the same in every run.
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
    fn names_of_files() {
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
    fn long_names_fit_and_stay_apart() {
        let path = format!("/{}", "d/".repeat(50));
        let one = label(&server(&format!("{path}1"), None), &"漢".repeat(32));
        let other = label(&server(&format!("{path}2"), None), &"漢".repeat(32));
        assert_eq!(one.len(), MAX_BYTES);
        assert_ne!(one, other);
    }
}
