//! Opens files named on the command line or in the settings without ever blocking.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_setfl};

/// Opens a file. Refuses a named pipe, where a read would wait for the other end. An inherited
/// pipe, as in `--config <(command)`, has its other end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let kind = file.metadata()?.file_type();
    let is_inherited = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];
    let is_inherited = is_inherited.iter().any(|folder| path.starts_with(folder));
    if kind.is_dir() {
        Err(refused("it is a directory; give a file"))
    } else if file.is_terminal() {
        Err(refused("it is a terminal; give a file"))
    } else if kind.is_fifo() && !is_inherited {
        Err(refused("it is a named pipe; give a file"))
    } else {
        if kind.is_fifo() {
            fcntl_setfl(&file, OFlags::empty())?;
        }
        Ok(file)
    }
}

/// Reads a text of a bounded size, without a byte order mark.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused(&format!("it has more than {} KiB", most / 1024)));
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("it is no text in UTF-8"))?;
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs;
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::path::PathBuf;

    #[test]
    fn a_byte_order_mark_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        for (bytes, expected) in [
            (&b"hello\n"[..], Ok("hello\n")),
            (b"\xEF\xBB\xBFhello", Ok("hello")),
            (b"", Ok("")),
            (b"\xFF\xFEh\0", Err("UTF-8")),
            (&[b'x'; 1024], Ok(&*"x".repeat(1024))),
            (&[b'x'; 1025], Err("more than 1 KiB")),
        ] {
            fs::write(&path, bytes).unwrap();
            match (read_text(&path, 1024), expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (read, expected) => panic!("{read:?} is not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_pipe_without_a_writer_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for (path, words) in [
            (pipe, "named pipe"),
            (folder.path().to_owned(), "directory"),
            (PathBuf::from("/dev/zero"), "more than 1 KiB"),
            (folder.path().join("nowhere"), "No such file"),
        ] {
            let error = read_text(&path, 1024).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        assert_eq!(read_text(Path::new("/dev/null"), 1024).unwrap(), "");
    }

    #[test]
    fn an_inherited_pipe_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let writing = std::thread::spawn(move || {
            writer.write_all(b"one\n").unwrap();
            writer.write_all(b"two\n").unwrap();
        });
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        assert_eq!(read_text(&path, 1024).unwrap(), "one\ntwo\n");
        writing.join().unwrap();
    }
}
