//! Times, shares, rates and numbers as people write them, read exactly: decimals become integers without a float between.
//!
//! ```text
//!   time     80us  1ms  1.5s  2m  1h      whole microseconds, at most 24 hours
//!   signed   -200ms                       clock skews and steps
//!   range    1s..3s                       both ends possible; one time alone is the range of just it
//!   share    0.1%  5%  200ppm             whole parts per million, at most 100%
//!   drift    100ppm  -50ppm  0.01%        parts per million, either way
//!   rate     200/s                        whole operations a second
//! ```
//!
//! A value finer than its integer can hold (`0.1us`) is refused rather than rounded.

use std::fmt;

use engine::world::Rng;

use super::errors::Flaw;

/// No time in a scenario is longer: 24 hours. Sums of a few never overflow.
pub const TIME_MICROS_MAX: u64 = 24 * 60 * 60 * 1_000_000;

/// The whole, in parts per million.
pub const WHOLE_PPM: u32 = 1_000_000;

/// How fast a clock may drift, either way: 10%.
const DRIFT_PPM_MAX: u64 = 100_000;
/// A workload sends no faster.
pub(super) const RATE_MAX: u64 = 1_000_000;

const MICROSECOND: (&str, u64) = ("us", 1);
const TIME_UNITS: [(&str, u64); 6] =
    [("ms", 1_000), MICROSECOND, ("µs", 1), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];
const SHARE_UNITS: [(&str, u64); 2] = [("ppm", 1), ("%", 10_000)];

const TIME: &str = "a time: write a number and us, ms, s, m or h, as in 1.5s";
const TIME_SIGNED: &str = "a time: write a number and us, ms, s, m or h, as in -200ms";
const TIME_RANGE: &str = "a time or a range of times: write 500ms, or 1s..3s";
const SHARE: &str = "a share: write a percentage, as in 0.1%";
const DRIFT: &str = "a drift: write parts per million, as in 100ppm or -50ppm";
const RATE: &str = "a rate: write whole operations a second, as in 200/s";
const WHOLE_NUMBER: &str = "a whole number, as in 16";
const SIZE_RANGE: &str = "a number of bytes or a range of them: write 32, or 16..100";
const EXPONENT: &str = "an exponent: write a number with at most three decimals, as in 0.99";
const PERCENTILE: &str = "a percentile: write p50, p99, p99.9 or max";

/// A time that is drawn: each microsecond from the shortest to the longest is as likely as the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// The shortest, in microseconds.
    pub least_micros: u64,
    /// The longest, in microseconds; not below the shortest.
    pub most_micros: u64,
}

impl TimeRange {
    /// Always the same.
    pub const fn fixed(micros: u64) -> Self {
        Self { least_micros: micros, most_micros: micros }
    }

    /// A time in the range.
    pub fn draw(self, rng: &mut Rng) -> u64 {
        assert!(self.least_micros <= self.most_micros, "validation refuses ranges that end before they begin");
        rng.within(self.least_micros..self.most_micros + 1)
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&time_text(self.least_micros))?;
        if self.most_micros > self.least_micros {
            write!(formatter, "..{}", time_text(self.most_micros))?;
        }
        Ok(())
    }
}

/// A time, in microseconds.
pub(super) fn time(text: &str) -> Result<u64, Flaw> {
    time_within(text, text, TIME)
}

/// A time that may be negative, in microseconds.
pub(super) fn time_signed(text: &str) -> Result<i64, Flaw> {
    signed(text, |magnitude| time_within(magnitude, text, TIME_SIGNED))
}

/// One time, or the range between two.
pub(super) fn time_range(text: &str) -> Result<TimeRange, Flaw> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let least_micros = time_within(least.trim(), text, TIME_RANGE)?;
    let most_micros = time_within(most.trim(), text, TIME_RANGE)?;
    if least_micros > most_micros {
        return Err(Flaw::RangeBackwards { text: text.to_string() });
    }
    Ok(TimeRange { least_micros, most_micros })
}

/// A share of a whole, in parts per million.
pub(super) fn share(text: &str) -> Result<u32, Flaw> {
    let ppm = with_unit(text, &SHARE_UNITS).ok_or_else(|| not_understood(text, SHARE))?;
    within_bounds(text, ppm, 0, u64::from(WHOLE_PPM), |ppm| share_text(ppm as u32)).map(|ppm| ppm as u32)
}

/// How much too fast (or, negative, too slow) a clock runs, in parts per million.
pub(super) fn drift(text: &str) -> Result<i64, Flaw> {
    signed(text, |magnitude| {
        let ppm = with_unit(magnitude, &SHARE_UNITS).ok_or_else(|| not_understood(text, DRIFT))?;
        within_bounds(text, ppm, 0, DRIFT_PPM_MAX, |ppm| format!("{ppm}ppm"))
    })
}

/// Operations a second.
pub(super) fn rate(text: &str) -> Result<u64, Flaw> {
    let per_second = text.strip_suffix("/s").and_then(|number| scaled(number.trim_end(), 1));
    let per_second = per_second.ok_or_else(|| not_understood(text, RATE))?;
    within_bounds(text, per_second, 1, RATE_MAX, |rate| format!("{rate}/s"))
}

/// A whole number from `least` to `most`.
pub(super) fn whole_number(text: &str, least: u64, most: u64) -> Result<u64, Flaw> {
    let number = scaled(text, 1).ok_or_else(|| not_understood(text, WHOLE_NUMBER))?;
    within_bounds(text, number, least, most, |number| number.to_string())
}

/// A number of bytes, or two with `..` between; both from `least` to `most`.
pub(super) fn size_range(text: &str, least: u64, most: u64) -> Result<(u64, u64), Flaw> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let size = |part: &str| {
        let size = scaled(part.trim(), 1).ok_or_else(|| not_understood(text, SIZE_RANGE))?;
        within_bounds(text, size, least, most, |size| format!("{size} bytes"))
    };
    let (from, to) = (size(from)?, size(to)?);
    if from > to {
        return Err(Flaw::RangeBackwards { text: text.to_string() });
    }
    Ok((from, to))
}

/// An exponent from 0.001 to `most_thousandths`, in thousandths.
pub(super) fn exponent_thousandths(text: &str, most_thousandths: u64) -> Result<u64, Flaw> {
    let thousandths = scaled(text, 1_000).ok_or_else(|| not_understood(text, EXPONENT))?;
    within_bounds(text, thousandths, 1, most_thousandths, |thousandths| decimal_text(thousandths, 1_000))
}

/// `p99.9` as parts per million below it, 999,000; `max` is 1,000,000.
pub(super) fn percentile(text: &str) -> Result<u32, Flaw> {
    if text == "max" {
        return Ok(WHOLE_PPM);
    }
    let ppm = text.strip_prefix('p').and_then(|number| scaled(number, 10_000));
    let ppm = ppm.filter(|ppm| (1..u64::from(WHOLE_PPM)).contains(ppm));
    ppm.map(|ppm| ppm as u32).ok_or_else(|| not_understood(text, PERCENTILE))
}

/// A time in the largest unit that needs no decimals, as it may be written in a scenario: `1500ms` is `1.5s`.
pub fn time_text(micros: u64) -> String {
    let (unit, factor) = match micros {
        0 => ("s", 1),
        1..1_000 => MICROSECOND,
        1_000..1_000_000 => ("ms", 1_000),
        1_000_000..60_000_000 => ("s", 1_000_000),
        _ if micros.is_multiple_of(60_000_000) => ("m", 60_000_000),
        _ => ("s", 1_000_000),
    };
    format!("{}{unit}", decimal_text(micros, factor))
}

/// A time that may be negative, as it may be written in a scenario.
pub fn time_signed_text(micros: i64) -> String {
    format!("{}{}", if micros < 0 { "-" } else { "" }, time_text(micros.unsigned_abs()))
}

/// A share as a percentage: 1,000 parts per million are `0.1%`.
pub fn share_text(ppm: u32) -> String {
    format!("{}%", decimal_text(u64::from(ppm), 10_000))
}

/// `value / denominator` as a decimal; the denominator is a power of ten, or divides the value.
pub(super) fn decimal_text(value: u64, denominator: u64) -> String {
    let (whole, rest) = (value / denominator, value % denominator);
    if rest == 0 {
        return whole.to_string();
    }
    let decimals = denominator.ilog10() as usize;
    format!("{whole}.{}", format!("{rest:0decimals$}").trim_end_matches('0'))
}

/// The decimal number `text` times `factor`, when that is whole and fits.
fn scaled(text: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 12 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // At most 32 digits and a factor below 2^32: more than 128 bits on paper, so it is checked.
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = digits.checked_mul(u128::from(factor))?;
    let denominator = 10_u128.pow(fraction.len() as u32);
    if !product.is_multiple_of(denominator) {
        return None;
    }
    u64::try_from(product / denominator).ok()
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, factor)| scaled(text.strip_suffix(unit)?.trim_end(), *factor))
}

/// `whole_text` is what the author wrote, `text` the part of it that is this time.
fn time_within(text: &str, whole_text: &str, expected: &'static str) -> Result<u64, Flaw> {
    // A bare 0 needs no unit.
    let micros = if text == "0" { Some(0) } else { with_unit(text, &TIME_UNITS) };
    let micros = micros.ok_or_else(|| not_understood(whole_text, expected))?;
    within_bounds(whole_text, micros, 0, TIME_MICROS_MAX, time_text)
}

fn signed(text: &str, magnitude: impl Fn(&str) -> Result<u64, Flaw>) -> Result<i64, Flaw> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    Ok(sign * magnitude(rest)? as i64)
}

pub(super) fn within_bounds(
    text: &str,
    value: u64,
    least: u64,
    most: u64,
    describe: impl Fn(u64) -> String,
) -> Result<u64, Flaw> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(Flaw::OutOfBounds { text: text.to_string(), least: describe(least), most: describe(most) })
}

fn not_understood(text: &str, expected: &'static str) -> Flaw {
    Flaw::NotUnderstood { text: text.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly_and_written_back_the_same() {
        for (text, micros) in [
            ("80us", 80),
            ("1ms", 1_000),
            ("1.5s", 1_500_000),
            ("2m", 120_000_000),
            ("0.000001s", 1),
            ("24h", TIME_MICROS_MAX),
        ] {
            assert_eq!(time(text), Ok(micros), "{text}");
            assert_eq!(time(&time_text(micros)), Ok(micros), "{text}");
        }
        assert_eq!(time("0"), Ok(0));
        assert_eq!(time("30 ms"), Ok(30_000));
        assert_eq!(time_text(61_500_000), "61.5s");
        assert_eq!(time_signed("-200ms"), Ok(-200_000));
        assert_eq!(time_signed_text(-200_000), "-200ms");
    }

    #[test]
    fn a_time_without_a_unit_too_fine_or_too_long_is_refused() {
        for text in ["5", "", "s", "5 seconds", "-5s", "1e3s", ".5s", "5.s", "0.1us", "1..2s", "五s", "1_000s"] {
            assert!(matches!(time(text), Err(Flaw::NotUnderstood { .. })), "{text}");
        }
        for text in ["25h", "999999999999999999s"] {
            assert!(matches!(time(text), Err(Flaw::OutOfBounds { .. } | Flaw::NotUnderstood { .. })), "{text}");
        }
    }

    #[test]
    fn a_range_may_be_one_time_and_may_not_run_backwards() {
        assert_eq!(time_range("1s..3s"), Ok(TimeRange { least_micros: 1_000_000, most_micros: 3_000_000 }));
        assert_eq!(time_range("500ms"), Ok(TimeRange::fixed(500_000)));
        assert!(matches!(time_range("3s..1s"), Err(Flaw::RangeBackwards { .. })));
        assert!(matches!(time_range("1..3s"), Err(Flaw::NotUnderstood { .. })));
        assert_eq!(time_range("1s..3s").map(|range| range.to_string()), Ok("1s..3s".into()));
    }

    #[test]
    fn both_ends_of_a_range_are_drawn() {
        let range = TimeRange { least_micros: 5, most_micros: 7 };
        let mut rng = Rng::from_seed(1);
        let drawn: std::collections::BTreeSet<u64> = (0..100).map(|_| range.draw(&mut rng)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
    }

    #[test]
    fn shares_and_drifts_are_parts_per_million() {
        assert_eq!(share("0.1%"), Ok(1_000));
        assert_eq!(share("100%"), Ok(WHOLE_PPM));
        assert_eq!(share("25ppm"), Ok(25));
        assert_eq!(share_text(1_000), "0.1%");
        assert!(matches!(share("101%"), Err(Flaw::OutOfBounds { .. })));
        assert!(matches!(share("0.5"), Err(Flaw::NotUnderstood { .. })));
        assert_eq!(drift("-50ppm"), Ok(-50));
        assert!(matches!(drift("11%"), Err(Flaw::OutOfBounds { .. })));
    }

    #[test]
    fn rates_numbers_sizes_exponents_and_percentiles_keep_their_bounds() {
        assert_eq!(rate("200/s"), Ok(200));
        assert!(rate("200").is_err() && rate("0/s").is_err() && rate("0.5/s").is_err());
        assert_eq!(whole_number("16", 1, 16), Ok(16));
        assert_eq!(whole_number(&u64::MAX.to_string(), 0, u64::MAX), Ok(u64::MAX));
        assert!(whole_number("18446744073709551616", 0, u64::MAX).is_err());
        assert!(whole_number("17", 1, 16).is_err() && whole_number("-1", 0, 16).is_err());
        assert_eq!(size_range("16..100", 16, 1_000), Ok((16, 100)));
        assert!(size_range("8", 16, 1_000).is_err() && size_range("100..16", 16, 1_000).is_err());
        assert_eq!(exponent_thousandths("0.99", 5_000), Ok(990));
        assert!(exponent_thousandths("0", 5_000).is_err() && exponent_thousandths("0.9999", 5_000).is_err());
        assert_eq!(percentile("p99.9"), Ok(999_000));
        assert_eq!(percentile("max"), Ok(WHOLE_PPM));
        assert!(percentile("p100").is_err() && percentile("99").is_err() && percentile("p0").is_err());
    }
}
