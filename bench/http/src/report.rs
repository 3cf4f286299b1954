//! The result, for people.

use std::fmt;

use crate::{
    cpus::Halves,
    rounds::{Measured, Turn},
    servers::Kind,
    statistics::Spread,
};

/// Median and range of each figure, and the ratios within each round.
pub(crate) struct Report<'a> {
    pub(crate) measured: &'a [Measured],
    pub(crate) halves: Option<&'a Halves>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "A synchronous JSON operation over HTTP: median (range) of the rounds"
        )?;
        match self.halves {
            Some(Halves { server, load }) => {
                writeln!(f, "The server on CPU {server}, the load on CPU {load}\n")?;
            }
            None => writeln!(f, "The server and the load share the CPUs\n")?,
        }
        writeln!(
            f,
            "{:<26} {:>24} {:>22} {:>15}",
            "server", "requests/s", "µs CPU/request", "MB RAM (peak)"
        )?;
        for measured in self.measured {
            let speed = figures(measured, |turn| turn.requests_per_second);
            let cpu = figures(measured, |turn| turn.cpu);
            let memory = measured.used.map_or_else(String::new, |used| {
                let megabytes = |bytes: u64| bytes as f64 / 1e6;
                format!(
                    "{:.1} ({:.1})",
                    megabytes(used.resident),
                    megabytes(used.peak)
                )
            });
            writeln!(
                f,
                "{:<26} {speed:>24} {cpu:>22} {memory:>15}",
                measured.kind.label(),
                speed = spread(speed, 0),
                cpu = spread(cpu, 1),
            )?;
        }
        let Some((nexus, others)) = self.measured.split_first() else {
            return Ok(());
        };
        writeln!(f)?;
        for other in others {
            let aim = match other.kind {
                Kind::Axum => ", aim: at least 0.85 of the requests/s",
                Kind::Go => ", aim: at least 2 times the requests/s",
                Kind::Nexus => "",
            };
            let ratio = |figure: fn(&Turn) -> f64| {
                let pairs = nexus.turns.iter().zip(&other.turns);
                spread(pairs.map(|(a, b)| figure(a) / figure(b)), 2)
            };
            writeln!(
                f,
                "{} / {}: requests/s {}, CPU {}{aim}",
                nexus.kind.label(),
                other.kind.label(),
                ratio(|turn| turn.requests_per_second),
                ratio(|turn| turn.cpu),
            )?;
        }
        Ok(())
    }
}

fn figures(measured: &Measured, figure: fn(&Turn) -> f64) -> impl Iterator<Item = f64> {
    measured.turns.iter().map(figure)
}

fn spread(figures: impl IntoIterator<Item = f64>, digits: usize) -> String {
    match Spread::of(figures) {
        Some(spread) => format!("{spread:.digits$}"),
        None => "–".to_owned(),
    }
}
