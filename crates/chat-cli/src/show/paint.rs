//! Colours. Without them every function gives its text back as it is.

use std::ops::Range;

use nu_ansi_term::{Color, Style};

use super::{Tone, mention};
use crate::sought::Sought;

/// Colours for speakers: readable on dark and on light, and none that means trouble.
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
        if self.colours { style.paint(text).to_string() } else { text.to_owned() }
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(super) fn refused(self, text: &str) -> String {
        self.with(Color::Red.normal(), text)
    }

    pub(super) fn told(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Quiet => self.faint(&format!("* {text}")),
            Tone::Normal => format!("{} {text}", self.with(Color::Blue.bold(), "*")),
            Tone::Calling => self.with(Color::Purple.bold(), &format!("* {text}")),
            Tone::Warning => self.with(Color::Yellow.bold(), &format!("* {text}")),
        }
    }

    /// `[#general]`, and louder `[@bob]`.
    pub(super) fn place(self, place: &str) -> String {
        let private = place.starts_with('@');
        let style = if private { Color::Purple.bold() } else { Style::new().dimmed() };
        self.with(style, &format!("[{place}]"))
    }

    /// Everybody has a colour, the same each day; oneself is bold.
    pub(super) fn speaker(self, name: &str, own: bool) -> String {
        let style = if own { Style::new().bold() } else { speaker_colour(name).normal() };
        self.with(style, name)
    }

    /// The text with every mention of `me` standing out.
    pub(super) fn mentions(self, text: &str, me: &str) -> String {
        self.marked(text, |rest| mention::first(rest, me))
    }

    /// The text with the words it was found by standing out.
    pub(super) fn sought(self, text: &str, words: &[Sought]) -> String {
        self.marked(text, |rest| Sought::first_of(words, rest))
    }

    fn marked(self, text: &str, next: impl Fn(&str) -> Option<Range<usize>>) -> String {
        let mut rest = text;
        let mut painted = String::with_capacity(text.len());
        while let Some(at) = next(rest).filter(|at| self.colours && !at.is_empty()) {
            painted.push_str(&rest[..at.start]);
            painted.push_str(&self.with(Color::Yellow.bold().reverse(), &rest[at.clone()]));
            rest = &rest[at.end..];
        }
        painted.push_str(rest);
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
