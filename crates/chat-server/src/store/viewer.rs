//! The viewer of lines.

/// The viewer of lines.
#[derive(Clone, Copy, Debug)]
pub struct Viewer<'a> {
    /// Number of the account.
    pub user_id: u64,
    /// Ignored names (folded).
    pub hidden: &'a [String],
    /// Ignored accounts.
    pub hidden_accounts: &'a [u64],
    /// Folds a name.
    pub fold: fn(&str) -> String,
}

impl Viewer<'_> {
    /// Whether no author is ignored.
    pub(super) fn sees_all(&self) -> bool {
        self.hidden.is_empty() && self.hidden_accounts.is_empty()
    }

    pub(super) fn is_hidden(&self, author: &str, account: Option<u64>) -> bool {
        account.is_some_and(|account| self.hidden_accounts.contains(&account))
            || !self.hidden.is_empty() && self.hidden.contains(&(self.fold)(author))
    }
}
