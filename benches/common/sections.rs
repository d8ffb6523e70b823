//! A benchmark of several sections. In: its arguments. Out: the sections that they name, or all, measured with more or less; and an
//! exit code that tells whether each was as it must be.

/// What is measured on its own, and its name. Says whether it is as it must be.
pub type Section<Size> = (&'static str, fn(&Size) -> bool);

/// A benchmark.
pub struct Bench<Size> {
    pub name: &'static str,
    pub full: Size,
    /// What `--quick` measures.
    pub quick: Size,
    pub sections: [Section<Size>; 4],
    /// What is said before the names of those that are not as they must be.
    pub complaint: &'static str,
}

impl<Size> Bench<Size> {
    /// Measures what the arguments ask for. Ends the process if something is not as it must be.
    pub fn run(self) {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let given = |name: &str| arguments.iter().any(|argument| argument == name);
        if !given("--bench") {
            println!("this takes minutes: cargo bench --bench {}", self.name);
            return;
        }
        let size = if given("--quick") {
            self.quick
        } else {
            self.full
        };
        let any_named = self.sections.iter().any(|(name, _)| given(name));
        let mut missed = Vec::new();
        for (name, measure) in self.sections {
            if (given(name) || !any_named) && !measure(&size) {
                missed.push(name);
            }
        }
        if !missed.is_empty() {
            println!("\n{}: {}", self.complaint, missed.join(", "));
            std::process::exit(1);
        }
    }
}

/// What comes is measured so.
pub fn title(text: &str) {
    println!("\n{text}");
}

/// The one in the middle.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
