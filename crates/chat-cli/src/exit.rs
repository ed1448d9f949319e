//! How the client ends, and its exit code.

/// Whether a refusal of the connection itself, `code: sentence`, is temporary. Any other is
/// repeated at each attempt.
pub(crate) fn is_temporary_refusal(told: &str) -> bool {
    let code = told.split_once(':').map_or(told, |(code, _)| code);
    matches!(code, "server-full" | "unavailable")
}

/// How the client ended.
#[derive(Debug)]
pub(crate) struct ClientExit {
    pub(crate) cause: ExitCause,
    /// The reason, unless it was shown already.
    pub(crate) why: Option<String>,
}

/// What ended the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCause {
    Exit(Exit),
    /// The number of a signal.
    Signal(u8),
}

/// Why the client ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was sent and answered.
    Done,
    /// The server refused something.
    Refused,
    /// The server can't be reached, or was lost.
    Lost,
    /// The name needs a password or token, and none that was given is right.
    NotSignedIn,
    /// The time for it ran out.
    TimedOut,
    /// The input had a line that can't be said.
    BadInput,
}

impl Exit {
    /// The exit code. 2 is wrong use of the command line.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Lost => 3,
            Self::NotSignedIn => 4,
            Self::TimedOut => 5,
            Self::BadInput => 6,
        }
    }
}
