//! `fanfare bench`, against a hub of the same binary, and against hubs that do not do what they should.

use serde_json::Value;

use crate::own_hub::{Hub, TOKEN};
use crate::support::{Done, Server, fanfare, fanfare_with};

fn bench(hub: &Hub, more: &[&str]) -> Done {
    let args = [
        "bench",
        "--url",
        &hub.url,
        "--subscribers",
        "20",
        "--publications",
        "3",
    ];
    fanfare_with(&[&args, more].concat(), &[("FANFARE_TOKEN", TOKEN)], b"")
}

#[test]
fn measures_a_hub_and_leaves_nobody_behind() {
    let hub = Hub::start();
    let done = bench(&hub, &[]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (Some(0), ""),
        "{}",
        done.out
    );
    for part in [
        "20 subscribers, 3 publications of 1KiB; all signatures are right\n",
        "\nsubscribed and verified: ",
        "\ndelivered: ",
        "\naccepted ",
        "\nfirst delivery ",
        "\nlast delivery ",
    ] {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    let list = ["subscriptions", "list", "--url", &hub.url, "--json"];
    crate::support::eventually("nobody subscribes any longer", || {
        let left = fanfare_with(&list, &[("FANFARE_TOKEN", TOKEN)], b"");
        (left.out == "[]\n").then_some(())
    });
}

#[test]
fn programs_get_the_figures_as_json() {
    let hub = Hub::start();
    let done = bench(&hub, &["--json", "--size", "10KiB"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let figures: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(
        (
            &figures["subscribers"],
            &figures["publications"],
            &figures["bytes"]
        ),
        (&20.into(), &3.into(), &10_240.into())
    );
    let number = |pointer: &str| {
        figures
            .pointer(pointer)
            .and_then(Value::as_f64)
            .expect("a number")
    };
    assert!(number("/verified_per_second") > 0.0 && number("/delivered_per_second") > 0.0);
    let millis = |span: &str, share: &str| number(&format!("/millis/{span}/{share}"));
    for span in ["accepted", "first_delivery", "last_delivery"] {
        assert!(0.0 < millis(span, "p50") && millis(span, "p50") <= millis(span, "p99"));
    }
    assert!(millis("first_delivery", "p50") <= millis("last_delivery", "p50"));
}

#[test]
fn a_hub_that_refuses_is_quoted() {
    let hub = Server::start(|_| "429 Too Many Requests\n\nnot so fast".into());
    let done = fanfare(&["bench", "--url", &hub.url, "--subscribers", "1"]);
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.contains("not so fast"), "{}", done.err);
    let hub = Hub::start();
    let done = fanfare(&["bench", "--url", &hub.url, "--subscribers", "1"]);
    assert_eq!(done.code, Some(4), "without a token: {}", done.err);
    for (flag, value) in [("--size", "2MiB"), ("--size", "0B"), ("--subscribers", "0")] {
        assert_eq!(fanfare(&["bench", flag, value]).code, Some(2));
    }
}

#[test]
fn where_no_hub_is_it_says_so_and_nothing_else() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", nobody.local_addr().expect("an address"));
    drop(nobody);
    let done = fanfare_with(
        &["bench", "--url", &url, "--subscribers", "2"],
        &[("FANFARE_TOKEN", TOKEN)],
        b"",
    );
    assert_eq!(done.code, Some(5), "{}", done.err);
    assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    assert!(done.err.contains(&url), "{}", done.err);
}
