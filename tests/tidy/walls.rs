//! The import graph of each crate: which module uses which.
//!
//! An import is followed through re-exports to the file that has the definition. Between modules of
//! one folder the arrows must not form a circle; a parent and its own children may use each other.
//! Between the top-level modules of a crate each arrow must be in the crate's table in
//! docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::Source;
use crate::tree::{files, read, workspace};

/// A module's path below its crate, `hub::channel`. The crate's root is "".
type Module = String;

/// One crate's files, by module.
#[derive(Default)]
struct Crate {
    /// The crate's name in paths of its own binary, `chat_server`.
    own_name: String,
    files: BTreeMap<Module, Source>,
}

/// An import of one module in another, with the line of the first.
type Arrows = BTreeMap<(Module, Module), usize>;

impl Crate {
    /// Reads `(path below src, text)` of each file. Files that only tests compile are left out.
    fn new(own_name: &str, texts: &[(String, String)]) -> Self {
        let mut files: BTreeMap<Module, Source> = BTreeMap::new();
        let has_library = texts.iter().any(|(path, _)| path == "lib.rs");
        for (path, text) in texts {
            let path = path.trim_end_matches(".rs").replace('/', "::");
            let module = match path.as_str() {
                "lib" => String::new(),
                "main" if !has_library => String::new(),
                other => other.to_owned(),
            };
            files.insert(module, Source::new(text));
        }
        let left_out: Vec<Module> = files
            .iter()
            .flat_map(|(module, source)| source.test_modules.iter().map(|test| join(module, test)))
            .collect();
        files.retain(|module, _| {
            !left_out.iter().any(|test| module == test || is_below(module, test))
        });
        Self { own_name: own_name.to_owned(), files }
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, source) in &self.files {
            let imports = source.imports.iter().map(|import| (import.line, &import.path));
            for (line, path) in imports.chain(source.paths.iter().map(|(line, path)| (*line, path)))
            {
                if let Some(target) = self.resolve(module, path, 0)
                    && target != *module
                {
                    arrows.entry((module.clone(), target)).or_insert(line);
                }
            }
        }
        arrows
    }

    /// The module that a path in `from` leads to; none outside the crate.
    fn resolve(&self, from: &str, path: &[String], depth: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => String::new(),
            "self" => from.to_owned(),
            "super" => parent(from)?.to_owned(),
            own if own == self.own_name => String::new(),
            child if self.files.contains_key(&join(from, child)) => join(from, child),
            name => return self.follow(from, name, rest, depth),
        };
        while let Some((next, after)) = rest.split_first() {
            if next == "super" {
                let length = parent(&module)?.len();
                module.truncate(length);
            } else if self.files.contains_key(&join(&module, next)) {
                module = join(&module, next);
            } else {
                return self.follow(&module, next, after, depth).or(Some(module));
            }
            rest = after;
        }
        Some(module)
    }

    /// Follows a name that `module` imports. None if it imports no such name from this crate.
    fn follow(&self, module: &str, name: &str, rest: &[String], depth: usize) -> Option<Module> {
        if depth > 16 {
            return None;
        }
        let imports = &self.files.get(module)?.imports;
        if let Some(import) = imports.iter().find(|import| import.name.as_deref() == Some(name)) {
            if import.path.first().is_some_and(|first| first == name) && import.path.len() == 1 {
                return None;
            }
            let path: Vec<String> = import.path.iter().chain(rest).cloned().collect();
            return self.resolve(module, &path, depth + 1);
        }
        imports.iter().filter(|import| import.name.is_none()).find_map(|import| {
            let target = self.resolve(module, &import.path, depth + 1)?;
            if self.files.get(&target)?.defined.contains(name) {
                return Some(target);
            }
            self.follow(&target, name, rest, depth + 1)
        })
    }
}

fn join(module: &str, child: &str) -> Module {
    if module.is_empty() { child.to_owned() } else { format!("{module}::{child}") }
}

fn parent(module: &str) -> Option<&str> {
    if module.is_empty() { None } else { Some(module.rsplit_once("::").map_or("", |(up, _)| up)) }
}

fn is_below(module: &str, ancestor: &str) -> bool {
    ancestor.is_empty() || module.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with("::"))
}

/// The top-level module of a module; "" for the root.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// Where two modules part: the children of their common folder that they are, or are below. None if
/// one is above the other.
fn siblings(one: &str, other: &str) -> Option<(Module, Module)> {
    let (mut one_path, mut other_path) = (String::new(), String::new());
    let (mut ones, mut others) = (one.split("::"), other.split("::"));
    loop {
        let (next, other_next) = (ones.next()?, others.next()?);
        one_path = join(&one_path, next);
        other_path = join(&other_path, other_next);
        if one_path.is_empty() || other_path.is_empty() {
            return None;
        }
        if next != other_next {
            return Some((one_path, other_path));
        }
    }
}

/// For each pair of modules of one folder, an import that leads from the one, or a file below it,
/// to the other.
type Between = BTreeMap<Module, BTreeMap<Module, (Module, Module)>>;

/// An arrow between modules of one folder that is part of a circle, and the way back along the
/// circle.
#[derive(Debug, PartialEq, Eq)]
struct Circle {
    arrow: (Module, Module),
    /// The import that the arrow stands for.
    import: (Module, Module),
    way_back: Vec<Module>,
}

impl std::fmt::Display for Circle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.arrow.0, self.way_back.join(" → "))
    }
}

/// Every arrow that is part of a circle.
fn circles(arrows: &Arrows) -> Vec<Circle> {
    let mut between = Between::new();
    for (from, to) in arrows.keys() {
        if let Some((one, other)) = siblings(from, to) {
            let import = (from.clone(), to.clone());
            between.entry(one).or_default().entry(other).or_insert(import);
        }
    }
    let mut circles = Vec::new();
    for (from, targets) in &between {
        for (to, import) in targets {
            if let Some(way_back) = way(&between, to, from) {
                let arrow = (from.clone(), to.clone());
                circles.push(Circle { arrow, import: import.clone(), way_back });
            }
        }
    }
    circles
}

/// The shortest way from one module to another.
fn way(between: &Between, from: &str, to: &str) -> Option<Vec<Module>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(module) = queue.pop_front() {
        if module == to {
            let mut way = vec![module.to_owned()];
            while way.last().is_some_and(|last| last != from) {
                way.push(came_from[way.last()?.as_str()].to_owned());
            }
            way.reverse();
            return Some(way);
        }
        for next in between.get(module).into_iter().flat_map(BTreeMap::keys) {
            if next != from && !came_from.contains_key(next.as_str()) {
                came_from.insert(next, module);
                queue.push_back(next);
            }
        }
    }
    None
}

/// What each top-level module may use, out of a table `| module | … | may use |`.
type Table = BTreeMap<String, BTreeSet<String>>;

fn table(page: &str, name: &str) -> Option<Table> {
    let (_, rest) = page.split_once(&format!("<!-- arrows: {name} -->\n"))?;
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let quoted = |cell: &str| -> BTreeSet<String> {
        cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut table = Table::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        for module in quoted(cells.first()?) {
            table.insert(module, quoted(cells.last()?));
        }
    }
    Some(table)
}

/// Differences between a crate and its table, each under a short name: arrows that the table
/// doesn't allow, and rows that are out of date.
fn against(table: &Table, krate: &Crate, name: &str) -> BTreeMap<String, String> {
    let mut faults = BTreeMap::new();
    let mut fault = |short: String, sentence: String| {
        faults.entry(format!("{name} {short}")).or_insert(format!("{name}: {sentence}"));
    };
    let there: BTreeSet<&str> =
        krate.files.keys().map(|m| top(m)).filter(|m| !m.is_empty()).collect();
    for module in &there {
        if !table.contains_key(*module) {
            fault(
                (*module).to_owned(),
                format!("the table has no row for the module `{module}`: add one"),
            );
        }
    }
    let mut unused: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (module, may) in table {
        if !there.contains(module.as_str()) {
            fault(module.clone(), format!("there is no module `{module}`: take its row out"));
        }
        unused.extend(may.iter().map(|used| (module.as_str(), used.as_str())));
    }
    let arrows = krate.arrows();
    for ((from, to), line) in &arrows {
        let (module, used) = (top(from), if to.is_empty() { "lib" } else { top(to) });
        if module.is_empty() || module == used || module == "main" {
            continue;
        }
        unused.remove(&(module, used));
        if table.get(module).is_some_and(|may| !may.contains(used)) {
            let target = if to.is_empty() { "the crate's root" } else { to.as_str() };
            fault(
                format!("{module} → {used}"),
                format!(
                    "{}.rs:{line} uses `{target}`, and the table doesn't let `{module}` use \
                     `{used}`: move the definition down, or pass a value or a trait in",
                    from.replace("::", "/"),
                ),
            );
        }
    }
    for (module, used) in unused {
        fault(
            format!("{module} → {used}"),
            format!("`{module}` doesn't use `{used}`: take it out of its row"),
        );
    }
    faults
}

/// A circle in the table itself would allow one in the code.
fn circle_in(table: &Table) -> Option<Circle> {
    let mut arrows = Arrows::new();
    for (module, may) in table {
        arrows.extend(may.iter().map(|used| ((module.clone(), used.clone()), 0)));
    }
    circles(&arrows).into_iter().next()
}

/// The crates of the workspace, read from disk.
fn crates() -> Vec<(String, Crate)> {
    let mut found = Vec::new();
    for manifest in files(&workspace().join("crates"), &["Cargo.toml"]) {
        let folder = manifest.parent().unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let source = folder.join("src");
        if !name.starts_with("chat-") || !source.is_dir() {
            continue;
        }
        let texts: Vec<(String, String)> = files(&source, &[".rs"])
            .iter()
            .map(|path| (path.strip_prefix(&source).unwrap().display().to_string(), read(path)))
            .collect();
        found.push((name.clone(), Crate::new(&name.replace('-', "_"), &texts)));
    }
    assert!(found.len() >= 5, "crates are missing");
    found
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let mut faults = Vec::new();
    for (name, krate) in crates() {
        let arrows = krate.arrows();
        for circle in circles(&arrows) {
            let (from, to) = &circle.import;
            faults.push(format!(
                "{name}: {}.rs:{} uses `{to}` and closes a circle: {circle}. Move what both need into a \
                 module of its own, or into their parent",
                from.replace("::", "/"),
                arrows[&circle.import],
            ));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn arrows_between_modules_are_those_of_the_table() {
    let page = read("docs/architecture.md");
    let mut faults = Vec::new();
    for (name, krate) in crates() {
        let Some(table) = table(&page, &name) else {
            faults.push(format!(
                "docs/architecture.md has no table of the modules of {name}: add it"
            ));
            continue;
        };
        if let Some(circle) = circle_in(&table) {
            faults
                .push(format!("docs/architecture.md: the table of {name} has a circle: {circle}"));
        }
        faults.extend(against(&table, &krate, &name).into_values());
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// A made-up crate with `above` over `below`, a folder with two files, and a facade.
fn made_up(changed: &[(&str, &str)]) -> Crate {
    let mut texts: BTreeMap<&str, &str> = BTreeMap::from([
        ("lib.rs", "pub mod above; mod below; mod folder;"),
        ("above.rs", "use crate::below::Low;\nuse crate::folder::{One, two::Two};"),
        ("below.rs", "pub struct Low;"),
        ("folder.rs", "mod one; pub mod two; pub use one::One; pub struct Shared;"),
        ("folder/one.rs", "use super::{Shared, two::Two};\nuse crate::below::Low; pub struct One;"),
        (
            "folder/two.rs",
            "use super::Shared; pub struct Two;\n#[cfg(test)] mod tests { use super::super::One; }",
        ),
    ]);
    texts.extend(changed.iter().copied());
    let texts: Vec<(String, String)> =
        texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Crate::new("made_up", &texts)
}

const MADE_UP: &str = "\
<!-- arrows: made-up -->
| module | does | may use |
|---|---|---|
| `above` | uses | `below` `folder` |
| `below` | is used | |
| `folder` | has files | `below` |
";

#[test]
fn a_crate_in_order_passes() {
    let krate = made_up(&[]);
    assert_eq!(circles(&krate.arrows()), []);
    let table = table(MADE_UP, "made-up").unwrap();
    assert_eq!(circle_in(&table), None);
    assert_eq!(against(&table, &krate, "made-up"), BTreeMap::new());
}

#[test]
fn one_arrow_turned_round_fails() {
    let table = table(MADE_UP, "made-up").unwrap();
    let turned = [
        ("below.rs", "use crate::above::Above; pub struct Low;"),
        ("below.rs", "pub struct Low;\nfn f() { crate::above::g() }"),
    ];
    for turn in turned {
        let krate = made_up(&[turn]);
        let circles: Vec<String> = circles(&krate.arrows()).iter().map(Circle::to_string).collect();
        assert!(circles.contains(&"below → above → below".to_owned()), "{turn:?}: {circles:?}");
        let faults = against(&table, &krate, "made-up");
        assert_eq!(faults.len(), 1, "{faults:?}");
        let sentence = &faults["made-up below → above"];
        assert!(sentence.contains("doesn't let `below` use `above`"), "{sentence}");
    }
    // Inside a folder, also by way of a re-export of the parent's.
    for import in ["use super::one::One;", "use super::One;", "use crate::folder::One as O;"] {
        let krate = made_up(&[("folder/two.rs", import)]);
        let circles: Vec<String> = circles(&krate.arrows()).iter().map(Circle::to_string).collect();
        let expected = "folder::two → folder::one → folder::two".to_owned();
        assert!(circles.contains(&expected), "{import}: {circles:?}");
    }
    // A file of a folder that uses what uses the folder.
    let krate = made_up(&[("below.rs", "use crate::folder::two::Two;"), ("folder/two.rs", "")]);
    assert_eq!(circles(&krate.arrows()).len(), 2);
}

#[test]
fn an_outdated_table_fails() {
    let page = MADE_UP.replace("| `below` | is used | |", "| `below` `gone` | is used | `above` |");
    let table = table(&page, "made-up").unwrap();
    assert!(circle_in(&table).is_some());
    let faults = against(&table, &made_up(&[("new.rs", "")]), "made-up");
    for fault in ["no row for the module `new`", "no module `gone`", "`below` doesn't use `above`"]
    {
        assert!(faults.values().any(|found| found.contains(fault)), "{fault}: {faults:?}");
    }
}
