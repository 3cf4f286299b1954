//! Figures of several rounds.

use std::fmt;

/// Median and range of some figures, printed with as many digits after the point as the format asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted.get(half.checked_sub(1)?)? + sorted.get(half)?) / 2.0,
            _ => *sorted.get(half)?,
        };
        Some(Self {
            median,
            min: *sorted.first()?,
            max: *sorted.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = self;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        for (figures, median) in [
            (&[2.0][..], 2.0),
            (&[4.0, 1.0], 2.5),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[9.0, 1.0, 2.0, 4.0], 3.0),
        ] {
            let spread = Spread::of(figures.iter().copied()).unwrap();
            assert_eq!(spread.median, median);
        }
        let spread = Spread::of([9.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.max), (1.0, 9.0));
    }

    #[test]
    fn it_is_printed_as_the_format_asks() {
        let spread = Spread::of([0.5, 0.25, 1.0]).unwrap();
        assert_eq!(format!("{spread}"), "0.50 (0.25–1.00)");
        assert_eq!(format!("{spread:.1}"), "0.5 (0.2–1.0)");
    }
}
