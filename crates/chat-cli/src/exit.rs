//! Why the client ends, and by which code whoever started it knows that.

/// Whether a refusal at the door, `code: sentence` before anything was asked, may pass by itself; any other holds for
/// whoever comes again as well.
pub(crate) fn passes_at_door(told: &str) -> bool {
    let code = told.split_once(':').map_or(told, |(code, _)| code);
    matches!(code, "server-full" | "unavailable")
}

/// Why the client leaves.
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
