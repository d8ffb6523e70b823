//! Why SocialGateway's API refuses a request, and the answer that says so in its form.

use serde_json::{Value, json};

use crate::flow::hooks::HookError;
use crate::store::StoreError;
use crate::web::Answer;
use crate::web::problem::{Problem, json_answer};
use warp::http::StatusCode;

/// What is said of a URL that is none, to the letter.
const BAD_URL: &str = "The URL you've entered is not valid. Please make sure that you encode all special characters first";

/// See the module.
#[derive(Debug)]
pub enum Refusal {
    /// 404: no such thing, or not for this client.
    NotFound,
    /// 400.
    NotJson,
    /// 422: a field is of no use.
    Field {
        /// The field.
        field: &'static str,
        /// `missing_field` or `invalid`.
        code: &'static str,
    },
    /// 422, in words.
    Custom(String),
    /// Whatever can be wrong with any request.
    Other(Problem),
}

impl Refusal {
    /// A field is not there that must be.
    pub fn missing(field: &'static str) -> Self {
        let code = "missing_field";
        Self::Field { field, code }
    }

    /// Something that only words can tell.
    pub fn custom(words: String) -> Self {
        Self::Custom(words)
    }

    /// A member is of another type than it should be.
    pub fn wrong(problem: Problem) -> Self {
        Self::Custom(problem.to_string())
    }

    /// What is told where no JSON is spoken.
    pub fn words(&self) -> String {
        match self {
            Self::NotFound => "Not Found".into(),
            Self::NotJson => "Problems parsing JSON".into(),
            Self::Field { field, code } => format!("{field}: {code}"),
            Self::Custom(words) => words.clone(),
            Self::Other(problem) => problem.to_string(),
        }
    }

    /// The answer. `base` is the hub's URL.
    pub fn answer(&self, base: &str) -> Answer {
        let (status, mut told) = match self {
            Self::NotFound => (StatusCode::NOT_FOUND, json!({ "message": "Not Found" })),
            Self::NotJson => (
                StatusCode::BAD_REQUEST,
                json!({ "message": "Problems parsing JSON" }),
            ),
            Self::Field { field, code } => unprocessable(json!({
                "resource": "Hook", "field": field, "code": code,
            })),
            Self::Custom(words) => unprocessable(json!({
                "resource": "Hook", "code": "custom", "message": words,
            })),
            Self::Other(problem) => {
                let message = match problem {
                    Problem::NoToken => "Requires authentication".to_owned(),
                    other => other.to_string(),
                };
                (problem.status(), json!({ "message": message }))
            }
        };
        // The hub's page for people: the only documentation that it serves.
        told["documentation_url"] = base.into();
        let mut answer = json_answer(status, &told);
        if let Self::Other(problem) = self {
            // Its headers, such as WWW-Authenticate, what stands beside it, and what it logs.
            let plain = problem.answer(true);
            *answer.extensions_mut() = plain.extensions().clone();
            for (name, value) in plain.headers() {
                if !answer.headers().contains_key(name) {
                    answer.headers_mut().insert(name.clone(), value.clone());
                }
            }
        }
        answer
    }
}

fn unprocessable(error: Value) -> (StatusCode, Value) {
    let told = json!({ "message": "Validation Failed", "errors": [error] });
    (StatusCode::UNPROCESSABLE_ENTITY, told)
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Hook(error) => error.into(),
            other => Self::Other(other),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl From<HookError> for Refusal {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Url(_) => Self::Custom(BAD_URL.into()),
            HookError::Exists { .. } => {
                Self::Custom("Hook already exists on this repository".into())
            }
            HookError::Service(_) => Self::Field {
                field: "name",
                code: "invalid",
            },
            HookError::NoHook(_) => Self::NotFound,
            HookError::Store(error) => error.into(),
            other => Self::Custom(other.to_string()),
        }
    }
}
