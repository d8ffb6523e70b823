//! How far long work has come. In: what is done, and the whole where that is known. Out: a bar on standard error, if that is a terminal and
//! people read it; nothing anywhere else. When the work is over, the bar is gone.

use std::io::Read;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// So often it moves, whatever the work does.
const TICK: Duration = Duration::from_millis(100);
/// As letters that every terminal has.
const BAR: &str = "=> ";
const SPINNER: &str = "|/-\\ ";

/// What there is to do.
#[derive(Clone, Copy)]
pub enum Whole {
    /// So many of what is counted.
    Items(u64),
    /// So many bytes.
    Bytes(u64),
    /// Nobody knows how many.
    Open,
    /// One thing, which says nothing until it is done.
    One,
}

/// Work that is shown while it is done.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Work that begins, named in a word or two; `quiet`: nobody shall see it, for programs read.
    pub fn begin(task: &'static str, whole: Whole, quiet: bool) -> Self {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_finish(ProgressFinish::AndClear);
        let progress = Self { bar };
        progress.then(task, whole);
        if !progress.bar.is_hidden() {
            progress.bar.tick();
            progress.bar.enable_steady_tick(TICK);
        }
        progress
    }

    /// The next part of the same work begins.
    pub fn then(&self, task: &'static str, whole: Whole) {
        self.bar.reset();
        self.bar.set_style(whole.style());
        self.bar.set_message(task);
        match whole {
            Whole::Items(length) | Whole::Bytes(length) => self.bar.set_length(length),
            Whole::Open | Whole::One => self.bar.unset_length(),
        }
    }

    /// So much more is done.
    pub fn more(&self, done: u64) {
        self.bar.inc(done);
    }

    /// So much is done now.
    pub fn at(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// The whole turns out to be this.
    pub fn of(&self, whole: u64) {
        self.bar.set_length(whole);
    }

    /// A reader whose bytes count.
    pub fn reading<R: Read>(&self, from: R) -> impl Read + use<R> {
        self.bar.wrap_read(from)
    }
}

impl Whole {
    fn style(self) -> ProgressStyle {
        let template = match self {
            Self::Items(_) => "{msg} [{bar:30}] {human_pos}/{human_len}, {eta} left",
            Self::Bytes(_) => "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes}, {eta} left",
            Self::Open => "{spinner} {msg}: {human_pos} in {elapsed}",
            Self::One => "{spinner} {msg}: {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("a test makes each");
        style.progress_chars(BAR).tick_chars(SPINNER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_work_has_a_bar_and_programs_have_none() {
        for whole in [Whole::Items(3), Whole::Bytes(3), Whole::Open, Whole::One] {
            let progress = Progress::begin("working", whole, true);
            assert!(progress.bar.is_hidden());
            progress.more(2);
            assert_eq!(progress.bar.position(), 2);
        }
    }
}
