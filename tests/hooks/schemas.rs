//! GitHub's own descriptions of what its hooks API answers: its examples fit, and what is broken does not.

use serde_json::{Value, json};

use crate::foreign::{example, validates};

/// The schemas that the API's answers are held against, each with an example: GitHub's own, or the error of webhooks.md 1.4.
fn examples() -> Vec<(&'static str, Value)> {
    let refusal = json!({
        "message": "Validation Failed",
        "errors": [{ "resource": "Hook", "code": "custom", "message": "Hook already exists on this repository" }],
        "documentation_url": "https://docs.github.com/rest/repos/webhooks#create-a-repository-webhook",
        "status": "422",
    });
    vec![
        ("hook", example("hook")),
        ("hook", example("hook-items")[0].clone()),
        ("hook-response", example("hook")["last_response"].clone()),
        (
            "hook-delivery-item",
            example("hook-delivery-items")[0].clone(),
        ),
        (
            "hook-delivery-item",
            example("hook-delivery-items")[1].clone(),
        ),
        ("hook-delivery", example("hook-delivery")),
        ("webhook-config", example("webhook-config")),
        ("webhook-config", example("hook")["config"].clone()),
        ("validation-error", refusal),
    ]
}

#[test]
fn the_examples_fit() {
    for (schema, value) in examples() {
        assert_eq!(validates(schema, &value), Ok(()), "{schema}: {value}");
    }
}

#[test]
fn what_is_broken_does_not_fit() {
    let breaks = [
        ("hook", "/id", json!("12345678")),
        ("hook", "/active", json!("true")),
        ("hook", "/events", json!("push")),
        ("hook", "/events/0", json!(1)),
        ("hook", "/config/url", json!("not a URL")),
        ("hook", "/config/insecure_ssl", json!(false)),
        ("hook", "/created_at", json!("2019-06-03 00:57:16")),
        ("hook", "/last_response", Value::Null),
        ("hook", "/last_response/code", json!("200")),
        ("hook-response", "/status", json!(200)),
        ("hook-delivery-item", "/guid", Value::Null),
        ("hook-delivery-item", "/redelivery", json!(0)),
        ("hook-delivery-item", "/status_code", json!("200")),
        ("hook-delivery-item", "/delivered_at", json!(1_559_523_436)),
        ("hook-delivery", "/request/payload", json!("{}")),
        ("hook-delivery", "/response/payload", json!({})),
        ("hook-delivery", "/duration", json!("0.27")),
        ("webhook-config", "/content_type", json!(1)),
        ("validation-error", "/errors", json!({})),
    ];
    for (schema, path, value) in breaks {
        let (_, mut broken) = examples()
            .into_iter()
            .find(|(name, _)| *name == schema)
            .expect("an example");
        *broken.pointer_mut(path).expect("it is there") = value;
        let flaw = validates(schema, &broken).expect_err(path);
        assert!(flaw.contains(path), "{flaw}");
    }
}

#[test]
fn what_is_left_out_is_missed() {
    for (schema, keys) in [
        (
            "hook",
            "type id name active events config updated_at created_at url test_url ping_url last_response",
        ),
        ("hook-response", "code status message"),
        (
            "hook-delivery-item",
            "id guid delivered_at redelivery duration status status_code event action installation_id repository_id",
        ),
        ("hook-delivery", "id guid status_code request response"),
        ("validation-error", "message documentation_url"),
    ] {
        let (_, whole) = examples()
            .into_iter()
            .find(|(name, _)| *name == schema)
            .expect("an example");
        for key in keys.split(' ') {
            let mut part = whole.clone();
            let member = part.as_object_mut().expect("an object").remove(key);
            assert!(member.is_some(), "{schema} has no {key}");
            let flaw = validates(schema, &part).expect_err(key);
            assert!(flaw.contains(key), "{flaw}");
        }
    }
}
