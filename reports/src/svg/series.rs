//! A line over a flat axis: the plain chart that a campaign's pictures are.
//!
//! ```text
//!   title
//!   upright │        ___---
//!           │  __---/
//!           └───────────────
//!                 flat
//! ```

use plotters::prelude::*;

use super::{AXIS_FOOT, AXIS_ROOM, Canvas, Drawing, FAINT, INK, render};
use crate::error::ReportError;
use crate::numbers::count_short;

const HEIGHT: u32 = 340;
const TOP: i32 = 44;
const LINE: RGBColor = RGBColor(0x00, 0x72, 0xB2);

/// What a chart says beside its line.
pub(crate) struct Chart<'c> {
    /// The file that errors name.
    pub(crate) picture: &'static str,
    /// Above it.
    pub(crate) title: &'c str,
    /// The name and unit of the flat axis.
    pub(crate) flat: &'c str,
    /// The name and unit of the upright axis.
    pub(crate) upright: &'c str,
}

/// Draws the points, which are in order from left to right and not negative, as SVG. Both axes begin at 0.
pub(crate) fn line_chart(chart: &Chart<'_>, points: &[(f64, f64)]) -> Result<String, ReportError> {
    render(chart.picture, HEIGHT, |canvas| draw(canvas, chart, points))
}

fn draw(canvas: &Canvas<'_>, named: &Chart<'_>, points: &[(f64, f64)]) -> Drawing {
    canvas.draw(&Text::new(named.title.to_string(), (16, 12), ("sans-serif", 17).into_font().color(&INK)))?;
    let right = points.last().map_or(1.0, |point| point.0).max(f64::MIN_POSITIVE);
    let top = points.iter().fold(0.0_f64, |top, point| top.max(point.1)).max(1.0) * 1.08;
    let area = canvas.clone().shrink((0, TOP), (super::WIDTH, HEIGHT - TOP as u32));
    let mut chart = ChartBuilder::on(&area)
        .margin_left(10)
        .margin_right(40)
        .margin_top(10)
        .set_label_area_size(LabelAreaPosition::Left, AXIS_ROOM)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS_FOOT)
        .build_cartesian_2d(0.0..right, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 14).into_font().color(&INK))
        .x_desc(named.flat)
        .y_desc(named.upright)
        .x_label_formatter(&|value| at_axis(*value))
        .y_label_formatter(&|value| at_axis(*value))
        .y_labels(6)
        .draw()?;
    if points.len() < 60 {
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 2, LINE.filled())))?;
    }
    chart.draw_series([PathElement::new(points.to_vec(), LINE.stroke_width(2))])?;
    Ok(())
}

/// A number at an axis: whole where it is, and with up to two decimals where it is small.
fn at_axis(value: f64) -> String {
    if value.abs() >= 10.0 || (value - value.round()).abs() < 1e-9 {
        return count_short(value.round().max(0.0) as u64);
    }
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_an_axis_are_short() {
        assert_eq!([0.0, 0.5, 2.25, 12.4, 1_500.0].map(at_axis), ["0", "0.5", "2.25", "12", "1,500"]);
    }
}
