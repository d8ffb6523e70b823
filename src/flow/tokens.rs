//! The tokens that the hub gives out. In: what one may do. Out: its text, once; later its digest finds it.
//!
//! Invariant: what is in memory is in the store; each request looks here, so that none waits for the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use super::Hub;
use super::clock::{new_id, new_token};
use crate::domain::event::EventPattern;
use crate::domain::token::{Role, SourcePattern, Token, TokenDigest, digest};
use crate::domain::value::Timestamp;
use crate::store::{HookChange, StoreError};

/// The tokens that were given out.
#[derive(Default)]
pub(super) struct Tokens(RwLock<HashMap<TokenDigest, Arc<Token>>>);

/// What a token is to be.
#[derive(Clone, Debug)]
pub struct TokenDraft {
    /// What its owner calls it.
    pub name: String,
    /// What it lets its holder do.
    pub role: Role,
    /// Where.
    pub sources: Vec<SourcePattern>,
    /// For which events; none named is all.
    pub events: Vec<EventPattern>,
    /// From when it is worth nothing.
    pub expires_at: Option<Timestamp>,
}

impl Hub {
    /// The token with a digest, unless it has expired.
    pub fn token(&self, digest: &TokenDigest) -> Option<Arc<Token>> {
        let now = self.clock.now();
        let tokens = self.tokens.0.read().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(digest)
            .filter(|token| token.is_live(now))
            .cloned()
    }

    /// All tokens, the oldest first; those that have expired too.
    ///
    /// # Errors
    /// The store's.
    pub async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.store.tokens().await
    }

    /// Gives out a token. Its text comes with it: the only time that it can be had.
    ///
    /// # Errors
    /// The store's.
    pub async fn issue_token(&self, draft: TokenDraft) -> Result<(Token, String), StoreError> {
        let text = new_token();
        let token = Token {
            id: new_id(),
            name: draft.name,
            digest: digest(&text),
            role: draft.role,
            sources: draft.sources,
            events: draft.events,
            created_at: self.clock.now(),
            expires_at: draft.expires_at,
        };
        let put = HookChange::PutToken(token.clone()).into();
        self.store.commit(vec![put]).await?;
        tracing::info!(token.id = %token.id, token.name, token.role = token.role.name(), "token given out");
        let shared = Arc::new(token.clone());
        self.change_tokens(|tokens| drop(tokens.insert(token.digest, shared)));
        Ok((token, text))
    }

    /// Makes a token worth nothing. False if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke_token(&self, id: Uuid) -> Result<bool, StoreError> {
        let is_known = self.tokens().await?.iter().any(|token| token.id == id);
        if is_known {
            let dropped = HookChange::DropToken(id).into();
            self.store.commit(vec![dropped]).await?;
            self.change_tokens(|tokens| tokens.retain(|_, token| token.id != id));
            tracing::info!(token.id = %id, "token revoked");
        }
        Ok(is_known)
    }

    /// Reads what an earlier process has given out.
    pub(super) async fn load_tokens(&self) -> Result<(), StoreError> {
        let tokens = self.tokens().await?.into_iter();
        let known = tokens.map(|token| (token.digest, Arc::new(token)));
        self.change_tokens(|tokens| tokens.extend(known));
        Ok(())
    }

    fn change_tokens(&self, change: impl FnOnce(&mut HashMap<TokenDigest, Arc<Token>>)) {
        let mut tokens = self
            .tokens
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut tokens);
    }
}
