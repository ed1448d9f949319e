use std::os::unix::fs::symlink;

use super::*;

fn server(address: &str) -> ServerIdentity {
    ServerIdentity { address: address.into(), tls_name: None }
}

/// A store whose folder and parent folder don't exist yet.
fn token_store(in_folder: &Path) -> TokenStore {
    TokenStore::new(Some(in_folder.join("state/chat-cli")), server("here:5002"))
}

fn kept(token_store: &TokenStore, account: &str) -> Option<String> {
    token_store.load(account).unwrap().map(|token| token.expose().to_owned())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn tokens_are_stored_by_server_and_account() {
    let folder = tempfile::tempdir().unwrap();
    let here = token_store(folder.path());
    assert_eq!(kept(&here, "alice"), None);
    here.keep("Alice", &Secret::new("one")).unwrap();
    here.keep("bob", &Secret::new("two")).unwrap();
    here.keep("alice", &Secret::new("three")).unwrap();
    assert_eq!(kept(&here, "ALICE").as_deref(), Some("three"), "names have no case");
    assert_eq!(kept(&here, "bob").as_deref(), Some("two"));
    let there = TokenStore { server: server("there:5002"), ..here.clone() };
    assert_eq!(kept(&there, "alice"), None);
    let by_name =
        ServerIdentity { tls_name: Some("chat.example.org".into()), ..here.server.clone() };
    let by_name = TokenStore { server: by_name, ..here.clone() };
    assert_eq!(kept(&by_name, "alice"), None);
    by_name.keep("alice", &Secret::new("four")).unwrap();
    assert_eq!(kept(&by_name, "alice").as_deref(), Some("four"));
    assert_eq!(kept(&here, "alice").as_deref(), Some("three"));
    let all = |token_store: &TokenStore| -> Vec<_> {
        let all = token_store.all().into_iter().map(Result::unwrap);
        all.map(|(account, token)| format!("{account} {}", token.expose())).collect()
    };
    assert_eq!(all(&here), ["alice three", "bob two"]);
    assert_eq!(all(&by_name), ["alice four"]);
    assert!(all(&there).is_empty());
}

#[test]
fn only_their_owner_may_read_them() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    token_store.keep("alice", &Secret::new("one")).unwrap();
    let path = token_store.path("alice").unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    for wide in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
        let why = token_store.load("alice").unwrap_err();
        assert!(why.contains(&format!("its mode is {wide:04o}")), "{why}");
        assert!(why.contains(&format!("chmod 600 {}", path.display())), "{why}");
        assert!(matches!(token_store.all().as_slice(), [Err(output)] if *output == why));
    }
    // A new file has the right mode, and so has the folder.
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    token_store.keep("alice", &Secret::new("two")).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(kept(&token_store, "alice").as_deref(), Some("two"));
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left lying about: {left:?}");
}

#[test]
fn invalid_tokens_are_removed_and_newer_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    token_store.forget("alice", None).unwrap();
    token_store.keep("alice", &Secret::new("new")).unwrap();
    token_store.forget("alice", Some(&Secret::new("old"))).unwrap();
    assert_eq!(kept(&token_store, "alice").as_deref(), Some("new"));
    token_store.forget("alice", Some(&Secret::new("new"))).unwrap();
    assert_eq!(kept(&token_store, "alice"), None);
    token_store.keep("alice", &Secret::new("more")).unwrap();
    token_store.forget("alice", None).unwrap();
    assert_eq!(kept(&token_store, "alice"), None);
}

#[test]
fn other_files_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let token_store = token_store(folder.path());
    token_store.keep("alice", &Secret::new("one")).unwrap();
    let path = token_store.path("alice").unwrap();
    let bob = token_store.path("bob").unwrap();
    fs::rename(&path, &bob).unwrap();
    assert_eq!(kept(&token_store, "bob"), None, "it says whose it is");
    symlink(&bob, &path).unwrap();
    assert!(token_store.load("alice").is_err(), "a link is not followed");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(token_store.load("alice").unwrap_err().contains("is a folder"));
    fs::remove_dir(&path).unwrap();
    let mut file =
        OpenOptions::new().mode(0o600).create(true).truncate(true).write(true).open(&path).unwrap();
    file.write_all(b"no json").unwrap();
    assert_eq!(kept(&token_store, "alice"), None);
}

#[test]
fn without_a_folder_nothing_is_stored() {
    let nowhere = TokenStore::new(None, server("here:5002"));
    nowhere.keep("alice", &Secret::new("one")).unwrap();
    assert_eq!(kept(&nowhere, "alice"), None);
    nowhere.forget("alice", None).unwrap();
    let impossible = TokenStore::new(Some("/dev/null/chat-cli".into()), server("here:5002"));
    let why = impossible.keep("alice", &Secret::new("one")).unwrap_err();
    assert!(why.contains("/dev/null/chat-cli"), "{why}");
}

#[test]
fn tokens_are_stored_in_the_state_folder() {
    let path = |path: &str| Some(PathBuf::from(path));
    for (state, home, folder) in [
        (path("/s"), path("/h"), path("/s/chat-cli")),
        (path("relative"), path("/h"), path("/h/.local/state/chat-cli")),
        (path(""), path("/h"), path("/h/.local/state/chat-cli")),
        (None, path("/h"), path("/h/.local/state/chat-cli")),
        (None, path(""), None),
        (None, None, None),
    ] {
        assert_eq!(folder_in(state, home), folder);
    }
}
