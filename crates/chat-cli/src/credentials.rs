//! Credentials from the command line, the environment and the token store.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};

use crate::args::ClientArgs;
use crate::identity::SignInCredential;
use crate::proto::Secret;
use crate::tokens::{must_be_private, text_of};

/// The environment variable of a token.
const VARIABLE: &str = "CHAT_TOKEN";

/// The credentials given, best first: a token costs the server nothing, a password is hashed
/// slowly. The error is for the user to read.
pub(crate) fn given(args: &ClientArgs) -> Result<Vec<SignInCredential>, String> {
    let mut given = Vec::new();
    if let Some(path) = &args.token_file {
        given.push(SignInCredential::token(first_line("token", path)?.expose()));
    } else if let Some(token) = env::var_os(VARIABLE).filter(|token| !token.is_empty()) {
        let token = token.into_string().map_err(|_| format!("{VARIABLE} isn't UTF-8"))?;
        given.push(SignInCredential::token(
            one_word(&token).ok_or(format!("{VARIABLE} is no token"))?,
        ));
    }
    if let Some(path) = &args.password_file {
        given.push(SignInCredential::Password(first_line("password", path)?));
    }
    Ok(given)
}

/// The first line of a file, which is all of it.
fn first_line(what: &str, path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let file = open(path).map_err(|error| format!("the {what} file {shown}: {error}"))?;
    must_be_private(path, &file).map_err(|why| format!("the {what} file is not used: {why}"))?;
    let text = text_of(file).map_err(|error| format!("the {what} file {shown}: {error}"))?;
    let mut lines = text.expose().lines().filter(|line| !line.trim().is_empty());
    match (lines.next(), lines.next()) {
        (Some(line), None) if what == "password" || one_word(line).is_some() => {
            Ok(Secret::new(line.trim()))
        }
        (None, _) => Err(format!("the {what} file {shown} is empty")),
        _ => Err(format!("the {what} file {shown} has to hold the {what} and nothing else")),
    }
}

/// Doesn't block on a named pipe without a writer. An inherited pipe, as in `--token-file
/// <(command)`, has a writer.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        if !["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|at| path.starts_with(at)) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is a named pipe"));
        }
        fcntl_setfl(&file, OFlags::empty())?;
    }
    Ok(file)
}

fn one_word(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(text)
}
