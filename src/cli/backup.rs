//! `fanfare backup` and `fanfare restore`: all that a hub keeps, in one file, and back. In: a hub that runs, or the folder of one that
//! does not; a file and an empty folder. Out: the file; a folder of which it is proven that it has what the file has.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::PATIENCE;
use super::exit::Failure;
use super::progress::{Progress, Whole};
use super::remote::{Remote, RemoteArgs};
use super::table::table;
use super::transfer::{Folder, SafeFile};
use crate::app;
use crate::domain::notation;
use crate::flow::backups::{Backup, Backups};
use crate::flow::clock::Clock;
use crate::store::archive::Contents;
use crate::store::restore::{RestoreError, Restored, restore};

pub const BACKUP_EXAMPLE: &str = "\
Examples:
  fanfare backup --output hub.fanfare
  fanfare backup --output - | zstd > hub.fanfare.zst
  fanfare backup --data-dir /var/lib/fanfare --output hub.fanfare

The first two ask a hub that runs, and need its administrator's token; it goes on meanwhile.
The last one takes the data folder of a hub that does not.
Everything is in the file, secrets too: keep it safe.";

pub const RESTORE_EXAMPLE: &str = "\
Examples:
  fanfare restore hub.fanfare --data-dir /var/lib/fanfare
  zstd -dc hub.fanfare.zst | fanfare restore - --data-dir ./data

The folder must be empty, or not be there. Afterwards it is whole, compared with the file row by
row, or it is not there at all.";

#[derive(Args, Debug)]
pub struct BackupArgs {
    /// Where to write, readable by you alone; - is standard output
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    remote: RemoteArgs,
}

#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// What `fanfare backup` has written; - is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Makes a backup of a hub that runs, or of the folder that is named.
///
/// # Errors
/// If the hub does not give one, if the folder is in use, or if the file cannot be written.
pub async fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let said = match args.folder.is_named() {
        true => of_folder(args).await?,
        false => of_hub(args).await?,
    };
    if args.remote.json() {
        match args.output.as_os_str() == "-" {
            true => eprintln!("{said}"),
            false => super::say(&format!("{said}\n"))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let contents: Contents = serde_json::from_value(said.clone())?;
    let bytes = said["bytes"].as_u64().unwrap_or_default();
    let size = notation::format_size(usize::try_from(bytes)?);
    eprintln!("{}", summary(&contents));
    eprintln!(
        "backed up: {} rows as of {}, {size}, SHA-256 {}",
        contents.rows,
        said["made_at"].as_str().unwrap_or("now"),
        contents.sha256
    );
    Ok(ExitCode::SUCCESS)
}

async fn of_hub(args: &BackupArgs) -> anyhow::Result<Value> {
    let remote = Remote::patient(&args.remote, PATIENCE)?;
    let progress = Progress::begin("the hub makes the backup", Whole::One, args.remote.json);
    let said = remote.ask(Method::POST, "api/v1/backups", None).await?;
    let (Some(id), Some(bytes)) = (said["id"].as_str(), said["bytes"].as_u64()) else {
        bail!("the hub does not answer as a Fanfare hub does");
    };
    let path = format!("api/v1/backups/{id}");
    write(args, async |out| {
        let mut sum = Sha256::new();
        let mut from = 0;
        progress.then("backing up", Whole::Bytes(bytes));
        while from < bytes {
            let piece = remote.bytes(&format!("{path}?from={from}")).await?;
            if piece.is_empty() {
                bail!("the hub has sent {from} of {bytes} bytes, and then nothing");
            }
            out.write_all(&piece)?;
            sum.update(&piece);
            from += piece.len() as u64;
            progress.at(from);
        }
        Ok(())
    })
    .await?;
    // It would be removed in a while anyway.
    let _ = remote.ask(Method::DELETE, &path, None).await;
    Ok(said)
}

async fn of_folder(args: &BackupArgs) -> anyhow::Result<Value> {
    let config = args.folder.settings()?;
    let folder = config.data_dir.display();
    if !config.data_dir.is_dir() {
        bail!(Failure::not_found(format!(
            "there is no data folder {folder}"
        )));
    }
    let store = app::open_store(&config)?;
    let backups = app::backups(&config, store.clone(), Clock::System)?;
    let progress = Progress::begin("making the backup", Whole::One, args.remote.json);
    let made = backups.make().await?;
    progress.then("backing up", Whole::Bytes(made.bytes));
    let written = write(args, async |out| {
        copy(&backups, &made, out, &progress).await
    })
    .await;
    backups.remove(made.id).await?;
    store.close().await?;
    written?;
    let mut said = serde_json::to_value(&made.contents)?;
    said["bytes"] = json!(made.bytes);
    said["made_at"] = json!(made.made_at.to_string());
    Ok(said)
}

async fn copy(
    backups: &Backups,
    made: &Backup,
    out: &mut dyn Write,
    progress: &Progress,
) -> anyhow::Result<()> {
    let mut from = 0;
    while let Some(piece) = backups.piece(made.id, from, 4 << 20).await? {
        if piece.is_empty() {
            break;
        }
        out.write_all(&piece)?;
        from += piece.len() as u64;
        progress.at(from);
    }
    Ok(())
}

/// Has the file written; it takes its name when it is whole.
async fn write(
    args: &BackupArgs,
    writing: impl AsyncFnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if args.output.as_os_str() == "-" {
        let mut out = io::stdout().lock();
        writing(&mut out).await?;
        return Ok(out.flush()?);
    }
    let cannot = || format!("cannot write {}", args.output.display());
    let mut file = SafeFile::create(&args.output).with_context(cannot)?;
    writing(&mut file.out).await?;
    file.finish().with_context(cannot)
}

/// Restores a backup.
///
/// # Errors
/// If the folder is not empty, if the backup is not whole, or if what was written is not what is there.
pub fn restored(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let folder = args.folder.settings()?.data_dir;
    let done = match args.input.as_os_str() == "-" {
        true => from(io::stdin().lock(), Whole::Open, &folder, args.json),
        false => {
            let cannot = || format!("cannot read {}", args.input.display());
            let file = File::open(&args.input).with_context(cannot)?;
            let bytes = file.metadata().with_context(cannot)?.len();
            from(file, Whole::Bytes(bytes), &folder, args.json)
        }
    };
    let Restored {
        head,
        contents,
        unreadable,
    } = done.with_context(|| format!("{} is not restored", args.input.display()))?;
    if args.json {
        let said = json!({
            "data_dir": folder,
            "made_at": head.made_at,
            "version": head.version,
            "rows": contents.rows,
            "kinds": contents.kinds,
            "sha256": contents.sha256,
            "unreadable": unreadable,
        });
        super::say(&format!("{said}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let readable = match unreadable {
        0 => "all can be read".to_owned(),
        some => format!("{some} could not be read in the hub that was backed up, and cannot here"),
    };
    super::say(&format!(
        "{}\nrestored into {}: {} rows as of {}. The store was closed and opened again; the rows of each kind are as many as in the \
         backup, with the same SHA-256, and {readable}.\n",
        summary(&contents),
        folder.display(),
        contents.rows,
        head.made_at,
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn from(
    archive: impl Read,
    whole: Whole,
    folder: &Path,
    json: bool,
) -> Result<Restored, RestoreError> {
    let progress = Progress::begin("restoring", whole, json);
    restore(progress.reading(archive), folder, |row, rows| {
        if row == 0 {
            progress.then("comparing", Whole::Items(rows));
        }
        progress.at(row);
    })
}

fn summary(contents: &Contents) -> String {
    let rows = contents.kinds.iter().map(|(name, kind)| {
        let short = kind.sha256.get(..16).unwrap_or_default().to_owned();
        [name.clone(), kind.rows.to_string(), short]
    });
    let rows: Vec<_> = rows.collect();
    table(["KIND", "ROWS", "SHA-256"], &rows)
}
