//! `fanfare export` and `fanfare import`: subscriptions as JSON lines out of and into the data folder of a hub that does
//! not run, for moving between machines and in from other hubs. Memory is bounded whatever their number.

mod line;
mod source;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use self::line::{Importer, Line};
use self::source::Source;
use crate::app;
use crate::config::{self, Config, Flags};
use crate::domain::subscription::LeasePolicy;
use crate::domain::value::Timestamp;
use crate::flow::clock::Clock;
use crate::store::{Change, SharedStore};

pub const EXPORT_EXAMPLE: &str = "\
Example:
  fanfare export --data-dir ./data --output subscriptions.jsonl

Each line is one subscription, with its secret: keep the file safe.";

pub const IMPORT_EXAMPLE: &str = "\
Example:
  fanfare import subscriptions.jsonl --data-dir ./data

Each line is one subscription; only topic and callback must be there:
  {\"topic\":\"https://blog.example/feed\",\"callback\":\"https://me.example/hook\",\"secret\":\"...\",
   \"signature\":\"sha256\",\"expires_at\":\"2027-01-31T12:00:00Z\"}
They count as verified. A subscription without an end in the future gets the default lease from now.";

/// Rows that are read at once.
const PAGE: usize = 2_000;
/// Subscriptions that are made durable together.
const BATCH: usize = 5_000;
/// Bad lines that are named one by one.
const NAMED: u64 = 20;

/// Which data folder.
#[derive(Args, Debug)]
pub struct Folder {
    /// The settings file that names the data folder; ./config.toml is read if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of the hub, which must not be running
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    folder: Folder,
    /// Where to write, readable by you alone; without it, standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct ImportArgs {
    /// What to read; - is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// Leave bad lines out, and list them; without this, one bad line and nothing is imported
    #[arg(long)]
    skip_bad: bool,
}

/// Writes every subscription whose lease still runs.
///
/// # Errors
/// If the data folder is missing or in use, or if the output cannot be written.
pub async fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let config = args.folder.settings()?;
    if !config.data_dir.is_dir() {
        bail!(
            "there is no data folder {}; name the hub's own with --data-dir or --config",
            config.data_dir.display()
        );
    }
    let store = app::open_store(&config)?;
    let now = Clock::System.now();
    let count = match &args.output {
        None => write_all(&store, now, &mut BufWriter::new(io::stdout().lock())).await?,
        Some(path) => {
            let cannot = || format!("cannot write {}", path.display());
            let mut file = SafeFile::create(path).with_context(cannot)?;
            let count = write_all(&store, now, &mut file.out).await?;
            file.finish().with_context(cannot)?;
            count
        }
    };
    store.close().await?;
    eprintln!("{} exported", counted(count, "subscription"));
    Ok(ExitCode::SUCCESS)
}

async fn write_all(
    store: &SharedStore,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    let mut progress = Progress::new("exported");
    let mut after = None;
    loop {
        let page = store.subscriptions(after, PAGE).await?;
        let Some(last) = page.last() else {
            out.flush()?;
            return Ok(progress.end());
        };
        after = Some(last.id);
        for target in page
            .iter()
            .filter(|target| target.subscription.is_live(now))
        {
            Line::of(&target.subscription).write(out)?;
            progress.count(1);
        }
    }
}

/// A file with secrets in it: nobody else may read it, and it takes its name only when it is whole.
pub struct SafeFile<'a> {
    path: &'a Path,
    part: PathBuf,
    /// What is written so far.
    pub out: BufWriter<File>,
}

impl<'a> SafeFile<'a> {
    /// A file that begins, under another name.
    ///
    /// # Errors
    /// The system's.
    pub fn create(path: &'a Path) -> io::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        // One that an earlier export left may have been opened to others since.
        file.set_permissions(Permissions::from_mode(0o600))?;
        let out = BufWriter::new(file);
        Ok(Self { path, part, out })
    }

    /// The file is whole.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(self) -> io::Result<()> {
        let file = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(self.part, self.path)
    }
}

/// Reads subscriptions. The input is read twice, so that a bad line is found before anything is changed; what cannot be
/// read twice is first copied into a nameless file in the data folder.
///
/// # Errors
/// If the data folder is in use, if the input cannot be read, or if a line is bad and may not be left out.
pub async fn import(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let config = args.folder.settings()?;
    let store = app::open_store(&config)?;
    let mut source = Source::open(&args.input, &config.data_dir)?;
    let settings = &config.subscriptions;
    let importer = Importer {
        now: Clock::System.now(),
        leases: LeasePolicy {
            default: settings.default_lease,
            min: settings.min_lease,
            max: settings.max_lease,
        },
        url_bytes: config.limits.url_bytes,
    };
    let bad = check(&mut source, &importer)?;
    if bad > 0 && !args.skip_bad {
        bail!(
            "{}, so nothing was imported; correct the input, or use --skip-bad",
            counted(bad, "bad line")
        );
    }
    let count = read_all(&store, &mut source, &importer).await?;
    store.close().await?;
    let imported = counted(count, "subscription");
    match bad {
        0 => eprintln!("{imported} imported"),
        bad => eprintln!("{imported} imported, {} left out", counted(bad, "bad line")),
    }
    Ok(ExitCode::SUCCESS)
}

/// So many of them, in words.
fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// Names the bad lines and counts them.
fn check(source: &mut Source, importer: &Importer) -> anyhow::Result<u64> {
    let mut bad = 0;
    source.rewind()?;
    while let Some(line) = source.next_line()? {
        if let Err(error) = importer.read(line.text) {
            bad += 1;
            if bad <= NAMED {
                eprintln!("line {}: {error}", line.number);
            }
        }
    }
    if bad > NAMED {
        eprintln!("... and {} more", bad - NAMED);
    }
    Ok(bad)
}

async fn read_all(
    store: &SharedStore,
    source: &mut Source,
    importer: &Importer,
) -> anyhow::Result<u64> {
    let mut progress = Progress::new("imported");
    source.rewind()?;
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(line) = source.next_line()?
        {
            batch.extend(importer.read(line.text).ok().map(Change::Activate));
        }
        if batch.is_empty() {
            return Ok(progress.end());
        }
        let size = batch.len();
        store.commit(batch).await?;
        progress.count(size as u64);
    }
}

impl Folder {
    /// Whether the command line says anything of it.
    pub fn is_named(&self) -> bool {
        self.config.is_some() || self.data_dir.is_some()
    }

    /// The settings of the hub that it belongs to.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn settings(&self) -> anyhow::Result<Config> {
        let flags = Flags {
            listen: None,
            data_dir: self.data_dir.clone(),
        };
        let loaded = config::load(self.config.as_deref(), config::environment(), flags)?;
        Ok(loaded.config)
    }
}

/// Counts, and shows the count on a terminal now and then.
struct Progress {
    verb: &'static str,
    count: u64,
    is_shown: bool,
}

impl Progress {
    fn new(verb: &'static str) -> Self {
        Self {
            verb,
            count: 0,
            is_shown: io::stderr().is_terminal(),
        }
    }

    fn count(&mut self, more: u64) {
        let step = BATCH as u64;
        let before = self.count / step;
        self.count += more;
        if self.is_shown && self.count / step > before {
            eprint!("\r{} {} ", self.count, self.verb);
        }
    }

    fn end(self) -> u64 {
        if self.is_shown {
            eprint!("\r");
        }
        self.count
    }
}
