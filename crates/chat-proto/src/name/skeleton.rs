//! UTS #39 skeletons of names, without case.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

use crate::fold::with_one_sigma;

/// The skeleton of a name's shown form or key.
pub(super) fn look(form: &str) -> Cow<'_, str> {
    if form.is_ascii() { ascii_look(form) } else { Cow::Owned(unicode_look(form)) }
}

/// Equivalent to [`unicode_look`] for ASCII, without its tables: four characters of names have a
/// look-alike.
fn ascii_look(form: &str) -> Cow<'_, str> {
    if !form.bytes().any(|byte| matches!(byte, b'0' | b'1' | b'm' | b'A'..=b'Z')) {
        return Cow::Borrowed(form);
    }
    let mut look = String::with_capacity(2 * form.len());
    for c in form.chars() {
        match c {
            '0' => look.push('o'),
            '1' | 'I' => look.push('l'),
            'm' => look.push_str("rn"),
            c => look.push(c.to_ascii_lowercase()),
        }
    }
    Cow::Owned(look)
}

/// The loose skeleton: with `1`, `l` and `i` as one letter, and without trailing `.`, `_` and `-`,
/// unless it has nothing else (`\u{6f0}` looks like a full stop).
pub(super) fn loose(look: Cow<'_, str>) -> Cow<'_, str> {
    let core = match look.trim_end_matches(['.', '_', '-']) {
        "" => &*look,
        core => core,
    };
    if core.contains('i') {
        return Cow::Owned(core.replace('i', "l"));
    }
    let len = core.len();
    match look {
        Cow::Borrowed(look) => Cow::Borrowed(look.get(..len).unwrap_or(look)),
        Cow::Owned(mut look) => {
            look.truncate(len);
            Cow::Owned(look)
        }
    }
}

fn unicode_look(form: &str) -> String {
    let skeleton: String = skeleton(form).collect();
    with_one_sigma(&skeleton.to_lowercase()).nfc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_ascii_character_of_a_name_has_the_skeleton_of_the_tables() {
        for byte in b'!'..=b'~' {
            let c = char::from(byte);
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                let form = c.to_string();
                assert_eq!(ascii_look(&form), unicode_look(&form), "{c}");
            }
        }
    }

    proptest! {
        #[test]
        fn ascii_names_have_the_skeleton_of_the_tables(form in "[-_.a-zA-Z0-9]{1,48}") {
            prop_assert_eq!(ascii_look(&form), unicode_look(&form));
        }
    }
}
