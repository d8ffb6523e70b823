//! What a process costs. CPU time says more than the time on the clock, on a machine that others use too.

/// Ticks of `/proc/PID/stat`, which Linux counts a hundred of in a second, whatever the kernel's own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that this process has used, in user and kernel.
pub fn of_this_process() -> f64 {
    sum_of_fields("self", 14)
}

/// Seconds that its children have used that have ended.
pub fn of_children() -> f64 {
    sum_of_fields("self", 16)
}

/// Seconds that another process has used.
pub fn of_process(pid: u32) -> f64 {
    sum_of_fields(&pid.to_string(), 14)
}

/// What a process keeps in memory, in MB.
pub fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kib: f64 = kib
        .and_then(|kib| kib.parse().ok())
        .expect("a number of kB");
    kib * 1024.0 / 1e6
}

/// How many processes wanted to run during the last minute, on average.
pub fn load() -> f64 {
    let load = std::fs::read_to_string("/proc/loadavg").expect("Linux");
    let first = load.split_whitespace().next();
    first
        .and_then(|text| text.parse().ok())
        .expect("three numbers")
}

/// Field `first` of `/proc/PID/stat` (counted from 1, as proc(5) does) and the one after it.
fn sum_of_fields(pid: &str, first: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The second field, the program's name in parentheses, may contain blanks.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let fields = rest.split_whitespace().skip(first - 3).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum::<f64>()
        / TICKS_PER_SECOND
}
