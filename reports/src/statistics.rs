//! Shares and percentiles with intervals, where runs are independent of each other and operations within a run are not.
//!
//! ```text
//!   run 1   ok ok ok -- -- -- ok        one partition fails a hundred operations of a run at once, so a run is one
//!   run 2   ok ok ok ok ok ok ok        observation, not a thousand: the interval is as wide as runs differ
//!
//!   share        sum of parts / sum of wholes, variance between runs by linearization (Cochran 1977, section 6)
//!   interval     Wilson's (1927) for as many independent draws as would vary as much (Korn and Graubard 1998)
//!   median       of one figure a run, between two order statistics: exact whatever the distribution is
//! ```
//!
//! All intervals are of 95%. A share of 0 or 1 in every run shows no variance to estimate: then each run counts as one draw,
//! as if all its operations stood or fell together. That is the widest interval that the data allow, and never too narrow.

/// 97.5% of a normal distribution lie below.
const Z: f64 = 1.959_963_984_540_054;

/// 97.5% of Student's distribution with 1 to 30 degrees of freedom lie below.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// From so many values on, ranks come from the normal approximation: 0.5 to that power is still a number before.
const EXACT_RANKS_MOST: usize = 500;

/// A share with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// What was counted.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
    /// The share; with several strata not simply `part / whole`, since each stratum weighs the same.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// How many runs had anything to count.
    pub runs: u64,
}

/// The share of all runs together, from each run's part and whole; `None` when there is no whole.
pub fn share(runs: &[(u64, u64)]) -> Option<Share> {
    stratified_share(&[runs.to_vec()])
}

/// The mean of the strata's shares, each weighing the same. A stratum is a list of each run's part and whole, the runs in
/// the same order in each; strata without a whole are left out.
///
/// # Panics
/// When strata differ in their number of runs, or a part is more than its whole.
pub fn stratified_share(strata: &[Vec<(u64, u64)>]) -> Option<Share> {
    let all = strata.iter().flatten();
    assert!(all.clone().all(|(part, whole)| part <= whole), "a part is never more than its whole");
    let (part, whole) = all.fold((0, 0), |(parts, wholes), (part, whole)| (parts + part, wholes + whole));
    let counted: Vec<&Vec<(u64, u64)>> =
        strata.iter().filter(|stratum| stratum.iter().any(|(_, whole)| *whole > 0)).collect();
    let weight = 1.0 / counted.len().max(1) as f64;
    let count = counted.first()?.len();
    let (mut means, mut residuals, mut seen) = (0.0, vec![0.0; count], vec![false; count]);
    for stratum in &counted {
        assert_eq!(stratum.len(), count, "every stratum has every run");
        let (parts, wholes) = stratum.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
        let mean = parts as f64 / wholes as f64;
        means += mean;
        for (place, (part, whole)) in stratum.iter().enumerate() {
            residuals[place] += weight * (*part as f64 - mean * *whole as f64) / wholes as f64;
            seen[place] |= *whole > 0;
        }
    }
    // Divided at the end, so that the mean of ones is one.
    let value = means / counted.len() as f64;
    let runs = seen.iter().filter(|seen| **seen).count() as u64;
    let variance = variance_of_sum(&residuals, runs);
    let (low, high) = wilson(value, draws(value, variance, runs, whole));
    Some(Share { part, whole, value, low, high, runs })
}

/// Wilson's interval for a share seen in `draws` independent draws.
pub fn wilson(value: f64, draws: f64) -> (f64, f64) {
    let square = Z * Z / draws;
    let centre = (value + square / 2.0) / (1.0 + square);
    let reach = Z * (value * (1.0 - value) / draws + square / (4.0 * draws)).max(0.0).sqrt() / (1.0 + square);
    // Rounding must not push the end past the share itself where the share is 0 or 1.
    ((centre - reach).clamp(0.0, value), (centre + reach).clamp(value, 1.0))
}

/// The variance of a sum of independent residuals whose mean is 0 by construction.
fn variance_of_sum(residuals: &[f64], runs: u64) -> f64 {
    if runs < 2 {
        return 0.0;
    }
    let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
    squares * runs as f64 / (runs - 1) as f64
}

/// How many independent draws would vary as much as the runs do: never more than there were operations, and fewer when
/// few runs say little about how runs vary.
fn draws(value: f64, variance: f64, runs: u64, whole: u64) -> f64 {
    let spread = value * (1.0 - value);
    if variance <= 0.0 || spread <= 0.0 {
        return runs.max(1) as f64;
    }
    let student = student(runs - 1);
    ((spread / variance).min(whole as f64) * (Z / student) * (Z / student)).max(1.0)
}

/// Below which 97.5% of Student's distribution lie: from the table, and beyond it interpolated in the inverse.
fn student(freedom: u64) -> f64 {
    let last = STUDENT.len() as u64;
    match freedom {
        0 => f64::INFINITY,
        _ if freedom <= last => STUDENT[freedom as usize - 1],
        _ => Z + (STUDENT[STUDENT.len() - 1] - Z) * last as f64 / freedom as f64,
    }
}

/// The median of one figure a run, and the order statistics between which it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Median {
    /// The median.
    pub value: u64,
    /// The ends of the interval; `None` with fewer than six figures, of which no two are 95% sure.
    pub interval: Option<(u64, u64)>,
    /// How many figures.
    pub count: u64,
}

/// The median of some figures; `None` when there are none.
pub fn median(mut figures: Vec<u64>) -> Option<Median> {
    figures.sort_unstable();
    let value = *figures.get(figures.len().checked_sub(1)? / 2)?;
    let interval = rank(figures.len()).map(|rank| (figures[rank - 1], figures[figures.len() - rank]));
    Some(Median { value, interval, count: figures.len() as u64 })
}

/// The largest rank, counted from 1, such that the values of that rank from below and from above enclose the median of the
/// distribution in at least 95% of all samples.
fn rank(count: usize) -> Option<usize> {
    if count > EXACT_RANKS_MOST {
        let count = count as f64;
        return Some((count / 2.0 - Z * count.sqrt() / 2.0).floor() as usize);
    }
    // The probability that exactly `below` values lie below the median, summed while both tails stay under 5%.
    let mut probability = (0..count).fold(1.0, |product: f64, _| product / 2.0);
    let (mut tail, mut rank) = (0.0, 0);
    for below in 0..count {
        tail += probability;
        if 2.0 * tail > 0.05 {
            break;
        }
        rank = below + 1;
        probability *= (count - below) as f64 / (below + 1) as f64;
    }
    (rank > 0).then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 5e-4
    }

    #[test]
    fn wilsons_interval_has_its_published_values() {
        for (part, draws, low, high) in [
            (0.0, 10.0, 0.0, 0.2775),
            (10.0, 100.0, 0.0552, 0.1744),
            (50.0, 100.0, 0.4038, 0.5962),
            (81.0, 263.0, 0.2553, 0.3662),
        ] {
            let found = wilson(part / draws, draws);
            assert!(near(found.0, low) && near(found.1, high), "{part} of {draws}: {found:?}");
        }
        assert_eq!(wilson(1.0, 10.0).1, 1.0);
    }

    #[test]
    fn runs_that_are_alike_give_the_interval_of_their_operations() {
        // 40 runs of 50 operations, with parts that vary as independent draws of 0.5 do: variance 12.5 a run.
        let runs: Vec<(u64, u64)> =
            (0..40).map(|run| (if run % 2 == 0 { 25 - 4 } else { 25 + 3 } + run % 4 / 2, 50)).collect();
        let found = share(&runs).expect("there is a whole");
        let independent = wilson(found.value, 2_000.0);
        let wider = (found.high - found.low) / (independent.1 - independent.0);
        assert!((0.9..1.15).contains(&wider), "{wider} times as wide: {found:?}");
    }

    #[test]
    fn operations_that_fail_together_count_as_one() {
        // Half of the runs fail altogether: a thousand operations each tell no more than one.
        let runs: Vec<(u64, u64)> = (0..100).map(|run| (if run % 2 == 0 { 1_000 } else { 0 }, 1_000)).collect();
        let found = share(&runs).expect("there is a whole");
        let (low, high) = wilson(0.5, 100.0);
        assert!((found.low - low).abs() < 0.01 && (found.high - high).abs() < 0.01, "{found:?}");
        assert_eq!((found.part, found.whole, found.runs), (50_000, 100_000, 100));
    }

    #[test]
    fn nothing_seen_in_any_run_is_bounded_by_the_number_of_runs_alone() {
        let found = share(&vec![(0, 5_000); 100]).expect("there is a whole");
        assert_eq!((found.value, found.low), (0.0, 0.0));
        assert!(near(found.high, wilson(0.0, 100.0).1) && near(found.high, 0.0370), "{found:?}");
        let all = share(&[(7, 7), (9, 9)]).expect("there is a whole");
        assert!(all.value == 1.0 && all.high == 1.0 && all.low < 0.5, "{all:?}");
    }

    #[test]
    fn strata_weigh_the_same_however_much_was_asked_of_them() {
        let found = stratified_share(&[vec![(900, 900), (900, 900)], vec![(0, 10), (0, 20)], vec![(0, 0), (0, 0)]]);
        let found = found.expect("there is a whole");
        assert_eq!((found.value, found.part, found.whole), (0.5, 1_800, 1_830));
        assert_eq!(share(&[(0, 0), (0, 0)]), None);
        assert_eq!(share(&[]), None);
    }

    #[test]
    fn few_runs_make_a_wide_interval() {
        let few = share(&[(40, 100), (60, 100), (50, 100)]).expect("there is a whole");
        let many: Vec<(u64, u64)> = [(40, 100), (60, 100), (50, 100)].repeat(30);
        let many = share(&many).expect("there is a whole");
        assert!(few.high - few.low > 5.0 * (many.high - many.low), "{few:?} {many:?}");
        assert!(near(student(1), 12.706) && (student(60) - 2.0003).abs() < 1e-3 && near(student(1_000_000), Z));
    }

    #[test]
    fn the_median_lies_between_the_order_statistics_of_the_tables() {
        // Conover, Practical Nonparametric Statistics: ranks for a 95% interval of the median.
        for (count, expected) in
            [(5, None), (6, Some(1)), (10, Some(2)), (20, Some(6)), (50, Some(18)), (100, Some(40))]
        {
            assert_eq!(rank(count), expected, "of {count}");
        }
        assert_eq!(rank(500), Some(228));
        assert_eq!(rank(501), Some(228));
        let found = median((1..=100).rev().collect()).expect("there are figures");
        assert_eq!(found, Median { value: 50, interval: Some((40, 61)), count: 100 });
        assert_eq!(median(vec![7, 3, 5]), Some(Median { value: 5, interval: None, count: 3 }));
        assert_eq!(median(Vec::new()), None);
    }
}
