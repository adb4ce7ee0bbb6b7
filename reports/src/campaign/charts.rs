//! The two pictures of a campaign: how coverage grew, and how many seeds a second were run.
//!
//! ```text
//!   states  │      ___----      runs a second  │ __--__-__
//!           └──────── runs                     └────────── processor seconds spent
//! ```

use super::CampaignFacts;
use super::figures::{growth, speed};
use crate::error::ReportError;
use crate::svg::{Chart, line_chart};

/// How coverage grew, as SVG; `None` where no line tells of coverage.
pub fn coverage_svg(facts: &CampaignFacts) -> Option<Result<String, ReportError>> {
    let points = growth(facts);
    let chart = Chart {
        picture: "coverage.svg",
        title: "Coverage: abstract states reached",
        flat: "runs",
        upright: "states reached",
    };
    (!points.is_empty()).then(|| line_chart(&chart, &points))
}

/// How many seeds a second were run, as SVG; `None` where no line tells of time.
pub fn speed_svg(facts: &CampaignFacts) -> Option<Result<String, ReportError>> {
    let points = speed(facts);
    let chart = Chart {
        picture: "speed.svg",
        title: "Speed: seeds a second of processor time",
        flat: "processor time spent (s)",
        upright: "seeds a second",
    };
    (!points.is_empty()).then(|| line_chart(&chart, &points))
}
