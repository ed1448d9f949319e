//! Suggestions for a mistyped word.

/// The entries of `known` whose word is similar to `typed`, best first, at most `most`. Each entry
/// is a word and its shown form; the shown forms are returned.
///
/// Words are similar if their Jaro-Winkler similarity is 0.75 or more, or if one is a prefix of the
/// other.
pub fn suggestions<'a>(
    typed: &str,
    known: impl IntoIterator<Item = (&'a str, &'a str)>,
    most: usize,
) -> Vec<&'a str> {
    const NEAR_ENOUGH: f64 = 0.75;
    if typed.is_empty() {
        return Vec::new();
    }
    let likeness = |word: &str| {
        let begins = word.starts_with(typed) || typed.starts_with(word);
        strsim::jaro_winkler(typed, word) + if begins { 1.0 } else { 0.0 }
    };
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|(word, shown)| (likeness(word), shown))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .collect();
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.cmp(other)));
    near.into_iter().take(most).map(|(_, word)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::suggestions;

    #[test]
    fn the_best_suggestions_come_first_and_dissimilar_words_never() {
        let known = ["general", "genesis", "dev", "random"].map(|word| (word, word));
        assert_eq!(suggestions("genral", known, 3), ["general"]);
        assert_eq!(suggestions("gene", known, 3), ["general", "genesis"]);
        assert_eq!(suggestions("gen", known, 1), ["general"]);
        assert_eq!(suggestions("genral", [("general", "General")], 3), ["General"]);
        assert!(suggestions("zzz", known, 3).is_empty());
        assert!(suggestions("", known, 3).is_empty());
    }
}
