//! Discovery and aliases: the links of a delivery come from the topic itself, however it writes them, and the names of
//! one topic lead to the same subscribers.

use crate::support::publisher::links;
use crate::support::{Reply, Scene};

#[tokio::test]
async fn hub_42_q_32_links_are_found_in_headers_however_malformed() {
    let scene = Scene::start().await;
    for (number, template) in [
        "<{self}>; rel=\"self\", <{hub}>; rel=\"hub\"",
        "<{hub}>; rel=\"hub\", <{self}>; rel=\"self\"",
        "<{self}>;rel=self,<{hub}>;rel=hub",
        "<{self}> rel=\"self\", <{hub}> rel=\"hub\"",
        "<{self}>; rel='self', <{hub}>; rel='hub'",
        "<{self}>; title=\"a, b; <c>\"; rel=\"canonical SELF\", <{hub}>; REL=\"hub\"",
        "rubbish, <{self}>; rel=self;, ,<{hub}>; rel=hub; x",
    ]
    .into_iter()
    .enumerate()
    {
        let topic = scene.publisher.topic(&format!("/{number}"));
        let canonical = format!("{}?canonical", topic.url());
        let value = template
            .replace("{self}", &canonical)
            .replace("{hub}", &scene.hub.url);
        topic.serves(
            Reply::ok("news")
                .header("Content-Type", "text/plain")
                .header("Link", &value),
        );
        let callback = scene.subscribed(topic.url(), &format!("/{number}")).await;
        scene.hub.publish(topic.url()).await;
        let expected = links(&canonical, &scene.hub.url);
        assert_eq!(
            callback.delivery(1).await.header("link"),
            Some(expected.as_str()),
            "{template}"
        );
    }
}

#[tokio::test]
async fn q_33_links_are_found_in_two_headers() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let canonical = format!("{}?canonical", topic.url());
    topic.serves(
        Reply::ok("news")
            .header("Link", &format!("<{}>; rel=\"hub\"", scene.hub.url))
            .header("link", &format!("<{canonical}>; rel=\"self\"")),
    );
    let callback = scene.subscribed(topic.url(), "/cb").await;
    scene.hub.publish(topic.url()).await;
    let expected = links(&canonical, &scene.hub.url);
    assert_eq!(
        callback.delivery(1).await.headers.all("link"),
        [expected.as_str()]
    );
}

#[tokio::test]
async fn q_33_links_are_found_in_the_body() {
    let scene = Scene::start().await;
    for (number, (kind, template)) in [
        (
            "application/atom+xml",
            "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>t</title>\
             <link rel=\"hub\" href=\"{hub}\"/><link rel=\"self\" href=\"{self}\"/><entry><id>1</id></entry></feed>",
        ),
        (
            "application/rss+xml; charset=UTF-8",
            "<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel><title>t</title>\
             <atom:link rel=\"self\" href=\"{self}\"/><atom:link rel=\"hub\" href=\"{hub}\"/></channel></rss>",
        ),
        (
            "text/xml",
            "<rss version=\"2.0\" xmlns:a10=\"http://www.w3.org/2005/Atom\"><channel>\
             <a10:link rel=\"hub\" href=\"{hub}\"></a10:link><a10:link rel=\"self\" href=\"{self}\"></a10:link></channel></rss>",
        ),
        (
            "text/html; charset=utf-8",
            "<!doctype html><html><head><title>t</title><link rel=hub href='{hub}'>\
             <LINK REL=\"self\" HREF=\"{self}\"></head><body><p>news</body></html>",
        ),
        (
            "application/atom+xml",
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><link rel=\"self\" href=\"{self}\"/>\
             <link rel=\"hub\" href=\"{hub}\"/><entry><title>cut off",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = scene.publisher.topic(&format!("/{number}"));
        let canonical = format!("{}?canonical", topic.url());
        let body = template.replace("{self}", &canonical).replace("{hub}", &scene.hub.url);
        topic.serves(Reply::ok(body.as_str()).header("Content-Type", kind));
        let callback = scene.subscribed(topic.url(), &format!("/{number}")).await;
        scene.hub.publish(topic.url()).await;
        let delivery = callback.delivery(1).await;
        assert_eq!(delivery.body, body, "the body is not rewritten");
        assert_eq!(delivery.header("link"), Some(&*links(&canonical, &scene.hub.url)), "{template}");
    }
}

#[tokio::test]
async fn q_33_headers_win_over_the_body() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let canonical = format!("{}?header", topic.url());
    let body = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><link rel=\"self\" href=\"{}?body\"/>\
         <link rel=\"hub\" href=\"http://other-hub.example/\"/></feed>",
        topic.url()
    );
    topic.serves(
        Reply::ok(body)
            .header("Content-Type", "application/atom+xml")
            .header("Link", &links(&canonical, &scene.hub.url)),
    );
    let callback = scene.subscribed(topic.url(), "/cb").await;
    scene.hub.publish(topic.url()).await;
    assert_eq!(
        callback.delivery(1).await.header("link"),
        Some(&*links(&canonical, &scene.hub.url))
    );
}

#[tokio::test]
async fn hub_88_q_34_a_redirected_topic_and_its_target_are_one() {
    let scene = Scene::start().await;
    let old = scene.publisher.topic("/old");
    let new = scene.publisher.topic("/new");
    old.serves(Reply::status(301).header("Location", new.url()));
    new.says("one");
    let of_old = scene.subscribed(old.url(), "/a").await;
    let of_new = scene.subscribed(new.url(), "/b").await;
    scene.hub.publish(old.url()).await;
    assert_eq!(of_old.delivery(1).await.body, "one");

    new.says("two");
    let answer = scene.hub.ping(&[old.url(), new.url()]).await.expect(204);
    scene.hub.ended(&answer).await;
    let got = |callback: &crate::support::Callback, body: &str| {
        callback
            .deliveries()
            .iter()
            .filter(|delivery| delivery.body == body)
            .count()
    };
    assert_eq!(
        got(&of_old, "two"),
        1,
        "once, though both names were pinged"
    );
    assert_eq!(got(&of_new, "two"), 1);

    new.says("three");
    scene.hub.publish(new.url()).await;
    assert_eq!(
        got(&of_old, "three"),
        1,
        "a ping of the target reaches who subscribed to the old name"
    );
    assert_eq!(got(&of_new, "three"), 1);

    scene.hub.subscribe(old.url(), of_old.url()).active().await;
    assert_eq!(
        of_old.verification(2).await.param("hub.topic").as_deref(),
        Some(old.url())
    );
}

#[tokio::test]
async fn hub_88_q_34_a_topic_and_its_self_link_are_one() {
    let scene = Scene::start().await;
    let spelled = scene.publisher.topic("/xml/feeds/");
    let canonical = scene.publisher.topic("/feeds");
    let page = |text: &str| Reply::ok(text).header("Link", &links(canonical.url(), &scene.hub.url));
    spelled.serves(page("one"));
    canonical.serves(page("one"));
    let callback = scene.subscribed(spelled.url(), "/cb").await;
    scene.hub.publish(spelled.url()).await;
    assert_eq!(callback.delivery(1).await.body, "one");
    spelled.serves(page("two"));
    canonical.serves(page("two"));
    scene.hub.publish(canonical.url()).await;
    let delivery = callback.delivery(2).await;
    assert_eq!(delivery.body, "two");
    assert_eq!(
        delivery.header("link"),
        Some(&*links(canonical.url(), &scene.hub.url))
    );
}

#[tokio::test]
async fn q_34_a_page_does_not_capture_the_topic_of_another_host() {
    let scene = Scene::start().await;
    let stranger = crate::support::Publisher::start().await;
    let victim = scene.publisher.topic("/feed");
    victim.says("true");
    let of_victim = scene.subscribed(victim.url(), "/victim").await;
    let forged = stranger.topic("/forged");
    forged.serves(Reply::ok("forged").header("Link", &links(victim.url(), &scene.hub.url)));
    let of_forged = scene.subscribed(forged.url(), "/forged").await;
    scene.hub.publish(forged.url()).await;
    of_forged.delivery(1).await;
    scene.hub.publish(victim.url()).await;
    assert_eq!(of_victim.deliveries().len(), 1);
    assert_eq!(of_victim.delivery(1).await.body, "true");
}

#[tokio::test]
async fn q_35_a_hub_link_that_is_missing_for_a_while_does_no_harm() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let linked = |text: &str| Reply::ok(text).header("Link", &links(topic.url(), &scene.hub.url));
    topic.serves(linked("one"));
    scene.hub.publish(topic.url()).await;
    topic.says("two");
    scene.hub.publish(topic.url()).await;
    topic.serves(linked("three"));
    scene.hub.publish(topic.url()).await;
    for (number, body) in ["one", "two", "three"].into_iter().enumerate() {
        let delivery = callback.delivery(number + 1).await;
        assert_eq!(delivery.body, body);
        assert_eq!(
            delivery.header("link"),
            Some(&*links(topic.url(), &scene.hub.url))
        );
    }
}

#[tokio::test]
async fn q_35_the_link_by_which_a_feed_names_this_hub_is_kept() {
    let scene = Scene::start().await;
    let topic = scene.publisher.topic("/feed");
    let callback = scene.subscribed(topic.url(), "/cb").await;
    let ours = format!("{}hub", scene.hub.url);
    topic.serves(Reply::ok("one").header("Link", &links(topic.url(), &ours)));
    scene.hub.publish(topic.url()).await;
    scene.hub.publish_text(topic.url(), "two").await;
    topic.says("three");
    scene.hub.publish(topic.url()).await;
    for (number, body) in ["one", "two", "three"].into_iter().enumerate() {
        let delivery = callback.delivery(number + 1).await;
        assert_eq!(delivery.body, body);
        let expected = links(topic.url(), &ours);
        assert_eq!(delivery.headers.all("link"), [expected], "{body}");
    }
}

#[tokio::test]
async fn hub_42_this_hub_comes_first_of_several() {
    let scene = Scene::start().await;
    let other = "http://other-hub.example/";
    for path in ["", "hub"] {
        let topic = scene.publisher.topic(&format!("/feed-{path}"));
        let callback = scene
            .subscribed(topic.url(), &format!("/subscriber-{path}"))
            .await;
        let ours = format!("{}{path}", scene.hub.url);
        let advertised = format!("{}, <{ours}>; rel=\"hub\"", links(topic.url(), other));
        topic.serves(Reply::ok("news").header("Link", &advertised));
        scene.hub.publish(topic.url()).await;
        let expected = format!("{}, <{other}>; rel=\"hub\"", links(topic.url(), &ours));
        assert_eq!(callback.delivery(1).await.headers.all("link"), [expected]);
    }
}
