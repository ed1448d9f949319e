//! Colours. Without them every function returns its text unchanged.

use std::ops::Range;

use nu_ansi_term::{Color, Style};

use super::Tone;
use crate::highlight::Highlight;
use crate::mention;

/// Colours of speakers: readable on dark and light backgrounds, and distinct from warnings.
const SPEAKERS: &[Color] = &[
    Color::Cyan,
    Color::Green,
    Color::Yellow,
    Color::Blue,
    Color::Purple,
    Color::LightCyan,
    Color::LightGreen,
    Color::LightBlue,
    Color::LightPurple,
];

#[derive(Clone, Copy)]
pub(super) struct Paint {
    pub(super) colours: bool,
}

impl Paint {
    fn with(self, style: Style, text: &str) -> String {
        let bare = !self.colours || text.is_empty();
        if bare { text.to_owned() } else { style.paint(text).to_string() }
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(super) fn refused(self, text: &str) -> String {
        self.with(Color::Red.normal(), text)
    }

    pub(super) fn sentence(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Quiet => self.faint(&format!("* {text}")),
            Tone::Normal => format!("{} {text}", self.with(Color::Blue.bold(), "*")),
            Tone::Calling => self.with(Color::Purple.bold(), &format!("* {text}")),
            Tone::Warning => self.with(Color::Yellow.bold(), &format!("* {text}")),
        }
    }

    /// `[#general]`, and more prominent `[@bob]`.
    pub(super) fn place(self, place: &str) -> String {
        let private = place.starts_with('@');
        let style = if private { Color::Purple.bold() } else { Style::new().dimmed() };
        self.with(style, &format!("[{place}]"))
    }

    /// Each speaker has a fixed colour; the user's own name is bold.
    pub(super) fn speaker(self, name: &str, own: bool) -> String {
        let style = if own { Style::new().bold() } else { speaker_colour(name).normal() };
        self.with(style, name)
    }

    /// A text addressed to the user: bold, with every mention of `me` highlighted.
    pub(super) fn calling(self, text: &str, me: Option<&str>) -> String {
        let mention = |rest: &str| me.and_then(|me| mention::first(rest, me));
        self.marked(text, Style::new().bold(), mention)
    }

    /// The text with the matched words highlighted.
    pub(super) fn sought(self, text: &str, words: &[Highlight]) -> String {
        self.marked(text, Style::new(), |rest| Highlight::first_of(words, rest))
    }

    fn marked(
        self,
        text: &str,
        around: Style,
        next: impl Fn(&str) -> Option<Range<usize>>,
    ) -> String {
        let mut rest = text;
        let mut painted = String::with_capacity(text.len());
        while let Some(at) = next(rest).filter(|at| self.colours && !at.is_empty()) {
            painted.push_str(&self.with(around, &rest[..at.start]));
            painted.push_str(&self.with(Color::Yellow.bold().reverse(), &rest[at.clone()]));
            rest = &rest[at.end..];
        }
        painted.push_str(&self.with(around, rest));
        painted
    }
}

fn speaker_colour(name: &str) -> Color {
    // FNV-1a: the same name has the same colour in every run, which std's hasher doesn't promise.
    let hash = name
        .chars()
        .flat_map(char::to_lowercase)
        .fold(0x811c_9dc5_u32, |hash, c| (hash ^ u32::from(c)).wrapping_mul(0x0100_0193));
    let at = usize::try_from(hash).unwrap_or(0) % SPEAKERS.len();
    SPEAKERS[at]
}
