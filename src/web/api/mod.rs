//! The administrator's view: topics and subscriptions, page by page and one by one, and the hub itself.

pub mod about;
pub mod subscriptions;
pub mod topics;

/// What to look for, whatever its case; nothing finds everything.
struct Search(String);

impl Search {
    pub fn of(text: Option<&str>) -> Self {
        Self(text.unwrap_or_default().to_lowercase())
    }

    pub fn finds(&self, texts: &[&str]) -> bool {
        self.0.is_empty()
            || texts
                .iter()
                .any(|text| text.to_lowercase().contains(&self.0))
    }
}
