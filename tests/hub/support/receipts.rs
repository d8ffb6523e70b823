//! What became of a publication. In: the answer to a ping or a push. Out: its receipt, once it stands as a test wants it.
//! This is how the tests show that something does *not* arrive: the receipt says that nothing is left to be done.

use serde_json::Value;

use super::{ADMIN, Hub, Response, client::bearer, eventually};

/// Nothing more happens to a receipt in one of these states.
const ENDED: [&str; 4] = ["unchanged", "unheard", "failed", "complete"];

impl Hub {
    /// The receipt that an answer points to, as it is now.
    pub async fn receipt(&self, answer: &Response) -> Value {
        self.get(answer.location()).await.expect(200).json()
    }

    /// Waits until a receipt is as `fits` wants it.
    pub async fn receipt_when(&self, answer: &Response, fits: impl Fn(&Value) -> bool) -> Value {
        let last = std::cell::RefCell::new(Value::Null);
        let wait = eventually("a receipt", async || {
            let receipt = self.receipt(answer).await;
            *last.borrow_mut() = receipt.clone();
            fits(&receipt).then_some(receipt)
        });
        match tokio::time::timeout(super::PATIENCE.mul_f32(0.9), wait).await {
            Ok(receipt) => receipt,
            Err(_) => panic!("the receipt stays like this: {:#}", last.borrow()),
        }
    }

    /// Waits until nothing more will happen to it.
    pub async fn ended(&self, answer: &Response) -> Value {
        self.receipt_when(answer, |receipt| {
            ENDED.iter().any(|state| receipt["state"] == *state)
        })
        .await
    }

    /// Pings one topic and waits until nothing more will happen.
    pub async fn publish(&self, topic: &str) -> Value {
        let answer = self.ping(&[topic]).await.expect(204);
        self.ended(&answer).await
    }

    /// Pushes `text/plain` content of a topic.
    pub async fn push_text(&self, topic: &str, text: &str) -> Response {
        let answer = self.push(topic, "text/plain", text.as_bytes());
        answer.await.expect(202)
    }

    /// Pushes `text/plain` content of a topic and waits until nothing more will happen.
    pub async fn publish_text(&self, topic: &str, text: &str) -> Value {
        let answer = self.push_text(topic, text).await;
        self.ended(&answer).await
    }

    /// The targets that have not got a publication.
    pub async fn missing(&self, answer: &Response) -> Vec<Value> {
        let url = format!("{}/missing", answer.location());
        let admin = bearer(ADMIN);
        let page = self
            .request("GET", self.path_of(&url), &[("Authorization", &admin)], b"")
            .await
            .expect(200)
            .json();
        page["items"].as_array().expect("a page of items").clone()
    }
}

/// Asserts the counts of a receipt: targets, delivered, waiting in a backlog, given up, gone.
#[track_caller]
pub fn assert_counts(receipt: &Value, expected: [u64; 5]) {
    let names = ["targets", "delivered", "in_backlog", "given_up", "gone"];
    let counts = names.map(|name| receipt[name].as_u64().unwrap_or(u64::MAX));
    assert_eq!(counts, expected, "{names:?} of {receipt:#}");
}
