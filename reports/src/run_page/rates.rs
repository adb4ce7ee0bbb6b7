//! Rates over time: operations a second by outcome, the share that was answered, and how long that took.
//!
//! ```text
//!   320/s  ▐▐▐▐▐▐▐▐▐▐   stacked: ok, unknown, fail        100%  ▔▔▔╲__╱▔▔▔   ok of all that ended
//!   0      ▐▐▐▐▐▐▐▐▐▐                                     0%
//!   1 s    ___╱╲______   p99 and median, logarithmic; a gap where nothing was acknowledged
//! ```

use std::fmt::Write;

use maud::{Markup, html};

use super::timeline::{Track, add_box, shades};
use crate::band::Lane as FaultLane;
use crate::facts::{BucketFact, RunFacts};
use crate::numbers::{count, duration};

const HEIGHT: u32 = 96;
/// Pixels kept free above and below, so that names of the scale fit.
const MARGIN: u32 = 8;
const INSIDE: u32 = HEIGHT - 2 * MARGIN;

/// The three tracks; none when nothing was counted.
pub(super) fn tracks(facts: &RunFacts, faults: &[FaultLane], axis: u64) -> Vec<Track> {
    if facts.throughput.is_empty() {
        return Vec::new();
    }
    let under = |picture: Markup| html! { (shades(faults, HEIGHT)) (picture) };
    let track = |key, (names, picture)| Track { key, height: HEIGHT, names, picture: under(picture), above: html! {} };
    vec![
        track("throughput", throughput(facts)),
        track("availability", availability(facts)),
        track("latency", latency(facts, axis)),
    ]
}

/// The name of a chart and of places on its scale, each given by its height in pixels from the top.
fn names(title: &str, places: &[(f64, String)]) -> Markup {
    html! {
        div.title { (title) }
        @for (top, name) in places { span.scale style=(format!("top:{:.0}px", top - 6.0)) { (name) } }
    }
}

/// The pixel of a share of the scale, from the bottom.
fn pixel(share: f64) -> f64 {
    f64::from(MARGIN) + (1.0 - share.clamp(0.0, 1.0)) * f64::from(INSIDE)
}

fn total(bucket: &BucketFact) -> u64 {
    bucket.ok + bucket.unknown + bucket.fail
}

fn throughput(facts: &RunFacts) -> (Markup, Markup) {
    let most = facts.throughput.iter().map(total).max().unwrap_or(0).max(1);
    let mut paths = [String::new(), String::new(), String::new()];
    for bucket in &facts.throughput {
        let span = (bucket.at_micros, bucket.at_micros.saturating_add(facts.bucket_micros));
        let mut below = 0;
        for (path, operations) in paths.iter_mut().zip([bucket.ok, bucket.unknown, bucket.fail]) {
            if operations > 0 {
                let top = pixel((below + operations) as f64 / most as f64).round() as u32;
                let bottom = pixel(below as f64 / most as f64).round() as u32;
                add_box(path, span, top, bottom.saturating_sub(top).max(1));
            }
            below += operations;
        }
    }
    let per_second = u128::from(most) * 1_000_000 / u128::from(facts.bucket_micros.max(1));
    let per_second = count(u64::try_from(per_second).unwrap_or(u64::MAX));
    let places = [(pixel(1.0), format!("{per_second}/s")), (pixel(0.0), "0".to_string())];
    let picture = html! {
        @for (class, path) in ["bar ok", "bar unknown", "bar fail"].iter().zip(&paths) { path class=(class) d=(path) {} }
    };
    (names("operations", &places), picture)
}

fn availability(facts: &RunFacts) -> (Markup, Markup) {
    let mut path = String::new();
    for stretch in facts.throughput.split(|bucket| total(bucket) == 0) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { continue };
        let _ = write!(path, "M{} {}", first.at_micros, HEIGHT - MARGIN);
        for bucket in stretch {
            let top = pixel(bucket.ok as f64 / total(bucket) as f64);
            let until = bucket.at_micros.saturating_add(facts.bucket_micros);
            let _ = write!(path, "L{} {top:.1}L{until} {top:.1}", bucket.at_micros);
        }
        let _ = write!(path, "L{} {}z", last.at_micros.saturating_add(facts.bucket_micros), HEIGHT - MARGIN);
    }
    let places = [(pixel(1.0), "100%"), (pixel(0.5), "50%"), (pixel(0.0), "0%")];
    (names("answered", &places.map(|(top, name)| (top, name.to_string()))), html! { path.share d=(path) {} })
}

fn latency(facts: &RunFacts, axis: u64) -> (Markup, Markup) {
    let seen = facts.throughput.iter().flat_map(|bucket| [bucket.p50_micros, bucket.p99_micros]).flatten();
    let (low, high) = seen.fold((u64::MAX, 1), |(low, high), micros| (low.min(micros), high.max(micros)));
    // Whole powers of ten around what was seen.
    let mut powers = vec![1_u64];
    while powers[0].saturating_mul(10) <= low.min(high) {
        powers[0] *= 10;
    }
    while powers[powers.len() - 1] < high || powers.len() < 2 {
        powers.push(powers[powers.len() - 1].saturating_mul(10));
    }
    let decades = (powers.len() - 1) as f64;
    let share = |micros: u64| {
        // The logarithm, interpolated within its decade: close enough for a pixel, and the same on every machine.
        let below = powers.iter().take_while(|power| **power <= micros).count().clamp(1, powers.len() - 1);
        let within = (micros as f64 / powers[below - 1] as f64).max(1.0);
        ((below - 1) as f64 + log10(within)) / decades
    };
    let line = |of: fn(&BucketFact) -> Option<u64>| {
        let mut path = String::new();
        for stretch in facts.throughput.split(|bucket| of(bucket).is_none()) {
            for (place, bucket) in stretch.iter().enumerate() {
                let middle = bucket.at_micros.saturating_add(facts.bucket_micros / 2);
                let letter = if place == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{middle} {:.1}", pixel(share(of(bucket).unwrap_or(1).max(1))));
            }
            if stretch.len() == 1 {
                let _ = write!(path, "h{}", facts.bucket_micros / 4);
            }
        }
        path
    };
    let short = |micros: u64| duration(micros).replace(".00 ", " ").replace(".0 ", " ");
    let places: Vec<(f64, String)> = powers.iter().map(|power| (pixel(share(*power)), short(*power))).collect();
    let picture = html! {
        @for (top, _) in &places { path.base d=(format!("M0 {top:.1}H{axis}")) {} }
        path.p50 d=(line(|bucket| bucket.p50_micros)) {}
        path.p99 d=(line(|bucket| bucket.p99_micros)) {}
    };
    (names("latency", &places), picture)
}

/// The decimal logarithm of a number from 1 to 10, by halving: only + - x / and sqrt are the same on every machine.
fn log10(number: f64) -> f64 {
    let (mut low, mut high, mut at_low, mut at_high) = (1.0_f64, 10.0_f64, 0.0, 1.0);
    for _ in 0..20 {
        let (middle, at_middle) = ((low * high).sqrt(), (at_low + at_high) / 2.0);
        if number < middle { (high, at_high) = (middle, at_middle) } else { (low, at_low) = (middle, at_middle) }
    }
    (at_low + at_high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for (number, expected) in [(1.0, 0.0), (3.0, 0.477_12), (7.0, 0.845_10), (10.0, 1.0)] {
            assert!((log10(number) - expected).abs() < 1e-5, "{number}: {}", log10(number));
        }
    }

    #[test]
    fn a_scale_runs_from_the_bottom_to_the_top() {
        assert_eq!((pixel(0.0), pixel(1.0)), (f64::from(HEIGHT - MARGIN), f64::from(MARGIN)));
    }
}
