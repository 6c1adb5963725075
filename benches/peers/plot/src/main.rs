//! Draws what `cargo xtask bench peers` measured: panels of bars, as JSON on standard input, into the SVG file that the argument names.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Deserialize;

const WIDTH: u32 = 900;
/// A bar with the gap beside it.
const BAR: u32 = 20;
/// The title of a panel, and the gap under it.
const HEAD: u32 = 46;
/// Names, on the left.
const NAMES: i32 = 130;
/// Figures, on the right of the longest bar.
const FIGURES: i32 = 70;
const PANELS_PER_LINE: usize = 2;

const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const BOUND: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
const OTHERS: RGBColor = RGBColor(0xd9, 0x9a, 0x5b);

/// One figure of all rows.
#[derive(Deserialize)]
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

/// One row.
#[derive(Deserialize)]
struct Bar {
    name: String,
    median: f64,
    least: f64,
    most: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let file = std::env::args_os().nth(1).context("usage: plot FILE")?;
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json)?;
    let svg = draw(&serde_json::from_str::<Vec<Panel>>(&json)?)?;
    let file = PathBuf::from(file);
    std::fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))
}

/// The whole picture.
fn draw(panels: &[Panel]) -> Result<String> {
    ensure!(!panels.is_empty(), "nothing to draw");
    let heights: Vec<u32> = panels
        .chunks(PANELS_PER_LINE)
        .map(|line| {
            let most = line.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
            // There are a dozen rows.
            HEAD + BAR * most as u32
        })
        .collect();
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (WIDTH, heights.iter().sum())).into_drawing_area();
        area.fill(&WHITE).map_err(failed)?;
        let mut rest = area;
        for (line, height) in panels.chunks(PANELS_PER_LINE).zip(heights) {
            let (top, below) = rest.split_vertically(height);
            rest = below;
            for (panel, place) in line.iter().zip(top.split_evenly((1, PANELS_PER_LINE))) {
                draw_panel(panel, &place)?;
            }
        }
        rest.present().map_err(failed)?;
    }
    Ok(svg)
}

fn draw_panel(panel: &Panel, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
    let title = TextStyle::from(("sans-serif", 18).into_font());
    area.draw(&Text::new(panel.title.clone(), (10, 14), title))
        .map_err(failed)?;
    let most = panel.bars.iter().map(|bar| bar.most).fold(0.0, f64::max);
    ensure!(
        most > 0.0 && most.is_finite(),
        "no figures: {}",
        panel.title
    );
    let width = area.dim_in_pixel().0 as i32 - NAMES - FIGURES;
    // The longest bar is as wide as there is room: rounding loses less than a pixel.
    let reach = |value: f64| NAMES + (value.max(0.0) / most * f64::from(width)) as i32;
    for (index, bar) in panel.bars.iter().enumerate() {
        let top = HEAD as i32 - 6 + BAR as i32 * index as i32;
        draw_bar(bar, top, reach, area)?;
    }
    Ok(())
}

fn draw_bar(
    bar: &Bar,
    top: i32,
    reach: impl Fn(f64) -> i32,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Result<()> {
    let bottom = top + BAR as i32 - 5;
    let middle = i32::midpoint(top, bottom);
    let text = |anchor| {
        TextStyle::from(("sans-serif", 15).into_font()).pos(Pos::new(anchor, VPos::Center))
    };
    let body = [(NAMES, top), (reach(bar.median), bottom)];
    area.draw(&Rectangle::new(body, color(&bar.name).filled()))
        .map_err(failed)?;
    let spread = vec![(reach(bar.least), middle), (reach(bar.most), middle)];
    area.draw(&PathElement::new(spread, BLACK))
        .map_err(failed)?;
    let name = Text::new(bar.name.clone(), (NAMES - 6, middle), text(HPos::Right));
    area.draw(&name).map_err(failed)?;
    let place = (reach(bar.most) + 5, middle);
    area.draw(&Text::new(figure(bar.median), place, text(HPos::Left)))
        .map_err(failed)
}

/// Ours, what bounds all, and the others.
fn color(name: &str) -> RGBColor {
    if name.starts_with("keyway") {
        OURS
    } else if name.starts_with("ceiling") || name == "tcp" {
        BOUND
    } else {
        OTHERS
    }
}

fn figure(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &str, medians: &[f64]) -> Panel {
        let bars = medians.iter().map(|&median| Bar {
            name: format!("row{median}"),
            median,
            least: median * 0.9,
            most: median * 1.1,
        });
        Panel {
            title: title.to_owned(),
            bars: bars.collect(),
        }
    }

    #[test]
    fn every_title_row_and_figure_is_in_the_picture() {
        let panels = [panel("speed", &[1.0, 20.0]), panel("cost", &[300.0])];
        let svg = draw(&panels).unwrap();
        for text in [
            "speed", "cost", "row1", "row20", "row300", "1.00", "20.0", "300",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(draw(&[]).is_err());
        assert!(draw(&[panel("empty", &[])]).is_err());
        assert!(draw(&[panel("nothing", &[0.0])]).is_err());
    }
}
