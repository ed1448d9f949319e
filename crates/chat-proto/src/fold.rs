//! The one folding of search, mentions, bans and word filters: it decides when two texts are equal.
//!
//! Case, width and accents are ignored. Case folding is full, so `STRASSE` equals `straße` and
//! `ΑΘΗΝΑ` equals `Αθήνα`; a final sigma equals any other; the dotless `ı` and the dotted `İ` equal
//! `i`. Keys of names, which are stored, are stricter: they preserve accents and `ß`
//! ([`UserName::key`](crate::name::UserName::key)).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The folded form of a text, without case, width and accents. Folding is idempotent.
pub fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    let mut base = ' ';
    let unmarked = text.nfkd().filter(|&c| {
        if !is_combining_mark(c) {
            base = c;
            return true;
        }
        !is_left_out(base, c)
    });
    Cow::Owned(unmarked.flat_map(case_folded).nfc().collect())
}

/// The case-folded form of a character: `ß` and `ẞ` fold to `ss`, `ς` to `σ`, `ı` to `i`.
pub(crate) fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The sigma at the end of a word is the same letter as the one inside: both are the capital `Σ`.
pub(crate) fn with_one_sigma(lowercase: &str) -> Cow<'_, str> {
    if lowercase.contains('ς') {
        Cow::Owned(lowercase.replace('ς', "σ"))
    } else {
        Cow::Borrowed(lowercase)
    }
}

/// Whether a mark is an accent that is used in many scripts. Other marks, such as the vowel signs
/// of Hindi, are letters of their own.
pub(crate) fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

/// Whether a mark is often omitted in writing: accents, and vowels and points of Arabic and Hebrew.
/// The Cyrillic `й` and `ї` are letters of their own, and `ё` is written `е`.
fn is_left_out(base: char, mark: char) -> bool {
    match mark {
        _ if matches!(base, '\u{400}'..='\u{52F}') => {
            matches!(mark, '\u{300}' | '\u{301}') || mark == '\u{308}' && matches!(base, 'е' | 'Е')
        }
        // These make another letter of an alef, a waw or a yeh.
        '\u{653}'..='\u{655}' => false,
        '\u{591}'..='\u{5C7}'
        | '\u{610}'..='\u{61A}'
        | '\u{64B}'..='\u{670}'
        | '\u{6D6}'..='\u{6ED}'
        | '\u{8CA}'..='\u{8FF}' => true,
        mark => is_accent(mark),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equivalent_texts_fold_to_the_same() {
        for (texts, fold) in [
            (&["Αθήνα", "ΑΘΗΝΑ", "αθηνα", "Αθη\u{301}να"][..], "αθηνα"),
            (&["straße", "STRASSE", "STRAẞE", "Strasse"], "strasse"),
            (&["ısparta", "ISPARTA", "Isparta", "İsparta"], "isparta"),
            (&["İstanbul", "istanbul", "ISTANBUL", "I\u{307}stanbul"], "istanbul"),
            (&["ΣΑΣ", "σας", "Σας"], "σασ"),
            (&["José", "JOSÉ", "jose", "Jose\u{301}"], "jose"),
            (&["ﬁsh", "FISH", "ｆｉｓｈ"], "fish"),
            (&["ſmall", "SMALL"], "small"),
            (&["Ёлка", "елка"], "елка"),
            (&["мой", "МОЙ"], "мой"),
            (&["Їжак"], "їжак"),
            (&["за\u{301}мок", "ЗАМОК"], "замок"),
            (&["كِتَاب", "كتاب"], "كتاب"),
            (&["أب"], "أب"),
            (&["שָׁלוֹם", "שלום"], "שלום"),
            (&["ｶﾞ", "ガ"], "ガ"),
            (&["हिन्दी"], "हिन्दी"),
            (&["한국어"], "한국어"),
            (&["ΐ", "Ϊ\u{301}", "ι"], "ι"),
            (&["µ", "Μ", "μ"], "μ"),
        ] {
            for text in texts {
                assert_eq!(folded(text), fold, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn folding_is_idempotent(text in "\\PC{0,12}") {
            let once = folded(&text).into_owned();
            prop_assert_eq!(folded(&once), once.as_str());
        }

        #[test]
        fn case_makes_no_difference(text in "[A-Za-zÀ-ÿĀ-žΆ-ώА-яՀ-ֆ ]{0,12}") {
            for cased in [text.to_uppercase(), text.to_lowercase()] {
                prop_assert_eq!(folded(&cased), folded(&text));
            }
        }
    }
}
