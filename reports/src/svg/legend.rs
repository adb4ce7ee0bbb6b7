//! The legend of a picture: one row of marks with their meanings, left to right, outside every chart.
//!
//! ```text
//!   ■ ok   ■ unknown   ■ fail   ▬ fault   ◆ anomaly   ─●─ read
//! ```
//!
//! The same marks are drawn in the charts, so that a series is known by its shape as well as by its colour.

use plotters::prelude::*;

use super::{Canvas, Drawing, LEFT_MIDDLE, TIME_LEFT, TIME_RIGHT, label};

/// Pixels between two rows of a legend, and the width reckoned for a letter.
const ROW: i32 = 20;
const LETTER: i32 = 7;

/// How a thing is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A filled square.
    Area,
    /// A flat bar.
    Bar,
    /// A diamond.
    Diamond,
    /// A line with points of the `n`th shape.
    Line(usize),
}

/// Draws the entries from `TIME_LEFT` on, centred on the height `y`; those that do not fit go on below.
pub(super) fn draw(canvas: &Canvas<'_>, entries: &[(Mark, RGBColor, String)], y: i32) -> Drawing {
    let (mut x, mut y) = (TIME_LEFT, y);
    for (mark, colour, meaning) in entries {
        let width = 44 + LETTER * meaning.chars().count() as i32;
        if x > TIME_LEFT && x + width > TIME_RIGHT {
            (x, y) = (TIME_LEFT, y + ROW);
        }
        draw_mark(canvas, *mark, *colour, (x + 10, y))?;
        label(canvas, meaning, (x + 24, y), LEFT_MIDDLE)?;
        x += width;
    }
    Ok(())
}

/// Draws one mark centred on a point.
pub(super) fn draw_mark(canvas: &Canvas<'_>, mark: Mark, colour: RGBColor, (x, y): (i32, i32)) -> Drawing {
    match mark {
        Mark::Area => canvas.draw(&Rectangle::new([(x - 6, y - 6), (x + 6, y + 6)], colour.filled())),
        Mark::Bar => canvas.draw(&Rectangle::new([(x - 9, y - 4), (x + 9, y + 4)], colour.filled())),
        Mark::Diamond => canvas.draw(&Polygon::new([(x, y - 6), (x + 5, y), (x, y + 6), (x - 5, y)], colour.filled())),
        Mark::Line(shape) => {
            canvas.draw(&PathElement::new([(x - 10, y), (x + 10, y)], colour.stroke_width(2)))?;
            draw_point(canvas, shape, colour, (x, y))
        }
    }
}

/// Draws a point of one of four shapes.
pub(super) fn draw_point(canvas: &Canvas<'_>, shape: usize, colour: RGBColor, (x, y): (i32, i32)) -> Drawing {
    match shape % 4 {
        0 => canvas.draw(&Circle::new((x, y), 4, colour.filled())),
        1 => canvas.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], colour.filled())),
        2 => canvas.draw(&Polygon::new([(x, y - 5), (x + 5, y + 4), (x - 5, y + 4)], colour.filled())),
        _ => canvas.draw(&Cross::new((x, y), 4, colour.stroke_width(2))),
    }
}
