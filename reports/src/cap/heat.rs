//! The pictures of the CAP report: a block of squares for each fault and each N, pale where all is well and dark where not.
//!
//! ```text
//!              no fault        minority cut off   majority split  ...
//!              one quo all     one quo all
//!   N = 3  one  ▢   ▢   ▢       ▦   ▦   ▢          rows: R, or reads and writes by side; columns: W, or the level
//!          quo  ▢   ▣   ▣       ▦   ▣   ▣          a frame: R + W > N, where theory forbids stale reads
//!          all  ▣   ▣   ▣       ▣   ▣   ▣          blue: not once; grey: nothing to count; !: contradicts theory
//! ```
//!
//! Brightness alone carries the meaning, so that neither a colour-blind reader nor a printer loses it; every square says its
//! figure, and its interval to a pointer that rests on it.

use maud::{Markup, html};

use super::figures::{BySide, CellFigures, figures, figures_together};
use super::sentences::{interval, percent};
use super::{CapCell, CapFacts, CapFault};
use crate::numbers::{count, duration};
use crate::statistics::{Median, Share};

const SQUARE_WIDE: u32 = 42;
const SQUARE_HIGH: u32 = 26;
const GAP: u32 = 8;
const LEFT: u32 = 100;
const HEAD: u32 = 92;
const BETWEEN: u32 = 30;
const FOOT: u32 = 46;

/// Never, or nothing to count.
const NEVER: &str = "#dcebf5";
const NOTHING: &str = "#ececec";
/// From hardly ever to always.
const STOPS: [(u8, u8, u8); 5] = [(253, 243, 225), (253, 201, 138), (240, 140, 60), (184, 67, 31), (95, 15, 20)];

const LEVELS: [&str; 3] = ["one", "quorum", "all"];

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Operations without an answer, by level and side.
    Unanswered,
    /// Stale reads, by R and W.
    Stale,
    /// Acknowledged writes that were lost, by R and W.
    Lost,
    /// The 99th percentile of latency, by level.
    Latency,
}

impl Picture {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Unanswered, Self::Stale, Self::Lost, Self::Latency];

    /// The name of its file.
    pub fn file(self) -> &'static str {
        match self {
            Self::Unanswered => "cap-unanswered.svg",
            Self::Stale => "cap-stale.svg",
            Self::Lost => "cap-lost.svg",
            Self::Latency => "cap-latency.svg",
        }
    }

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Unanswered => "Who gets no answer",
            Self::Stale => "Who is told old news",
            Self::Lost => "What is forgotten",
            Self::Latency => "What it costs in time",
        }
    }

    /// What is to be seen on it.
    pub fn caption(self) -> &'static str {
        match self {
            Self::Unanswered => {
                "Share of operations without an answer while the fault is in force, by level of the operation. Struck: asked \
                 through a node on the minority side, or through the slow or crashing one. What strikes all nodes alike has no \
                 such row."
            }
            Self::Stale => {
                "Share of reads that returned what had been superseded before they began. Rows are R, columns are W; framed \
                 where R + W > N: there theory allows none while clocks are in step."
            }
            Self::Lost => {
                "Acknowledged writes that are gone after everything has healed, of those that nothing later replaced. Rows \
                 are R, columns are W; framed where R + W > N."
            }
            Self::Latency => {
                "99th percentile of the time to an answer, while the fault is in force, of the median run."
            }
        }
    }
}

/// One square.
struct Square {
    label: String,
    title: String,
    /// From 0 (well) to 1 (not); `None` where there is nothing to count.
    shade: Option<f64>,
    framed: bool,
    flagged: bool,
}

/// The picture as SVG.
pub fn cap_svg(facts: &CapFacts, picture: Picture) -> String {
    drawing(facts, picture).into_string()
}

/// The picture as markup, for a page.
pub(super) fn drawing(facts: &CapFacts, picture: Picture) -> Markup {
    let rows = row_names(picture);
    let mut sizes: Vec<u64> = facts.cells.iter().map(|cell| cell.nodes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let band = SQUARE_HIGH * rows.len() as u32 + BETWEEN;
    let block = SQUARE_WIDE * LEVELS.len() as u32 + GAP;
    let (width, height) = (LEFT + block * facts.faults.len() as u32, HEAD + band * sizes.len() as u32 + FOOT);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox=(format!("0 0 {width} {height}"))
            font-family="system-ui,Segoe UI,Helvetica,Arial,sans-serif" font-size="12" fill="#222" role="img" aria-label=(picture.title()) {
            rect width=(width) height=(height) fill="#fff" {}
            text x="0" y="18" font-size="16" font-weight="600" { (picture.title()) }
            text x="0" y="37" fill="#5b6066" { (axes(picture)) }
            @for (place, fault) in (0..).zip(&facts.faults) {
                @let left = LEFT + place * block;
                text x=(left) y=(HEAD - 22) font-weight="600" { (fault.title) }
                @for (column, level) in (0..).zip(LEVELS) {
                    text x=(left + column * SQUARE_WIDE + SQUARE_WIDE / 2) y=(HEAD - 6) text-anchor="middle" font-size="11" { (level) }
                }
                @for (size_place, nodes) in (0..).zip(&sizes) {
                    (squares(&block_of(facts, picture, fault, *nodes), left, HEAD + size_place * band))
                }
            }
            @for (size_place, nodes) in (0..).zip(&sizes) {
                @let top = HEAD + size_place * band;
                text x=(LEFT - 8) y=(top - 6) text-anchor="end" font-weight="600" { "N = " (nodes) }
                @for (row, name) in (0..).zip(&rows) {
                    text x=(LEFT - 8) y=(top + row * SQUARE_HIGH + 17) text-anchor="end" font-size="11" { (name) }
                }
            }
            (scale(picture, height - FOOT + 14))
        }
    }
}

fn axes(picture: Picture) -> &'static str {
    match picture {
        Picture::Unanswered => "without an answer, by level of the operation (columns)",
        Picture::Stale => "stale reads, by R (rows) and W (columns); framed: R + W > N",
        Picture::Lost => "acknowledged writes that were lost, by R (rows) and W (columns)",
        Picture::Latency => "99th percentile, by level of the operation (columns)",
    }
}

fn row_names(picture: Picture) -> Vec<&'static str> {
    match picture {
        Picture::Unanswered => vec!["reads, struck", "reads, others", "writes, struck", "writes, others"],
        Picture::Stale | Picture::Lost => vec!["R one", "R quorum", "R all"],
        Picture::Latency => vec!["reads", "writes"],
    }
}

/// Rows of squares.
fn block_of(facts: &CapFacts, picture: Picture, fault: &CapFault, nodes: u64) -> Vec<Vec<Square>> {
    let cells = || facts.cells.iter().filter(|cell| cell.nodes == nodes && cell.fault == fault.key);
    let of_levels = |read: Option<&str>, write: Option<&str>| {
        let fits = |cell: &&CapCell| {
            read.is_none_or(|read| cell.read == read) && write.is_none_or(|write| cell.write == write)
        };
        cells().filter(fits).collect::<Vec<&CapCell>>()
    };
    match picture {
        Picture::Stale | Picture::Lost => LEVELS
            .iter()
            .map(|read| {
                let square = |write: &&str| match of_levels(Some(read), Some(write)).first() {
                    Some(cell) => square_of(picture, cell),
                    None => nothing(),
                };
                LEVELS.iter().map(square).collect()
            })
            .collect(),
        Picture::Unanswered | Picture::Latency => {
            let reads: Vec<Option<CellFigures>> =
                LEVELS.iter().map(|level| figures_together(&of_levels(Some(level), None))).collect();
            let writes: Vec<Option<CellFigures>> =
                LEVELS.iter().map(|level| figures_together(&of_levels(None, Some(level)))).collect();
            let row = |figures: &[Option<CellFigures>], of: &dyn Fn(&CellFigures) -> Square| {
                figures.iter().map(|figures| figures.as_ref().map_or_else(nothing, of)).collect::<Vec<Square>>()
            };
            if picture == Picture::Latency {
                return vec![
                    row(&reads, &|figures| latency_square("reads", figures.read_p99.as_ref())),
                    row(&writes, &|figures| latency_square("writes", figures.write_p99.as_ref())),
                ];
            }
            let strikes_some = !fault.struck.is_empty();
            let struck = |share: &Option<Share>| if strikes_some { unanswered_square(share.as_ref()) } else { blank() };
            let others = |sides: &BySide| {
                unanswered_square(if strikes_some { sides.others.as_ref() } else { sides.all.as_ref() })
            };
            vec![
                row(&reads, &|figures| struck(&figures.reads.struck)),
                row(&reads, &|figures| others(&figures.reads)),
                row(&writes, &|figures| struck(&figures.writes.struck)),
                row(&writes, &|figures| others(&figures.writes)),
            ]
        }
    }
}

/// No square at all: the fault strikes everybody alike, and is shown in the rows of the others.
fn blank() -> Square {
    Square { title: String::new(), ..nothing() }
}

fn nothing() -> Square {
    Square { label: String::new(), title: "nothing to count".to_string(), shade: None, framed: false, flagged: false }
}

fn square_of(picture: Picture, cell: &CapCell) -> Square {
    let figures = figures(cell);
    let share = if picture == Picture::Stale { &figures.stale } else { &figures.lost };
    let Some(share) = share else { return Square { framed: cell.quorums_meet(), ..nothing() } };
    let what = if picture == Picture::Stale { "stale" } else { "lost" };
    let title = format!("{}: {} of {} {what} ({})", cell.key, count(share.part), count(share.whole), interval(share));
    Square {
        label: short_percent(share.value),
        title,
        shade: Some(share.value),
        framed: cell.quorums_meet(),
        flagged: picture == Picture::Stale && cell.contradicts(),
    }
}

fn unanswered_square(share: Option<&Share>) -> Square {
    let Some(share) = share else { return nothing() };
    let missing = 1.0 - share.value;
    let title = format!(
        "{} without an answer (95%: {:.1}% to {:.1}%), {} of {} answered",
        percent(missing),
        (1.0 - share.high) * 100.0,
        (1.0 - share.low) * 100.0,
        count(share.part),
        count(share.whole)
    );
    // Rounding in the mean of several nodes is no operation without an answer.
    let shade = if share.part == share.whole { 0.0 } else { missing };
    Square { label: short_percent(shade), title, shade: Some(shade), framed: false, flagged: false }
}

fn latency_square(what: &str, median: Option<&Median>) -> Square {
    let Some(median) = median else { return nothing() };
    let title = match median.interval {
        Some((low, high)) => {
            format!("p99 of {what}: {} (95%: {} to {})", duration(median.value), duration(low), duration(high))
        }
        None => format!("p99 of {what}: {}", duration(median.value)),
    };
    // From a millisecond to a second, by the number of doublings.
    let doublings = (1..).take_while(|power| (1_000_u64 << power) <= median.value).count() as f64;
    let place = (doublings / 10.0).clamp(0.1, 1.0);
    // Squared, since the scale of colours takes the root of shares.
    Square { label: short_duration(median.value), title, shade: Some(place * place), framed: false, flagged: false }
}

/// A duration that fits into a square.
fn short_duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..9_950 => format!("{}.{} ms", (micros + 50) / 1_000, (micros + 50) / 100 % 10),
        9_950..999_500 => format!("{} ms", (micros + 500) / 1_000),
        _ => format!("{}.{} s", (micros + 50_000) / 1_000_000, (micros + 50_000) / 100_000 % 10),
    }
}

fn short_percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent <= 0.0 => "0".to_string(),
        percent if percent < 0.1 => "<0.1%".to_string(),
        percent if percent < 9.95 => format!("{percent:.1}%"),
        percent if percent < 100.0 => format!("{:.0}%", percent.min(99.0)),
        _ => "100%".to_string(),
    }
}

fn squares(rows: &[Vec<Square>], left: u32, top: u32) -> Markup {
    html! {
        @for (row, squares) in (0..).zip(rows) {
            @for (column, square) in (0..).zip(squares).filter(|(_, square)| !square.title.is_empty()) {
                @let (x, y) = (left + column * SQUARE_WIDE, top + row * SQUARE_HIGH);
                g {
                    title { (square.title) }
                    rect x=(x) y=(y) width=(SQUARE_WIDE - 1) height=(SQUARE_HIGH - 1) fill=(colour(square.shade)) {}
                    text x=(x + SQUARE_WIDE / 2) y=(y + 17) text-anchor="middle" font-size=(font_size(&square.label)) fill=(ink(square.shade)) {
                        (square.label)
                    }
                    @if square.framed {
                        rect x=(x + 1) y=(y + 1) width=(SQUARE_WIDE - 3) height=(SQUARE_HIGH - 3) fill="none" stroke="#222" stroke-width="1.5" {}
                    }
                    @if square.flagged {
                        text x=(x + SQUARE_WIDE - 9) y=(y + 12) font-weight="700" font-size="13" fill="#cc006e" { "!" }
                    }
                }
            }
        }
    }
}

/// Pixels of a label's letters, so that it fits.
fn font_size(label: &str) -> u32 {
    if label.chars().count() > 5 { 10 } else { 11 }
}

fn colour(shade: Option<f64>) -> String {
    let Some(shade) = shade else { return NOTHING.to_string() };
    if shade <= 0.0 {
        return NEVER.to_string();
    }
    // The square root, so that one in a hundred differs from one in a thousand.
    let place = shade.min(1.0).sqrt() * (STOPS.len() - 1) as f64;
    let below = (place.floor() as usize).min(STOPS.len() - 2);
    let (one, other, share) = (STOPS[below], STOPS[below + 1], place - below as f64);
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(one.0, other.0), mix(one.1, other.1), mix(one.2, other.2))
}

/// Light on dark, dark on light.
fn ink(shade: Option<f64>) -> &'static str {
    if shade.is_some_and(|shade| shade > 0.4) { "#fff" } else { "#222" }
}

fn scale(picture: Picture, top: u32) -> Markup {
    let entries: Vec<(Option<f64>, &str)> = match picture {
        Picture::Latency => vec![
            (Some(0.01), "1 ms"),
            (Some(0.11), "10 ms"),
            (Some(0.44), "100 ms"),
            (Some(1.0), "1 s"),
            (None, "no answer"),
        ],
        _ => vec![
            (Some(0.0), "not once"),
            (Some(0.001), "0.1%"),
            (Some(0.01), "1%"),
            (Some(0.1), "10%"),
            (Some(0.33), "33%"),
            (Some(1.0), "100%"),
            (None, "nothing to count"),
        ],
    };
    html! {
        @for (place, (shade, name)) in (0..).zip(entries) {
            @let x = LEFT + place * 104;
            rect x=(x) y=(top) width="18" height="14" fill=(colour(shade)) stroke="#9aa0a6" stroke-width="0.5" {}
            text x=(x + 24) y=(top + 12) { (name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_it_is_the_darker_it_is() {
        let brightness = |shade: f64| {
            let colour = colour(Some(shade));
            let part = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("a colour"));
            0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
        };
        let shades = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0].map(brightness);
        assert!(shades.windows(2).all(|pair| pair[0] > pair[1] + 1.0), "{shades:?}");
    }

    #[test]
    fn a_duration_in_a_square_is_rounded_and_short() {
        let told = [7, 999, 1_000, 8_694, 9_949, 9_950, 402_499, 999_500, 1_249_000].map(short_duration);
        assert_eq!(told, ["7 µs", "999 µs", "1.0 ms", "8.7 ms", "9.9 ms", "10 ms", "402 ms", "1.0 s", "1.2 s"]);
    }

    #[test]
    fn a_square_says_none_only_of_none_and_all_only_of_all() {
        assert_eq!(
            [0.0, 1e-6, 0.02, 0.5, 0.9999, 1.0].map(short_percent),
            ["0", "<0.1%", "2.0%", "50%", "99%", "100%"]
        );
    }
}
