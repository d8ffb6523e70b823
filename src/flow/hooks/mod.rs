//! The desk: hooks are made, edited, enabled, disabled and deleted here. In: what an administrator wants. Out: the hook as it
//! is kept, or what is wrong with the wish; then nothing has changed.
//!
//! Invariants:
//! 1. Who changes a hook's row holds the desk, and reads the row while holding it.
//! 2. A hook that is kept has passed `check`; only to disable one, nothing is checked.
//! 3. `active_since` moves only when a hook begins to be active. It does not when its events grow: what was accepted before, and
//!    what it asked for then, may not have been visited yet, and would be lost. (An event of the new ones that was accepted
//!    moments before may reach it. That is the lesser evil.)
//! 4. What was accepted until a hook was disabled is for it: `inactive_since` says when that was.
//! 5. What waits for a hook may be tried at once after each edit.

pub mod check;
mod error;
mod preview;

use self::check::{Reachable, check, check_beside, same_service};
pub use self::error::HookError;
pub use self::preview::{Preview, Shown};
use super::Hub;
use super::clock::random_bytes;
use super::notice::Notice;
use crate::domain::delivery::DeliveryId;
use crate::domain::event::EventPattern;
use crate::domain::hook::{Hook, HookId, OldSecret, Receiver, Signing};
use crate::domain::source::{Dialect, Source, SourceName};
use crate::domain::value::{Secret, Timestamp};
use crate::store::{Change, HookChange, StoreError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Rows that are read at a time.
const STEP: usize = 500;

/// A hook that was asked for.
#[derive(Clone, Debug)]
pub struct Created {
    /// It.
    pub hook: Hook,
    /// False for a service that the source had a hook for: that one was edited instead.
    pub is_new: bool,
}

/// A hook with everything as it is unless somebody says otherwise, and yet without a number.
///
/// # Errors
/// What is wrong with the receiver.
pub fn draft(
    source: &Source,
    events: Vec<EventPattern>,
    receiver: Receiver,
) -> Result<Hook, HookError> {
    let endpoint = check::endpoint(&receiver)?;
    Ok(Hook::plain(source, events, receiver, endpoint))
}

/// A secret of a hook's own: 40 hexadecimal digits as Mastodon makes them, or one of Standard Webhooks for who signs so.
pub fn new_secret(signing: Signing) -> Option<Secret> {
    let text = match signing {
        Signing::Dialect => hex::encode(random_bytes::<20>()),
        Signing::Both | Signing::Standard => {
            format!("whsec_{}", BASE64.encode(random_bytes::<32>()))
        }
    };
    Secret::parse(&text).ok()
}

/// A private key for the signatures `v1a` of Standard Webhooks.
pub fn new_signing_key() -> [u8; 32] {
    random_bytes()
}

impl Hub {
    /// Makes a hook of a draft, whose number and times do not count. For a service that the source has a hook for, that one is
    /// edited, if `may_edit` lets it be: a source has one at most.
    ///
    /// # Errors
    /// What is wrong with it, or what `may_edit` says of the hook that is there.
    pub async fn create_hook<E: From<HookError>>(
        &self,
        draft: Hook,
        may_edit: impl FnOnce(&Hook) -> Result<(), E>,
    ) -> Result<Created, E> {
        let _desk = self.desk.lock().await;
        let _source = self.take_source(&draft.source).await;
        let source = self.source_of(&draft.source).await?;
        let others = self.all_hooks_of(&source.name).await;
        let others = others.map_err(HookError::from)?;
        if let Some(before) = same_service(&draft, &others) {
            may_edit(before)?;
            let hook = self
                .keep_hook(Some(before), draft, &source, &others)
                .await?;
            return Ok(Created {
                hook,
                is_new: false,
            });
        }
        let hook = Hook {
            id: self.store.next_hook().await.map_err(HookError::from)?,
            ..draft
        };
        let hook = self.keep_hook(None, hook, &source, &others).await?;
        tracing::info!(hook = %hook.id, source = %hook.source, origin = hook.endpoint.origin(), "hook made");
        Ok(Created { hook, is_new: true })
    }

    /// Changes a hook. Its number, its source and its times are not `edit`'s to change.
    ///
    /// # Errors
    /// What `edit` says, or what is wrong with the hook as edited.
    pub async fn edit_hook<E: From<HookError>>(
        &self,
        id: HookId,
        edit: impl FnOnce(&mut Hook) -> Result<(), E>,
    ) -> Result<Hook, E> {
        let _desk = self.desk.lock().await;
        let before = self.hook_of(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        let source = self.source_of(&before.source).await?;
        let others = self.all_hooks_of(&before.source).await;
        let others = others.map_err(HookError::from)?;
        Ok(self
            .keep_hook(Some(&before), after, &source, &others)
            .await?)
    }

    /// Lets a hook get events from now on.
    ///
    /// # Errors
    /// What is wrong with it by now: its source may have changed.
    pub async fn enable_hook(&self, id: HookId) -> Result<Hook, HookError> {
        self.edit_hook(id, |hook| {
            hook.active = true;
            Ok(())
        })
        .await
    }

    /// Lets a hook get nothing any more; what waits for it is not sent either.
    ///
    /// # Errors
    /// There is no such hook; the store's.
    pub async fn disable_hook(&self, id: HookId) -> Result<Hook, HookError> {
        self.disable(id, None).await?.ok_or(HookError::NoHook(id))
    }

    /// Disables a hook for a reason that its owner did not give, unless it is already. What it has not got waits for it to be enabled
    /// again.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn switch_off(&self, id: HookId, because: &str) -> Result<(), StoreError> {
        self.disable(id, Some(because)).await.map(drop)
    }

    /// Gives a hook another secret: this one, or a new one of its own. The old one signs beside it for a while.
    ///
    /// # Errors
    /// What is wrong with the secret.
    pub async fn rotate_secret(
        &self,
        id: HookId,
        secret: Option<Secret>,
    ) -> Result<Hook, HookError> {
        let overlap = self.settings.hooks.secret_overlap;
        let until = self.clock.now().plus(overlap);
        self.edit_hook(id, |hook| {
            let secret = secret.or_else(|| new_secret(hook.signing));
            let old = std::mem::replace(&mut hook.secret, secret);
            let old = old.filter(|_| !overlap.is_zero());
            hook.old_secret = old.map(|secret| OldSecret { secret, until });
            Ok(())
        })
        .await
    }

    /// Ends a hook, with all that is kept of it.
    ///
    /// # Errors
    /// There is no such hook; the store's. A hook whose end fails halfway is inactive and can be deleted again.
    pub async fn delete_hook(&self, id: HookId) -> Result<(), HookError> {
        let hook = self.disable_hook(id).await?;
        self.forget_deliveries(id, DeliveryId(u64::MAX)).await?;
        self.shorten_backlog(id.target()).await?;
        let _desk = self.desk.lock().await;
        self.store
            .commit(vec![HookChange::DropHook(id).into()])
            .await?;
        tracing::info!(hook = %id, source = %hook.source, origin = hook.endpoint.origin(), "hook deleted");
        Ok(())
    }

    /// The hooks of a source, by number.
    ///
    /// # Errors
    /// The store's.
    pub async fn all_hooks_of(&self, source: &SourceName) -> Result<Vec<Hook>, StoreError> {
        let mut hooks: Vec<Hook> = Vec::new();
        loop {
            let after = hooks.last().map(|hook| hook.id);
            let step = self.store.hooks_of(source, after, STEP).await?;
            let is_last = step.len() < STEP;
            hooks.extend(step);
            if is_last {
                return Ok(hooks);
            }
        }
    }

    /// Checks a hook, in the place of what it was before, and makes it durable.
    async fn keep_hook(
        &self,
        before: Option<&Hook>,
        after: Hook,
        source: &Source,
        others: &[Hook],
    ) -> Result<Hook, HookError> {
        let most = self.settings.hooks_per_source;
        if before.is_none() && most > 0 && others.len() as u64 >= most {
            return Err(HookError::TooMany {
                source_name: source.name.clone(),
                most,
            });
        }
        let hook = settled(before, after, source, self.clock.now());
        let hook = check(hook, source, &self.reachable())?;
        check_beside(&hook, others)?;
        // Who was mended gets what waits for it at once.
        let mut changes = vec![
            self.put(hook.clone()),
            Change::Rouse {
                target: hook.id.target(),
                at: self.clock.now(),
            },
        ];
        if before.is_some_and(|before| !before.active) && hook.active {
            // Who is given another chance is not held to old failures.
            let mut health = self.store.health(hook.id).await?;
            health.forgive(hook.active_since);
            changes.push(HookChange::Health(hook.id, health).into());
        }
        let was_switched_off = before.is_some_and(|before| before.disabled_because.is_some());
        if was_switched_off && hook.active {
            self.commit_with_notice(changes, Notice::Enabled, &hook)
                .await?;
        } else {
            self.store.commit(changes).await?;
        }
        if hook.active {
            self.knock(hook.id.target(), self.clock.now());
        }
        Ok(hook)
    }

    /// Disables a hook; `because` is the hub's own reason, which is told in the same commit. `None` if there is no such hook.
    async fn disable(&self, id: HookId, because: Option<&str>) -> Result<Option<Hook>, StoreError> {
        let _desk = self.desk.lock().await;
        let Some(mut hook) = self.store.hook(id).await? else {
            return Ok(None);
        };
        if because.is_some() && !hook.active {
            return Ok(Some(hook));
        }
        let now = self.clock.now();
        if hook.active {
            hook.inactive_since = Some(now);
        }
        hook.active = false;
        hook.disabled_because = because.map(str::to_owned);
        hook.updated_at = now;
        let changes = vec![self.put(hook.clone())];
        match because {
            None => self.store.commit(changes).await?,
            Some(reason) => {
                tracing::warn!(hook = %id, source = %hook.source, reason, "a hook is disabled");
                let notice = Notice::Disabled(reason);
                self.commit_with_notice(changes, notice, &hook).await?;
            }
        }
        Ok(Some(hook))
    }

    fn put(&self, hook: Hook) -> Change {
        let topics = hook.topics(&self.url);
        HookChange::PutHook { hook, topics }.into()
    }

    fn reachable(&self) -> Reachable<'_> {
        Reachable {
            guard: &self.callbacks,
            denied: &self.settings.subscriptions.callback_hosts_deny,
        }
    }

    async fn hook_of(&self, id: HookId) -> Result<Hook, HookError> {
        let hook = self.store.hook(id).await?;
        hook.ok_or(HookError::NoHook(id))
    }

    async fn source_of(&self, name: &SourceName) -> Result<Source, HookError> {
        let source = self.store.source(name).await?;
        source.ok_or_else(|| HookError::NoSource(name.clone()))
    }
}

/// A hook as it follows from what it was before and what is wanted now: what is not the administrator's to say is put right.
fn settled(before: Option<&Hook>, mut after: Hook, source: &Source, now: Timestamp) -> Hook {
    after.source = source.name.clone();
    after.updated_at = now;
    after.created_at = before.map_or(now, |before| before.created_at);
    if let Some(before) = before {
        after.id = before.id;
        if after.secret != before.secret && after.old_secret == before.old_secret {
            // Replaced, not rotated.
            after.old_secret = None;
        }
    }
    let was_active = before.filter(|before| before.active);
    after.active_since = was_active.map_or(now, |before| before.active_since);
    let was_off = before.is_some_and(|before| !before.active);
    after.inactive_since = match after.active || was_off {
        true => before.and_then(|before| before.inactive_since),
        false => Some(now),
    };
    if after.active {
        after.disabled_because = None;
    }
    let must_sign = matches!(after.dialect, Dialect::Mastodon | Dialect::Pleroma)
        && matches!(after.receiver, Receiver::Web { .. });
    if must_sign && after.secret.is_none() {
        after.secret = new_secret(after.signing);
    }
    after
}

#[cfg(test)]
mod tests;
