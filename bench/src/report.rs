//! What a measurement tells.

use crate::{bench::Settings, caller::Operation, programs::Program, statistics::Spread};
use std::{fmt, time::Duration};

const MEGABYTE: f64 = 1e6;

/// What one turn of one handler cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// The handler's index.
    pub(crate) handler: usize,
    pub(crate) operation: Operation,
    /// How many were called.
    pub(crate) operations: usize,
    /// From the first call to the last answer.
    pub(crate) elapsed: Duration,
    /// What the handler's process spent on a CPU meanwhile.
    pub(crate) cpu: Duration,
    /// The handler's resident memory after it, in bytes.
    pub(crate) resident: u64,
    /// The most that it ever had, in bytes.
    pub(crate) peak: u64,
}

impl Sample {
    /// Operations per second.
    fn throughput(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds of CPU per operation.
    fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.operations as f64
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (throughput, cost) = (self.throughput(), self.cost());
        write!(
            f,
            "{throughput:.0} operations/s, {cost:.2} ms of CPU per operation, {:.1} MB resident",
            self.resident as f64 / MEGABYTE
        )
    }
}

/// The samples of all rounds, printed as tables.
#[derive(Debug)]
pub(crate) struct Report {
    settings: Settings,
    programs: Vec<Program>,
    samples: Vec<Sample>,
}

impl Report {
    pub(crate) fn new(settings: &Settings, programs: Vec<Program>, samples: Vec<Sample>) -> Self {
        Self {
            settings: settings.clone(),
            programs,
            samples,
        }
    }

    /// The samples of one handler, in the order of the rounds.
    fn of(&self, handler: usize, operation: Operation) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.handler == handler && sample.operation == operation)
    }

    /// The programs that the others are compared with.
    fn references(&self) -> impl Iterator<Item = (usize, &Program)> {
        let programs = self.programs.iter().enumerate();
        programs.filter(|(_, program)| program.reference)
    }

    fn header(&self, first: &str, figures: &[&str]) -> Vec<String> {
        let ratios = self.references().map(|(_, it)| format!("of {}", it.label));
        let figures = figures.iter().map(|&figure| figure.to_owned());
        [first.to_owned()]
            .into_iter()
            .chain(figures)
            .chain(ratios)
            .collect()
    }

    /// Throughput and CPU.
    fn speed(&self, operation: Operation) -> Vec<Vec<String>> {
        let figures = ["operations/s", "CPU per operation, ms"];
        let mut header = self.header(&operation.to_string(), &figures);
        header.push("CPU of each round, ms".to_owned());
        let mut table = vec![header];
        for (handler, program) in self.programs.iter().enumerate() {
            let costs: Vec<_> = self.of(handler, operation).map(Sample::cost).collect();
            let throughput = Spread::of(self.of(handler, operation).map(Sample::throughput));
            let mut row = vec![
                program.label.clone(),
                cell(throughput, 0),
                cell(Spread::of(costs.iter().copied()), 2),
            ];
            row.extend(self.references().map(|(reference, _)| {
                // Within a round, so that what slows the machine slows both.
                let rounds = costs.iter().zip(self.of(reference, operation));
                cell(Spread::of(rounds.map(|(cost, go)| cost / go.cost())), 2)
            }));
            let costs: Vec<_> = costs.iter().map(|cost| format!("{cost:.2}")).collect();
            row.push(costs.join(" "));
            table.push(row);
        }
        table
    }

    /// Memory after the last round.
    fn memory(&self) -> Vec<Vec<String>> {
        let last = |handler: usize| {
            let mut samples = self.samples.iter();
            samples.rfind(|sample| sample.handler == handler)
        };
        let figures = ["resident after load, MB", "at most, MB"];
        let mut table = vec![self.header("memory", &figures)];
        for (handler, program) in self.programs.iter().enumerate() {
            let Some(sample) = last(handler) else {
                continue;
            };
            let resident = sample.resident as f64;
            let mut row = vec![
                program.label.clone(),
                format!("{:.1}", resident / MEGABYTE),
                format!("{:.1}", sample.peak as f64 / MEGABYTE),
            ];
            row.extend(self.references().map(|(reference, _)| {
                let ratio = last(reference).map(|go| resident / go.resident as f64);
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
            }));
            table.push(row);
        }
        table
    }
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(String::new, |spread| format!("{spread:.digits$}"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            rounds,
            operations,
            concurrency,
            ..
        } = self.settings;
        writeln!(
            f,
            "{rounds} rounds of {operations} operations, {concurrency} at once; median (lowest–highest)"
        )?;
        for operation in Operation::ALL {
            write_table(f, &self.speed(operation))?;
        }
        write_table(f, &self.memory())
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &[Vec<String>]) -> fmt::Result {
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    writeln!(f)?;
    for row in table {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
