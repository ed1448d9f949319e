//! The target of a server-wide ban.

use std::fmt;
use std::net::IpAddr;

use crate::fold::folded;
use crate::limits::MAX_USER_NAME_CHARS;
use crate::mod_target::ModTarget;
use crate::name::UserName;
use crate::refusal::Refusal;

/// A user, a range of addresses, or every user whose name matches a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerBanMask {
    /// A user by name, or a range of addresses.
    One(ModTarget),
    /// Every user whose name matches.
    Like(NamePattern),
}

/// A name in which `*` stands for any characters, or none. In lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePattern {
    typed: Box<str>,
    folded: Box<str>,
}

/// How a name matches a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskMatch {
    /// It equals the name.
    Named,
    /// It is confusable with the name, or matches the pattern.
    Alike,
}

impl ServerBanMask {
    /// Parses a name, with or without its `@`, an address, a net or a pattern, as typed or as
    /// `Display` prints it.
    pub fn read(typed: &str) -> Result<Self, Refusal> {
        if typed.contains('*') {
            let pattern = NamePattern::new(typed.strip_prefix('@').unwrap_or(typed));
            return pattern.map(Self::Like).ok_or_else(|| Refusal::bad_barred(typed));
        }
        if let Some(net) = ModTarget::net(typed) {
            return Ok(Self::One(net));
        }
        if ModTarget::is_meant_as_net(typed) {
            return Err(Refusal::bad_barred(typed));
        }
        let name = UserName::new(typed.strip_prefix('@').unwrap_or(typed));
        name.map(|name| Self::One(ModTarget::User(name))).map_err(|error| Refusal::bad_name(&error))
    }

    /// A key that is the same for all spellings of the mask, and for no other mask.
    pub fn key(&self) -> String {
        match self {
            Self::One(ModTarget::User(name)) => format!("@{}", name.key()),
            Self::One(net @ ModTarget::Net(_)) => net.to_string(),
            Self::Like(pattern) => pattern.to_string(),
        }
    }

    /// Whether both are names, or both are patterns, with the same [`folded`] form.
    pub fn is_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(ModTarget::User(one)), Self::One(ModTarget::User(other))) => {
                folded(one.as_str()) == folded(other.as_str())
            }
            (Self::Like(one), Self::Like(other)) => one.folded == other.folded,
            _ => false,
        }
    }

    /// Whether and how the mask matches a user of this name.
    pub fn matches_name(&self, name: &UserName) -> Option<MaskMatch> {
        match self {
            Self::One(ModTarget::User(own)) if own == name => Some(MaskMatch::Named),
            Self::One(ModTarget::User(own)) => {
                let alike =
                    name.ban_skeletons().any(|look| own.ban_skeletons().any(|own| own == look));
                alike.then_some(MaskMatch::Alike)
            }
            Self::One(ModTarget::Net(_)) => None,
            Self::Like(pattern) => pattern.is_like(name).then_some(MaskMatch::Alike),
        }
    }

    /// Whether the mask matches a client at this address.
    pub fn matches_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::One(target) if target.has_address(address))
    }
}

/// As it is typed.
impl fmt::Display for ServerBanMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(target) => target.fmt(f),
            Self::Like(pattern) => pattern.fmt(f),
        }
    }
}

impl NamePattern {
    /// Parses a pattern as typed; `None` unless it has a `*`, otherwise only characters of a name,
    /// at least one letter or digit, and no more characters than a name.
    pub fn new(typed: &str) -> Option<Self> {
        let rest: String = typed.chars().filter(|c| *c != '*').collect();
        let fits = typed.len() > rest.len() && typed.chars().count() <= MAX_USER_NAME_CHARS;
        let in_names = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_one = fits && rest.contains(char::is_alphanumeric) && rest.chars().all(in_names);
        is_one.then(|| Self { typed: typed.to_lowercase().into(), folded: folded(typed).into() })
    }

    /// Whether a name matches, after both are [`folded`]. The time is linear in the length of the
    /// name: each part is searched for behind the one before, without backtracking.
    pub fn is_like(&self, name: &UserName) -> bool {
        let name = folded(name.as_str());
        let Some((first, rest)) = self.folded.split_once('*') else { return *self.folded == *name };
        let Some(mut left) = name.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            let Some((_, behind)) = left.split_once(part).filter(|_| !part.is_empty()) else {
                if part.is_empty() {
                    continue;
                }
                return false;
            };
            left = behind;
        }
        left.ends_with(last)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        for (pattern, name, is_like) in [
            ("spam*", "spam", true),
            ("SPAM*", "Spammer", true),
            ("spam*", "aspam", false),
            ("*spam", "aspam", true),
            ("*spam", "spam", true),
            ("*spam", "spams", false),
            ("*spam*", "aspams", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "acb", false),
            ("a*b*c", "aXbXbXc", true),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a**b", "ab", true),
            ("*b*b*", "abb", true),
            ("*b*b*", "ab", false),
            ("É*", "école", true),
        ] {
            let one = NamePattern::new(pattern).unwrap();
            let name = UserName::new(name).unwrap();
            assert_eq!(one.is_like(&name), is_like, "{pattern} {name}");
        }
    }

    #[test]
    fn typed_masks_round_trip() {
        for (typed, written) in [
            ("bob", "bob"),
            ("@Bob", "Bob"),
            ("@10.0.0.1", "@10.0.0.1"),
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("Spam*", "spam*"),
            ("@*spam", "*spam"),
        ] {
            let mask = ServerBanMask::read(typed).unwrap();
            assert_eq!(mask.to_string(), written, "{typed}");
            assert_eq!(ServerBanMask::read(written), Ok(mask), "{typed}");
        }
        for typed in ["*", "**", "-*", "a b*", "spam*#", "10.0.0.0/33", "10.0.*", "::g", "", "-"] {
            let is_pattern = typed == "10.0.*";
            assert_eq!(ServerBanMask::read(typed).is_ok(), is_pattern, "{typed}");
        }
        let long = format!("*{}", "x".repeat(MAX_USER_NAME_CHARS));
        assert!(ServerBanMask::read(&long).is_err());
    }

    #[test]
    fn masks_match_users() {
        for (mask, name, hit) in [
            ("bob", "BOB", Some(MaskMatch::Named)),
            ("bob", "b0b", Some(MaskMatch::Alike)),
            ("bob", "bobby", None),
            ("bo*", "bob", Some(MaskMatch::Alike)),
            ("10.0.0.0/8", "bob", None),
        ] {
            let name = UserName::new(name).unwrap();
            assert_eq!(
                ServerBanMask::read(mask).unwrap().matches_name(&name),
                hit,
                "{mask} {name}"
            );
        }
        for (mask, address, hit) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::1", "2001:db8::2:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("bob", "10.1.2.3", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(ServerBanMask::read(mask).unwrap().matches_address(address), hit, "{mask}");
        }
    }
}
