//! Whether a series of figures rises.

/// The straight line with the least squares through points (seconds, figure).
#[derive(Copy, Clone, Debug)]
pub(crate) struct Slope {
    /// By how much the figure rises in a second.
    pub(crate) per_second: f64,
    /// The standard error of that.
    pub(crate) error: f64,
    /// From the first point to the last.
    pub(crate) seconds: f64,
}

impl Slope {
    /// Of at least three points at different times.
    pub(crate) fn of(points: &[(f64, f64)]) -> Self {
        let count = f64::from(u32::try_from(points.len()).unwrap());
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (time, figure) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|point| (point.0 - time).powi(2)).sum();
        let common = |point: &(f64, f64)| (point.0 - time) * (point.1 - figure);
        let per_second = points.iter().map(common).sum::<f64>() / spread;
        let off = |point: &(f64, f64)| (point.1 - figure - per_second * (point.0 - time)).powi(2);
        let off: f64 = points.iter().map(off).sum();
        Self {
            per_second,
            error: (off / (count - 2.0) / spread).sqrt(),
            seconds: points.last().unwrap().0 - points[0].0,
        }
    }

    pub(crate) fn per_hour(&self) -> f64 {
        3600.0 * self.per_second
    }

    /// By how much the figure has risen for certain: chance lifts it above two standard errors once in forty times.
    pub(crate) fn certain_rise(&self) -> f64 {
        (self.per_second - 2.0 * self.error) * self.seconds
    }
}

#[test]
fn a_line_is_found_and_noise_around_a_level_is_none() {
    let line: Vec<_> = (0..100)
        .map(|second| (f64::from(second), 5.0 + 2.0 * f64::from(second)))
        .collect();
    let slope = Slope::of(&line);
    assert!(
        (slope.per_second - 2.0).abs() < 1e-9 && slope.error < 1e-6,
        "{slope:?}"
    );
    assert!((slope.certain_rise() - 198.0).abs() < 1e-3);
    let noise: Vec<_> = (0..100)
        .map(|second| (f64::from(second), f64::from(second * 37 % 11)))
        .collect();
    assert!(Slope::of(&noise).certain_rise() <= 0.0);
}
