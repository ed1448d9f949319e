//! What the checks read of a Rust file: its imports, its paths, and the types it defines.
//!
//! This is a lexer and a parser of `use` trees, not a compiler: macros aren't expanded.

use std::collections::BTreeSet;

/// One name that a `use` line brings in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
    /// The name in this file; none for a glob.
    pub(crate) name: Option<String>,
}

/// A Rust file without its tests.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) imports: Vec<Import>,
    /// Paths outside `use` that begin with `crate`, `self` or `super`.
    pub(crate) paths: Vec<(usize, Vec<String>)>,
    /// Child modules in files of their own that only tests use.
    pub(crate) test_modules: Vec<String>,
    /// Structs, enums, unions, traits and aliases, with their lines.
    pub(crate) types: Vec<(usize, String)>,
    /// Every name that is defined here.
    pub(crate) defined: BTreeSet<String>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut code = code(text);
        let test_modules = blank_tests(&mut code, text);
        let mut source = Self { test_modules, ..Self::default() };
        source.read_imports(&mut code);
        let words = words(&code);
        source.read_paths(&code, &words);
        source.read_definitions(&code, &words);
        source
    }

    /// Takes the `use` lines out of the code.
    fn read_imports(&mut self, code: &mut [u8]) {
        for word in words(code) {
            if word.text(code) != "use" || code.get(word.end).is_some_and(|byte| *byte == b'<') {
                continue;
            }
            let end = code[word.end..].iter().position(|byte| *byte == b';');
            let end = end.map_or(code.len(), |length| word.end + length);
            let tree = String::from_utf8_lossy(&code[word.end..end]).into_owned();
            let line = line_of(code, word.begin);
            expand(&tree, &[], line, &mut self.imports);
            code[word.begin..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        }
    }

    fn read_paths(&mut self, code: &[u8], words: &[Word]) {
        let mut at = 0;
        while at < words.len() {
            let first = at;
            while words.get(at + 1).is_some_and(|next| {
                let between = &code[words[at].end..next.begin];
                between.iter().filter(|b| !b.is_ascii_whitespace()).eq(b"::")
            }) {
                at += 1;
            }
            let root = ["crate", "self", "super"].contains(&words[first].text(code));
            if at > first && root {
                let path = words[first..=at].iter().map(|word| word.text(code).to_owned());
                self.paths.push((line_of(code, words[first].begin), path.collect()));
            }
            at += 1;
        }
    }

    fn read_definitions(&mut self, code: &[u8], words: &[Word]) {
        for pair in words.windows(2) {
            let (kind, name) = (pair[0].text(code), pair[1].text(code));
            let adjoin = code[pair[0].end..pair[1].begin].iter().all(u8::is_ascii_whitespace);
            if !adjoin {
                continue;
            }
            let of_type = match kind {
                "struct" | "enum" | "trait" => true,
                // A union's name may follow, and `union` may be a name itself.
                "union" => name.starts_with(|c: char| c.is_ascii_uppercase()),
                // Indented aliases belong to traits and their implementations.
                "type" => indent(code, pair[0].begin) == 0,
                "fn" | "const" | "static" | "mod" => false,
                _ => continue,
            };
            self.defined.insert(name.to_owned());
            if of_type {
                self.types.push((line_of(code, pair[0].begin), name.to_owned()));
            }
        }
    }
}

/// A word of the code, as offsets.
struct Word {
    begin: usize,
    end: usize,
}

impl Word {
    fn text<'a>(&self, code: &'a [u8]) -> &'a str {
        std::str::from_utf8(&code[self.begin..self.end]).unwrap_or_default()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn words(code: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let begin = at;
        while code.get(at).is_some_and(|byte| is_word(*byte)) {
            at += 1;
        }
        if at > begin {
            words.push(Word { begin, end: at });
        } else {
            at += 1;
        }
    }
    words
}

fn line_of(code: &[u8], at: usize) -> usize {
    code[..at].split(|byte| *byte == b'\n').count()
}

/// Blanks in front of the line that `at` is in, past a visibility.
fn indent(code: &[u8], at: usize) -> usize {
    let begin = code[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    code[begin..].iter().take_while(|byte| **byte == b' ').count()
}

/// The text with spaces for every byte of comments and literals: offsets stay as they are.
fn code(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if rest[0] == b'"' {
            quoted(rest)
        } else if let Some(length) = raw_string(rest)
            && (at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b')
        {
            length
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            at += 1;
            continue;
        };
        let end = (at + length).min(bytes.len());
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    code
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.strip_prefix(b"r")?.iter().take_while(|byte| **byte == b'#').count();
    let inside = rest[1 + hashes..].strip_prefix(b"\"")?;
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = inside.windows(end.len()).position(|window| window == end)?;
    Some(2 + hashes + length + end.len())
}

/// The length of a character literal; of a lifetime, of its mark alone.
fn character(rest: &[u8]) -> usize {
    let inside = &rest[1..];
    if inside.first() == Some(&b'\\') {
        let end = inside[2.min(inside.len())..].iter().position(|byte| *byte == b'\'');
        return end.map_or(1, |length| length + 4);
    }
    let text = std::str::from_utf8(&inside[..inside.len().min(8)]);
    let valid = text.map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(&inside[..valid]).unwrap_or_default();
    let length = text.chars().next().map_or(0, char::len_utf8);
    if length > 0 && inside.get(length) == Some(&b'\'') { length + 2 } else { 1 }
}

/// Blanks every item that is compiled for tests alone. Returns the modules among them that are
/// files.
fn blank_tests(code: &mut [u8], text: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut from = 0;
    while let Some(found) = find(&code[from..], b"#[cfg(") {
        let begin = from + found;
        let Some(length) = closing(&code[begin + 1..]) else { break };
        let attribute = begin + 1 + length;
        let condition = &text[begin..attribute];
        let mut parts = condition.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        if condition.contains("not(") || !parts.any(|w| w == "test" || w == "test_support") {
            from = attribute;
            continue;
        }
        let end = item_end(code, attribute);
        let item = String::from_utf8_lossy(&code[attribute..end]).into_owned();
        if let Some((_, name)) = item.trim_end_matches(';').split_once("mod ")
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        {
            modules.push(name.to_owned());
        }
        code[begin..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    modules
}

fn find(code: &[u8], wanted: &[u8]) -> Option<usize> {
    code.windows(wanted.len()).position(|window| window == wanted)
}

/// The length of the bracketed text that begins here, brackets included.
fn closing(code: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 && !byte.is_ascii_whitespace() {
            return Some(at + 1);
        }
    }
    None
}

/// Where the item after an attribute ends.
fn item_end(code: &[u8], from: usize) -> usize {
    let mut at = from;
    // Further attributes, and a visibility.
    loop {
        at += code[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if code[at..].starts_with(b"#[") {
            at += 1 + closing(&code[at + 1..]).unwrap_or(1);
        } else if code[at..].starts_with(b"pub") && !code.get(at + 3).copied().is_some_and(is_word)
        {
            at += 3;
            if code.get(at) == Some(&b'(') {
                at += closing(&code[at..]).unwrap_or(1);
            }
        } else {
            break;
        }
    }
    let length = code[at..].iter().take_while(|byte| is_word(**byte)).count();
    let keyword = std::str::from_utf8(&code[at..at + length]).unwrap_or_default();
    let field = ![
        "async", "const", "enum", "extern", "fn", "for", "if", "impl", "let", "loop", "match",
        "mod", "static", "struct", "trait", "type", "union", "unsafe", "use", "while",
    ]
    .contains(&keyword);
    while at < code.len() {
        match code[at] {
            b';' => return at + 1,
            b',' if field => return at + 1,
            b')' | b']' | b'}' => return at,
            b'{' => {
                at += closing(&code[at..]).unwrap_or(1);
                let blanks = code[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
                let goes_on = code.get(at + blanks).is_some_and(|b| b";,".contains(b));
                return if goes_on { at + blanks + 1 } else { at };
            }
            b'(' | b'[' => at += closing(&code[at..]).unwrap_or(1),
            _ => at += 1,
        }
    }
    at
}

/// The names of a `use` tree.
fn expand(tree: &str, prefix: &[String], line: usize, found: &mut Vec<Import>) {
    let tree = tree.trim();
    if let Some(group) = tree.strip_suffix('}')
        && let Some((before, inside)) = group.split_once('{')
    {
        let mut path = prefix.to_vec();
        path.extend(segments(before));
        let mut depth = 0_usize;
        let parts = inside.split(|c| {
            depth = match c {
                '{' => depth + 1,
                '}' => depth.saturating_sub(1),
                _ => depth,
            };
            c == ',' && depth == 0
        });
        for part in parts.filter(|part| !part.trim().is_empty()) {
            expand(part, &path, line, found);
        }
        return;
    }
    let (tree, renamed) = match tree.split_once(" as ") {
        Some((tree, name)) => (tree, Some(name.trim().to_owned())),
        None => (tree, None),
    };
    let mut path = prefix.to_vec();
    path.extend(segments(tree));
    let glob = path.pop_if(|last| last == "*").is_some();
    if path.len() > 1 {
        path.pop_if(|last| last == "self");
    }
    let name = renamed.or_else(|| path.last().cloned()).filter(|_| !glob);
    found.push(Import { line, path, name });
}

fn segments(path: &str) -> impl Iterator<Item = String> + '_ {
    path.split("::").map(str::trim).filter(|segment| !segment.is_empty()).map(str::to_owned)
}

#[test]
fn imports_are_parsed() {
    let text = r##"
        //! use crate::not::Here;
        use crate::hub::{self, channel::{Channel, Ring as R}, fanout::*};
        pub(crate) use super::order;
        fn f() -> impl Sized + use<> { crate::store::open("use crate::no;", r#"";crate::no"#, '"') }
        #[cfg(test)]
        use crate::tests::Only;
        #[cfg(any(test, feature = "test_support"))]
        fn g<A, B>(a: [A; 3]) -> B { crate::tests::only() }
        #[cfg(test)]
        mod tests;
    "##;
    let source = Source::new(text);
    let shown: Vec<String> = source
        .imports
        .iter()
        .map(|import| format!("{} {:?}", import.path.join("::"), import.name.as_deref()))
        .collect();
    let expected = [
        "crate::hub Some(\"hub\")",
        "crate::hub::channel::Channel Some(\"Channel\")",
        "crate::hub::channel::Ring Some(\"R\")",
        "crate::hub::fanout None",
        "super::order Some(\"order\")",
    ];
    assert_eq!(shown, expected);
    let paths: Vec<String> = source.paths.iter().map(|(_, path)| path.join("::")).collect();
    assert_eq!(paths, ["crate::store::open"]);
    assert_eq!(source.test_modules, ["tests"]);
}

#[test]
fn types_are_parsed() {
    let text = "
pub struct A<'a>(&'a u8);
pub(crate) enum B { C('x') }
type D = u8;
impl Iterator for A<'_> {
    type Item = u8;
}
struct Made { #[cfg(test)] x: u8, y: u8 }
#[cfg(test)]
mod tests { struct Not; }
trait E {}
";
    let source = Source::new(text);
    let types: Vec<&str> = source.types.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(types, ["A", "B", "D", "Made", "E"]);
}
