//! Paths of the built programs.

use std::path::{Path, PathBuf};

/// The path of a program of this workspace, in the profile of the running test.
///
/// Cargo provides such paths only to tests of the program's own package, so the program is looked
/// up beside the test executable (`target/PROFILE/deps/TEST`).
pub fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let profile = test.parent().and_then(Path::parent).expect("it lies in target/PROFILE/deps");
    let program = profile.join(name);
    assert!(
        program.is_file(),
        "{} is not built yet: run tests/run, or `cargo build --bins` before `cargo test`",
        program.display()
    );
    program
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("crates/chat-testkit lies two folders below")
}
