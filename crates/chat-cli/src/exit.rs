//! How the client ends, and its exit code.

/// Whether a refusal of the connection itself, `code: sentence`, is temporary. Any other is
/// repeated at each attempt.
pub(crate) fn is_temporary_refusal(refusal: &str) -> bool {
    let code = refusal.split_once(':').map_or(refusal, |(code, _)| code);
    matches!(code, "server-full" | "unavailable")
}

/// How the client ended.
#[derive(Debug)]
pub(crate) struct ClientExit {
    pub(crate) cause: ExitCause,
    /// The reason, unless it was already shown.
    pub(crate) why: Option<String>,
}

/// What ended the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCause {
    Exit(Exit),
    /// The number of a signal.
    Signal(u8),
}

/// Why the client exits, other than by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was sent and acknowledged.
    Done,
    /// The server refused something.
    Refused,
    /// The server can't be reached, or the connection was lost.
    Lost,
    /// The name needs a password or token, and none of those given is right.
    NotSignedIn,
    /// The timeout expired.
    TimedOut,
    /// The input had a line that can't be sent.
    BadInput,
}

impl Exit {
    /// The exit code. Code 2 means invalid arguments.
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
