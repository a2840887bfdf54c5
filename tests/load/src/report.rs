//! What is said about a run: medians, ratios of pairs, processor time, and how busy the machine was otherwise.

use crate::drive::Outcome;

/// Says a line on standard output.
#[expect(clippy::print_stdout, reason = "a program's answer")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Runs of one thing, and of what it is compared with, in turn.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What was measured.
    pub(crate) name: String,
    /// Runs of the floor, in order; none when there is none.
    pub(crate) floor: Vec<Outcome>,
    /// Runs of linli, in order.
    pub(crate) linli: Vec<Outcome>,
}

/// The middle of some figures; of two middles the mean.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

impl Comparison {
    /// Nothing measured yet.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), floor: Vec::new(), linli: Vec::new() }
    }

    /// Median of the pairs' ratios of rates.
    pub(crate) fn ratio(&self) -> f64 {
        median(self.linli.iter().zip(&self.floor).map(|(linli, floor)| linli.rate / floor.rate))
    }

    /// Median of the pairs' ratios of processor time in the server: what the floor spends of what linli spends.
    pub(crate) fn work_ratio(&self) -> f64 {
        median(self.linli.iter().zip(&self.floor).map(|(linli, floor)| floor.server_us / linli.server_us))
    }

    /// Says it as a table.
    pub(crate) fn say(&self) {
        head();
        if !self.floor.is_empty() {
            say(&row(&format!("{}: floor", self.name), &self.floor, ""));
        }
        let ratio = if self.floor.is_empty() { String::new() } else { format!("{:.2}", self.ratio()) };
        say(&format!("{}\n", row(&self.name, &self.linli, &ratio)));
    }
}

/// The head of the table.
fn head() {
    say("| what | op/s | p50 ms | p99 ms | ratio | µs CPU/op server | database | driver | other load |");
    say("|---|---|---|---|---|---|---|---|---|");
}

fn row(name: &str, runs: &[Outcome], ratio: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let ms = |micros: fn(&Outcome) -> u64| median(runs.iter().map(|run| micros(run) as f64)) / 1000.0;
    let of = |figure: fn(&Outcome) -> f64| median(runs.iter().map(figure));
    format!(
        "| {name} | {:.0} | {:.2} | {:.2} | {ratio} | {:.0} | {:.0} | {:.0} | {:.0} % |",
        of(|run| run.rate),
        ms(|run| run.p50_us),
        ms(|run| run.p99_us),
        of(|run| run.server_us),
        of(|run| run.database_us),
        of(|run| run.driver_us),
        of(|run| run.others) * 100.0,
    )
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0]) - 2.5).abs() < f64::EPSILON);
    }
}
