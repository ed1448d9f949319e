//! Spare file descriptors, for work that must go on when all others are in use.

use std::fs::File;

/// Spare descriptors to give up when another file must be opened.
pub(crate) struct Spares {
    most: usize,
    files: Vec<File>,
}

impl Spares {
    pub(crate) fn new(most: usize) -> Self {
        let mut spares = Self { most, files: Vec::with_capacity(most) };
        spares.fill();
        spares
    }

    /// Opens missing spares, as far as possible.
    pub(crate) fn fill(&mut self) {
        while self.files.len() < self.most
            && let Ok(file) = File::open("/dev/null")
        {
            self.files.push(file);
        }
    }

    pub(crate) fn are_all(&self) -> bool {
        self.files.len() == self.most
    }

    /// Closes a spare. Returns `false` if none is left.
    pub(crate) fn give_one(&mut self) -> bool {
        self.files.pop().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_spare_is_opened_again() {
        let mut spares = Spares::new(2);
        assert!(spares.are_all());
        assert!(spares.give_one() && !spares.are_all());
        assert!(spares.give_one() && !spares.give_one());
        spares.fill();
        assert!(spares.are_all());
    }
}
