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
use serde_json::json;

use self::line::{Importer, Line};
use self::source::Source;
use super::exit::Failure;
use super::progress::{Progress, Whole};
use super::say;
use super::table::counted;
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
    /// Say in JSON how many there are, for programs; on standard error if they go to standard output
    #[arg(long)]
    json: bool,
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
    /// Say in JSON how many were imported and left out, for programs
    #[arg(long)]
    json: bool,
}

/// Writes every subscription whose lease still runs.
///
/// # Errors
/// If the data folder is missing or in use, or if the output cannot be written.
pub async fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let config = args.folder.settings()?;
    if !config.data_dir.is_dir() {
        bail!(Failure::not_found(format!(
            "there is no data folder {}; name the hub's own with --data-dir or --config",
            config.data_dir.display()
        )));
    }
    let store = app::open_store(&config)?;
    let now = Clock::System.now();
    let count = match &args.output {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let quiet = args.json || io::stdout().is_terminal();
            write_all(&store, now, &mut out, quiet).await?
        }
        Some(path) => {
            let cannot = || format!("cannot write {}", path.display());
            let mut file = SafeFile::create(path).with_context(cannot)?;
            let count = write_all(&store, now, &mut file.out, args.json).await?;
            file.finish().with_context(cannot)?;
            count
        }
    };
    store.close().await?;
    let said = json!({ "exported": count });
    match (args.json, &args.output) {
        (true, Some(_)) => say(&format!("{said}\n"))?,
        (true, None) => eprintln!("{said}"),
        (false, _) => eprintln!("{} exported", counted(count, "subscription")),
    }
    Ok(ExitCode::SUCCESS)
}

async fn write_all(
    store: &SharedStore,
    now: Timestamp,
    out: &mut impl Write,
    quiet: bool,
) -> anyhow::Result<u64> {
    let progress = Progress::begin("exporting", Whole::Open, quiet);
    let (mut after, mut count) = (None, 0);
    loop {
        let page = store.subscriptions(after, PAGE).await?;
        let Some(last) = page.last() else {
            out.flush()?;
            return Ok(count);
        };
        after = Some(last.id);
        for target in page
            .iter()
            .filter(|target| target.subscription.is_live(now))
        {
            Line::of(&target.subscription).write(out)?;
            count += 1;
            progress.more(1);
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
    let Checked { good, bad } = check(&mut source, &importer, args.json)?;
    if bad > 0 && !args.skip_bad {
        bail!(
            "{}, so nothing was imported; correct the input, or use --skip-bad",
            counted(bad, "bad line")
        );
    }
    let progress = Progress::begin("importing", Whole::Items(good), args.json);
    read_all(&store, &mut source, &importer, &progress).await?;
    drop(progress);
    store.close().await?;
    let imported = counted(good, "subscription");
    match (args.json, bad) {
        (true, _) => say(&format!("{}\n", json!({"imported": good, "left_out": bad})))?,
        (false, 0) => eprintln!("{imported} imported"),
        (false, _) => eprintln!("{imported} imported, {} left out", counted(bad, "bad line")),
    }
    Ok(ExitCode::SUCCESS)
}

/// How many lines are subscriptions, and how many are none.
struct Checked {
    good: u64,
    bad: u64,
}

/// Counts the lines, and names the bad ones.
fn check(source: &mut Source, importer: &Importer, json: bool) -> anyhow::Result<Checked> {
    let progress = Progress::begin("checking the lines", Whole::Open, json);
    let (mut checked, mut named) = (Checked { good: 0, bad: 0 }, String::new());
    source.rewind()?;
    while let Some(line) = source.next_line()? {
        progress.more(1);
        match importer.read(line.text) {
            Ok(_) => checked.good += 1,
            Err(error) => {
                checked.bad += 1;
                if checked.bad <= NAMED {
                    named += &format!("line {}: {error}\n", line.number);
                }
            }
        }
    }
    drop(progress);
    eprint!("{named}");
    if checked.bad > NAMED {
        eprintln!("... and {} more", checked.bad - NAMED);
    }
    Ok(checked)
}

async fn read_all(
    store: &SharedStore,
    source: &mut Source,
    importer: &Importer,
    progress: &Progress,
) -> anyhow::Result<()> {
    source.rewind()?;
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(line) = source.next_line()?
        {
            batch.extend(importer.read(line.text).ok().map(Change::Activate));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let size = batch.len();
        store.commit(batch).await?;
        progress.more(size as u64);
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
