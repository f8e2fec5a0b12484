//! Plots of curves as SVG: logarithmic axes, one panel above the other. It draws what the benchmarks need, no more.

use std::fmt::Write;

/// Width of the picture, height of a panel, and room for the axes' labels, in pixels.
const WIDTH: f64 = 640.0;
const PANEL: f64 = 200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 40.0;

/// One panel: what is drawn, over the same x as the others.
pub(super) struct Panel<'a> {
    pub(super) title: &'a str,
    /// x and y, both above zero; other points are left out.
    pub(super) points: Vec<(f64, f64)>,
}

/// The document. A straight rising line of slope one is growth in proportion, a level one is none.
pub(super) fn svg(x_title: &str, panels: &[Panel<'_>]) -> String {
    let height = PANEL * panels.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, panel) in panels.iter().enumerate() {
        draw(&mut out, x_title, panel, PANEL * number as f64);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, x_title: &str, panel: &Panel<'_>, above: f64) {
    let points: Vec<(f64, f64)> =
        panel.points.iter().copied().filter(|(x, y)| *x > 0.0 && *y > 0.0).collect();
    let (left, right) = (LEFT, WIDTH - RIGHT);
    let (top, bottom) = (above + TOP, above + PANEL - BOTTOM);
    let xs = Decades::around(points.iter().map(|(x, _)| *x));
    let ys = Decades::around(points.iter().map(|(_, y)| *y));
    let at_x = |x: f64| left + xs.part(x) * (right - left);
    let at_y = |y: f64| bottom - ys.part(y) * (bottom - top);
    // Writing to a string does not fail.
    let _ =
        writeln!(out, "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{}</text>", top - 12.0, panel.title);
    for exponent in xs.first..=xs.last {
        let x = at_x(10_f64.powi(exponent));
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 14.0,
            label(exponent)
        );
    }
    for exponent in ys.first..=ys.last {
        let y = at_y(10_f64.powi(exponent));
        let _ = writeln!(
            out,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y + 4.0,
            label(exponent)
        );
    }
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y))).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1a5fb4\" stroke-width=\"2\"/>",
        line.join(" ")
    );
    for (x, y) in &points {
        let _ =
            writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#1a5fb4\"/>", at_x(*x), at_y(*y));
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{x_title}</text>",
        (left + right) / 2.0,
        bottom + 30.0
    );
}

/// Whole powers of ten around all values.
struct Decades {
    first: i32,
    last: i32,
}

impl Decades {
    fn around(values: impl Iterator<Item = f64>) -> Decades {
        let logs: Vec<f64> = values.map(f64::log10).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            return Decades { first: 0, last: 1 };
        }
        let first = least.floor() as i32;
        Decades { first, last: (most.ceil() as i32).max(first + 1) }
    }

    /// Where a value is between both ends, 0 to 1.
    fn part(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first)
    }
}

fn label(exponent: i32) -> String {
    match exponent {
        9.. => format!("{}G", 10_u64.pow(exponent.unsigned_abs().min(18) - 9)),
        6..9 => format!("{}M", 10_u64.pow(exponent.unsigned_abs() - 6)),
        3..6 => format!("{}k", 10_u64.pow(exponent.unsigned_abs() - 3)),
        0..3 => format!("{}", 10_u64.pow(exponent.unsigned_abs())),
        ..0 => format!("{:.*}", exponent.unsigned_abs().min(9) as usize, 10_f64.powi(exponent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportion_is_a_diagonal_and_nothing_leaves_its_panel() {
        let points = vec![(1.0, 10.0), (10.0, 100.0), (100.0, 1000.0), (0.0, 5.0)];
        let text = svg("x", &[Panel { title: "y", points }]);
        assert!(text.contains("points=\"70.0,160.0 345.0,95.0 620.0,30.0\""), "{text}");
        assert_eq!(text.matches("<circle").count(), 3, "what has no logarithm is left out");
        assert_eq!([label(-2), label(0), label(4), label(6), label(9)], ["0.01", "1", "10k", "1M", "1G"]);
    }

    #[test]
    fn nothing_to_draw_is_no_reason_to_fail() {
        let text = svg("x", &[Panel { title: "y", points: Vec::new() }]);
        assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}
