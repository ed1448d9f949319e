//! Names of users and channels, valid by construction.
//!
//! A name has four forms. The *shown* form has the letters as typed (in Unicode's NFC). The *key*
//! is the shown form without case; names are equal when their keys are, and users are looked up by
//! it. The *skeletons* (UTS #39) are shared by names that look alike; a registry in which every
//! skeleton has one owner has no two confusable names: see [`UserName::skeletons`]. The *loose
//! skeletons* are also shared by names that differ only at a second glance; new names are compared
//! by them: see [`UserName::loose_skeletons`].

mod error;
mod reserved;
mod skeleton;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use precis_profiles::precis_core::Error as PrecisError;
use precis_profiles::precis_core::UnexpectedError;
use precis_profiles::precis_core::profile::{PrecisFastInvocation as _, stabilize};
use precis_profiles::{UsernameCaseMapped, UsernameCasePreserved};
use unicode_normalization::char::is_combining_mark;

pub use error::NameError;

use crate::fold::{folded, with_one_sigma};
use crate::limits::{MAX_CHANNEL_NAME_CHARS, MAX_USER_NAME_CHARS};
use crate::text::MAX_MARKS_IN_A_ROW;

/// A user's name. Equality, order and hash are those of its [`key`](Self::key). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Name);

impl UserName {
    /// Checks a name as it was typed.
    ///
    /// Names that could be taken for the server, and names that look like them, are reserved.
    pub fn new(raw: &str) -> Result<Self, NameError> {
        let name = Name::new(raw, MAX_USER_NAME_CHARS)?;
        if name.skeletons().any(|look| reserved::is_reserved(&look)) {
            return Err(NameError::Reserved);
        }
        Ok(Self(name))
    }

    /// A stored name, or the name that the server acts under at its shell. It may be a reserved
    /// one.
    pub fn stored(raw: &str) -> Result<Self, NameError> {
        Name::new(raw, MAX_USER_NAME_CHARS).map(Self)
    }

    /// The shown form.
    pub fn as_str(&self) -> &str {
        self.0.shown()
    }

    /// The name without case: the same for all ways to type it.
    ///
    /// It is for comparisons and may be longer than a name, so store the shown form to parse it
    /// again.
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// The skeletons of this name, one or two.
    ///
    /// They are the UTS #39 skeletons, without case, of the key and of the shown form, which differ
    /// because `I` resembles `l` while `i` doesn't. Two names that share a skeleton, such as `b0b`
    /// and `bob`, or `aI` and `al`, must not be in use by two users at once. Skeletons are for
    /// claiming a name; use the key to look up a user by a typed name.
    pub fn skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.skeletons()
    }

    /// The skeletons with `1`, `l` and `i` as one letter, and without trailing `.`, `_` and `-`:
    /// `vict1m`, `vlctim` and `victim.` are confusable with `victim`.
    ///
    /// They compare a new name with those that are taken or [reserved](Self::resembles_reserved).
    /// Stored names may share one, since earlier versions didn't compare them.
    pub fn loose_skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.loose_skeletons()
    }

    /// Whether the two names share a skeleton.
    pub fn is_confusable_with(&self, other: &Self) -> bool {
        self.skeletons().any(|look| other.skeletons().any(|other| other == look))
    }

    /// Whether this name resembles a reserved one at the first glance. [`new`](Self::new) accepts
    /// it, since stored names may be of this kind.
    pub fn resembles_reserved(&self) -> bool {
        let bare = self.as_str().trim_end_matches(['.', '_', '-']);
        let is_reserved =
            bare != self.as_str() && matches!(Self::new(bare), Err(NameError::Reserved));
        is_reserved || self.loose_skeletons().any(|look| reserved::is_loosely_reserved(&look))
    }

    /// The skeletons, and that of the [`folded`] name: a ban of one name applies to every name that
    /// shares one of these.
    pub fn ban_skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let key = self.key();
        let folded = (!key.is_ascii()).then(|| folded(key)).filter(|folded| *folded != key);
        let folded = folded.map(|folded| Cow::Owned(skeleton::look(&folded).into_owned()));
        self.skeletons().chain(folded)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A channel's name. Equality, order and hash are those of its [`key`](Self::key). Cheap to clone.
///
/// `Display` prints its `#`, which is not part of the key or the skeletons.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Name);

impl ChannelName {
    /// Checks a name as it was typed, with or without its `#`.
    pub fn new(raw: &str) -> Result<Self, NameError> {
        Name::new(raw.strip_prefix('#').unwrap_or(raw), MAX_CHANNEL_NAME_CHARS).map(Self)
    }

    /// The shown form, without its `#`.
    pub fn bare(&self) -> &str {
        self.0.shown()
    }

    /// The name without case; see [`UserName::key`].
    pub fn key(&self) -> &str {
        self.0.key()
    }

    /// The skeletons of this name; see [`UserName::skeletons`].
    pub fn skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.skeletons()
    }

    /// The loose skeletons of this name; see [`UserName::loose_skeletons`].
    pub fn loose_skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.loose_skeletons()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.bare())
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"#{}\"", self.bare())
    }
}

/// The common part of user and channel names.
#[derive(Clone)]
struct Name {
    /// The shown form; the key follows it, unless they are the same.
    forms: Arc<str>,
    /// Bytes of the shown form.
    shown_len: usize,
}

/// NFC composes at most this many characters to one (Greek with three marks). A text that is longer
/// by more than this factor can't become a valid name and isn't examined.
const MAX_CHARS_COMPOSED: usize = 4;

impl Name {
    fn new(raw: &str, max: usize) -> Result<Self, NameError> {
        if raw.is_ascii() { Self::from_ascii(raw, max) } else { Self::from_unicode(raw, max) }
    }

    fn from_ascii(raw: &str, max: usize) -> Result<Self, NameError> {
        check_chars(raw)?;
        if raw.len() > max {
            return Err(NameError::TooLong { max, was: raw.len() });
        }
        let mut forms = [0; 2 * MAX_CHANNEL_NAME_CHARS];
        let forms = if raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let (shown, rest) = forms.split_at_mut(raw.len());
            let (key, _) = rest.split_at_mut(raw.len());
            shown.copy_from_slice(raw.as_bytes());
            key.copy_from_slice(raw.as_bytes());
            key.make_ascii_lowercase();
            forms.get(..2 * raw.len()).and_then(|forms| str::from_utf8(forms).ok())
        } else {
            Some(raw)
        };
        let forms = forms.ok_or(NameError::NotAllowed)?;
        Ok(Self { forms: Arc::from(forms), shown_len: raw.len() })
    }

    fn from_unicode(raw: &str, max: usize) -> Result<Self, NameError> {
        let was = raw.chars().count();
        if was > max * MAX_CHARS_COMPOSED {
            return Err(NameError::TooLong { max, was });
        }
        let shown = stabilize(raw, |raw| UsernameCasePreserved::enforce(raw))?;
        check_chars(&shown)?;
        let was = shown.chars().count();
        if was > max {
            return Err(NameError::TooLong { max, was });
        }
        let marks = shown.split(|c| !is_combining_mark(c)).map(|run| run.chars().count());
        if marks.max() > Some(MAX_MARKS_IN_A_ROW) {
            return Err(NameError::NotAllowed);
        }
        let key = stabilize(&*shown, |shown| UsernameCaseMapped::enforce(shown))?;
        let key = with_one_sigma(&key);
        let forms: Arc<str> =
            if key == shown { Arc::from(&*shown) } else { Arc::from([&*shown, &*key].concat()) };
        Ok(Self { forms, shown_len: shown.len() })
    }

    fn shown(&self) -> &str {
        self.forms.get(..self.shown_len).unwrap_or_default()
    }

    fn key(&self) -> &str {
        match self.forms.get(self.shown_len..) {
            None | Some("") => &self.forms,
            Some(key) => key,
        }
    }

    fn skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let (shown, key) = (self.shown(), self.key());
        let of_key = skeleton::look(key);
        let of_shown = (shown != key).then(|| skeleton::look(shown)).filter(|look| *look != of_key);
        std::iter::once(of_key).chain(of_shown)
    }

    fn loose_skeletons(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let (shown, key) = (self.shown(), self.key());
        let of_key = skeleton::loose(skeleton::look(key));
        let of_shown = (shown != key).then(|| skeleton::loose(skeleton::look(shown)));
        let of_shown = of_shown.filter(|look| *look != of_key);
        std::iter::once(of_key).chain(of_shown)
    }
}

/// Letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
///
/// Marks belong to their letters. What PRECIS additionally allows in some contexts (joiners, middle
/// dots) is invisible or no letter, and is refused here.
fn check_chars(name: &str) -> Result<(), NameError> {
    let first = name.chars().next().ok_or(NameError::Empty)?;
    if !first.is_alphanumeric() || is_combining_mark(first) {
        return Err(NameError::BadStart(first));
    }
    let allowed =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.') || is_combining_mark(c);
    match name.chars().find(|&c| !allowed(c)) {
        Some(bad) => Err(NameError::BadChar(bad)),
        None => Ok(()),
    }
}

impl From<PrecisError> for NameError {
    fn from(error: PrecisError) -> Self {
        let info = match error {
            PrecisError::BadCodepoint(info)
            | PrecisError::Unexpected(
                UnexpectedError::ContextRuleNotApplicable(info)
                | UnexpectedError::MissingContextRule(info),
            ) => info,
            PrecisError::Invalid | PrecisError::Unexpected(_) => return Self::NotAllowed,
        };
        match (info.position, char::from_u32(info.cp)) {
            (_, None) => Self::NotAllowed,
            (0, Some(start)) => Self::BadStart(start),
            (_, Some(bad)) => Self::BadChar(bad),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(other.key())
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

const _: () = assert!(MAX_USER_NAME_CHARS <= MAX_CHANNEL_NAME_CHARS);
// Names are passed by value.
const _: () = assert!(size_of::<UserName>() <= 24);
