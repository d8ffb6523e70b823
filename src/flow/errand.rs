//! Errands: one hook is told of one event because somebody asked. In: a hook and what it shall be told. Out: a delivery, which the
//! log has too. An errand is one attempt, and nowhere written down before that: with the process it ends.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::Hub;
use super::clock::new_publication_id;
use super::editions::Edition;
use super::tell::Why;
use super::traces;
use crate::dialect::repository;
use crate::dialect::socialgateway::PING;
use crate::domain::delivery::{Delivery, DeliveryId, RequestBody, Writing};
use crate::domain::event::EventName;
use crate::domain::hook::Hook;
use crate::domain::publication::{EventMark, Publication};
use crate::domain::source::Dialect;
use crate::domain::value::PublicationId;
use crate::store::StoreError;

/// The event that tests are made of.
const PUSH: &str = "push";

/// What a hook shall be told.
#[derive(Clone, Copy, Debug)]
pub enum Errand {
    /// That it is there.
    Ping,
    /// The latest push, if it asks for pushes and there was one.
    Test,
    /// What it was told before, if that is still kept.
    Again(DeliveryId),
}

impl Hub {
    /// Begins an errand; whoever asked need not wait for the receiver.
    pub fn run(self: &Arc<Self>, errand: Errand, hook: Hook) {
        let hub = Arc::clone(self);
        let errand = async move {
            let id = hook.id;
            if let Err(error) = hub.do_errand(errand, hook).await {
                tracing::error!(hook = %id, ?errand, %error, "the store failed an errand");
            }
        };
        self.tracker
            .spawn(traces::within(traces::current(), errand));
    }

    /// The body of the request of a delivery; `own` is what was kept beside it. `None` if it can no longer be made.
    ///
    /// # Errors
    /// The store's.
    pub async fn request_body(
        &self,
        hook: &Hook,
        delivery: &Delivery,
        own: Bytes,
    ) -> Result<Option<Bytes>, StoreError> {
        let writing = match delivery.request.body {
            RequestBody::Own => return Ok(Some(own)),
            RequestBody::Default(writing) => writing,
            RequestBody::Undated { content_type } => Writing::of(hook, content_type),
        };
        let edition = self.edition(delivery.publication).await?;
        let occurrence = edition.as_ref().and_then(|edition| edition.occurrence());
        Ok(occurrence.map(|event| event.default_body(writing)))
    }

    async fn do_errand(&self, errand: Errand, hook: Hook) -> Result<(), StoreError> {
        let id = hook.id;
        let edition = match errand {
            Errand::Ping => Some(self.new_ping(&hook).await?),
            Errand::Test => self.latest_push(&hook).await?,
            Errand::Again(delivery) => self.told_before(&hook, delivery).await?,
        };
        let why = match errand {
            Errand::Ping => Why::Ping,
            Errand::Test => Why::Test,
            Errand::Again(_) => Why::Redelivery,
        };
        if let Some(edition) = edition {
            // What came of it stands in the log.
            self.tell(&edition, id, why).await?;
        }
        Ok(())
    }

    /// A ping, with which a trace begins.
    async fn new_ping(&self, hook: &Hook) -> Result<Arc<Edition>, StoreError> {
        let ping = self.ping_of(hook, new_publication_id()).await?;
        let publication = ping.publication();
        let (id, at) = (publication.id, publication.accepted_at);
        let topic = publication.topic.as_str();
        self.traces.accepted(id, traces::PING, topic, at, at);
        Ok(Arc::new(ping))
    }

    async fn latest_push(&self, hook: &Hook) -> Result<Option<Arc<Edition>>, StoreError> {
        let push = EventName::parse(PUSH).expect("a constant that is a name");
        if !hook.wants(&push) {
            return Ok(None);
        }
        let topic = hook.source.topic(&self.url, &push);
        match self.store.latest_event(topic.id()).await? {
            Some(latest) => self.edition(latest).await,
            None => Ok(None),
        }
    }

    async fn told_before(
        &self,
        hook: &Hook,
        delivery: DeliveryId,
    ) -> Result<Option<Arc<Edition>>, StoreError> {
        let Some((delivery, _)) = self.store.delivery(hook.id, delivery).await? else {
            return Ok(None);
        };
        let kept = self.edition(delivery.publication).await?;
        if kept.is_none() && delivery.event.as_str() == PING {
            let ping = self.ping_of(hook, delivery.publication).await?;
            return Ok(Some(Arc::new(ping)));
        }
        Ok(kept)
    }

    /// A ping: an event that only its hook hears of, and that is nowhere kept.
    async fn ping_of(&self, hook: &Hook, id: PublicationId) -> Result<Edition, StoreError> {
        let payload = match hook.dialect {
            Dialect::SocialGateway => {
                let health = self.store.health(hook.id).await?;
                repository::ping(&self.url, hook, &health)
            }
            _ => json!({ "hook": hook.id, "source": hook.source.as_str() }),
        };
        let payload = payload.to_string();
        let name = EventName::parse(PING).expect("a constant that is a name");
        let now = self.clock.now();
        let topic = hook.source.topic(&self.url, &name);
        let publication = Publication {
            id,
            self_url: topic.as_str().to_owned(),
            topic,
            content_type: "application/json".into(),
            hubs: vec![self.url.clone()],
            size: payload.len() as u64,
            accepted_at: now,
            event: Some(EventMark {
                source: hook.source.clone(),
                name,
                dialect: Dialect::Websub,
                created_at: now,
            }),
        };
        Ok(self.edition_of(publication, payload.into()))
    }
}
