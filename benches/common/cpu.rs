//! CPU time: on a machine that others use too it says more than the time on the clock.

/// Ticks of `/proc/self/stat`, which Linux counts a hundred of in a second, whatever the kernel's own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that this process has used, in user and kernel.
pub fn of_this_process() -> f64 {
    sum_of_fields(14)
}

/// Seconds that its children have used that have ended.
pub fn of_children() -> f64 {
    sum_of_fields(16)
}

/// Field `first` (counted from 1, as proc(5) does) and the one after it.
fn sum_of_fields(first: usize) -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The second field, the program's name in parentheses, may contain blanks.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let fields = rest.split_whitespace().skip(first - 3).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / TICKS_PER_SECOND
}
