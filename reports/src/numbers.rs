//! How a number is written for a person: three significant digits, a unit, thousands apart.
//!
//! ```text
//!   duration(1_240)      1.24 ms        duration(0)    0 µs      duration(61_000_000)   61.0 s
//!   count(12_000)        12,000         share(995, 1_000)  99.5%
//! ```
//!
//! Integers throughout: rounding is to the nearest, except shares, which are rounded down, so that 100.0% means all.

/// A duration with three significant digits and its unit; seconds keep one decimal from 10 s up.
pub(crate) fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..999_500 => scaled(micros, 1_000, "ms"),
        _ if micros < 9_995_000 => scaled(micros, 1_000_000, "s"),
        _ => format!("{} s", seconds_to_tenths(micros)),
    }
}

/// A moment of virtual time, in seconds to the millisecond: `12.345 s`.
pub(crate) fn moment(micros: u64) -> String {
    let millis = micros / 1_000;
    format!("{}.{:03} s", count(millis / 1_000), millis % 1_000)
}

/// Seconds with one decimal, without the unit: `60.0`.
pub(crate) fn seconds_to_tenths(micros: u64) -> String {
    let tenths = micros / 100_000 + u64::from(micros % 100_000 >= 50_000);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Seconds with two decimals, or three below a tenth of a second, without the unit: `0.41`, `0.012`.
pub(crate) fn seconds_short(micros: u64) -> String {
    if micros < 99_500 {
        let millis = (micros + 500) / 1_000;
        return format!("0.{millis:03}");
    }
    let hundredths = micros / 10_000 + u64::from(micros % 10_000 >= 5_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A whole number with its thousands apart: `12,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A whole number in at most seven characters: as [`count`] writes it below a million, above it cut to three digits and
/// `M`, `G`, `T`, `P` or `E` for thousands of thousands and so on.
pub(crate) fn count_short(number: u64) -> String {
    let (mut unit, mut units) = (1_000_000, "MGTPE".chars());
    if number < unit {
        return count(number);
    }
    let mut name = units.next();
    while number / unit >= 1_000 {
        (unit, name) = (unit * 1_000, units.next());
    }
    let hundredths = (number / (unit / 100)).to_string();
    let (whole, rest) = hundredths.split_at(hundredths.len() - 2);
    let digits = if whole.len() < 3 { format!("{whole}.{}", &rest[..3 - whole.len()]) } else { whole.to_string() };
    format!("{digits} {}", name.unwrap_or('E'))
}

/// `part` of `whole` in percent with one decimal, rounded down; `-` when there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_string();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// Three significant digits of `micros / unit_micros`, for values from 1 up to 1,000 units.
fn scaled(micros: u64, unit_micros: u64, unit: &str) -> String {
    let rounded = |parts: u64| (micros * parts + unit_micros / 2) / unit_micros;
    let (hundredths, tenths) = (rounded(100), rounded(10));
    if hundredths < 1_000 {
        format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100)
    } else if tenths < 1_000 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", rounded(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits_and_change_unit_where_rounding_would_need_a_fourth() {
        let written: Vec<String> =
            [0, 7, 999, 1_000, 1_244, 1_245, 9_994, 9_995, 99_949, 99_950, 999_499, 999_500, 1_234_567, 61_049_999]
                .map(duration)
                .to_vec();
        assert_eq!(
            written,
            [
                "0 µs", "7 µs", "999 µs", "1.00 ms", "1.24 ms", "1.25 ms", "9.99 ms", "10.0 ms", "99.9 ms", "100 ms",
                "999 ms", "1.00 s", "1.23 s", "61.0 s"
            ]
        );
        assert!(duration(u64::MAX).ends_with(" s"), "the longest duration there is does not overflow");
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        assert_eq!([0, 12, 999, 1_000, 12_000, 1_234_567].map(count).join(" "), "0 12 999 1,000 12,000 1,234,567");
    }

    #[test]
    fn a_short_count_is_exact_below_a_million_and_has_three_digits_above() {
        let written =
            [999_999, 1_000_000, 1_239_999, 45_670_000, 999_999_999, 1_000_000_000, u64::MAX].map(count_short);
        assert_eq!(written.join(", "), "999,999, 1.00 M, 1.23 M, 45.6 M, 999 M, 1.00 G, 18.4 E");
    }

    #[test]
    fn a_share_says_all_only_when_it_is_all() {
        assert_eq!(share(99_999, 100_000), "99.9%");
        assert_eq!(share(u64::MAX, u64::MAX), "100.0%");
        assert_eq!(share(0, 0), "-");
    }

    #[test]
    fn wall_time_keeps_two_decimals_or_three_when_it_is_short() {
        assert_eq!(
            [412_000, 95_400, 99_499, 99_500, 1_995_000].map(seconds_short).join(" "),
            "0.41 0.095 0.099 0.10 2.00"
        );
        assert_eq!([60_000_000, 49_999, 50_000].map(seconds_to_tenths).join(" "), "60.0 0.0 0.1");
    }

    #[test]
    fn a_moment_is_cut_to_the_millisecond() {
        assert_eq!(moment(12_345_999), "12.345 s");
    }
}
