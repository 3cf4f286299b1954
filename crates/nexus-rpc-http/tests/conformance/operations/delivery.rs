//! Results that are delivered.

use nexus_rpc_http::{AddressPolicy, HttpTransport, Outcome};

use super::*;
use crate::support::peer::{Peer, response};

/// A receiver that gives these answers, the last one for ever, and the requests that it got.
async fn answering(answers: &[&str]) -> Peer {
    Peer::answering(answers.iter().map(|status| response(status, &[], ""))).await
}

/// How many attempts a delivery takes until it is settled.
async fn attempts(keeper: &Keeper, peer: &Peer) -> usize {
    until(async || {
        let statistics = keeper.operations.statistics().await.unwrap();
        !peer.requests().is_empty() && statistics.deliveries == 0
    })
    .await;
    peer.requests().len()
}

#[tokio::test]
async fn d18_support_for_callbacks_is_told() {
    let keeper = Keeper::start().await;
    let receiver = Receiver::start().await;
    let started = keeper.start_draft("a", &receiver.url("/cb")).await;
    assert_eq!(started.expect(201).json()["callbackUrlSupported"], true);
    let started = keeper.job("b").await.expect(201).json();
    assert_eq!(started["callbackUrlSupported"], false);
}

#[tokio::test]
async fn d74_addresses_that_are_no_receivers_are_refused() {
    let keeper = Keeper::start().await;
    for url in [
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0:80/",
        "http://[fe80::1]/",
    ] {
        let name = encode(url).replace('%', "");
        let started = keeper.start_draft(&name, url).await.expect(201).json();
        assert_eq!(started["callbackUrlSupported"], false, "{url}");
        keeper.start_current(&name, url).await.expect(400);
    }
}

/// Else the result would be lost when it is there.
#[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
#[tokio::test]
async fn d74_without_tls_an_https_callback_is_refused_at_the_start() {
    let keeper = Keeper::start().await;
    let url = "https://caller.example/done";
    let started = keeper.start_draft("a", url).await.expect(201).json();
    assert_eq!(started["callbackUrlSupported"], false);
    keeper.start_current("b", url).await.expect(400);
}

#[tokio::test]
async fn names_that_resolve_to_forbidden_addresses_are_not_called() {
    let policy = AddressPolicy::custom(|address| !address.is_loopback());
    let keeper = Keeper::with(|builder| builder.callback_addresses(policy)).await;
    let receiver = Receiver::start().await;
    let url = receiver.url("/cb").replace("127.0.0.1", "localhost");
    keeper.start_current("a", &url).await.expect(201);
    keeper.ends.say("a", done(json!(1)));
    until(async || {
        let statistics = keeper.operations.statistics().await.unwrap();
        statistics.ended == 1 && statistics.deliveries == 0
    })
    .await;
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn d25_d76_to_d81_completions_of_the_draft() {
    let keeper = Keeper::start().await;
    for (name, end, state, content_type, body) in [
        (
            "a",
            done(json!(7)),
            "succeeded",
            Some("application/json"),
            "7",
        ),
        ("b", how("empty"), "succeeded", None, ""),
        ("c", how("reject"), "failed", Some("application/json"), ""),
    ] {
        let peer = answering(&["200 OK"]).await;
        keeper
            .start_draft(name, &peer.url("/cb?a=b%2Fc"))
            .await
            .expect(201);
        keeper.ends.say(name, end);
        assert_eq!(attempts(&keeper, &peer).await, 1);
        let request = peer.request();
        assert_eq!(request.first_line, "POST /cb?a=b%2Fc HTTP/1.1");
        assert_eq!(request.header("nexus-operation-state"), Some(state));
        assert_eq!(request.header("content-type"), content_type);
        if state == "succeeded" {
            assert_eq!(request.text(), body);
        } else {
            assert_eq!(request.json()["message"], "no such cup");
        }
        // The draft has none of these.
        for name in [
            "nexus-operation-token",
            "nexus-operation-start-time",
            "nexus-link",
            "token",
        ] {
            assert_eq!(request.header(name), None);
        }
    }
}

#[tokio::test]
async fn c10_c55_to_c63_completions_of_today() {
    let keeper = Keeper::start().await;
    let receiver = Receiver::start().await;
    let started = keeper.start_current("a", &receiver.url("/cb")).await;
    let token = started.expect(201).json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    keeper.ends.say("a", done(json!(7)));
    until(async || receiver.count() == 1).await;
    let completion = receiver.take();
    assert_eq!(completion.operation_token.unwrap().as_str(), token);
    assert_eq!(completion.headers.get("token"), Some("t"));
    assert_eq!(
        completion.links,
        [Link::new("http://handler/job", "my.Job")]
    );
    let close = completion.close_time.unwrap();
    // The start time has full seconds.
    assert!(completion.start_time <= close);
    assert!(close.elapsed().unwrap() < Duration::from_secs(60));
    let Outcome::Succeeded(content) = completion.outcome else {
        panic!("it succeeded");
    };
    assert_eq!(content, Content::new("application/json", "7"));

    keeper
        .start_current("b", &receiver.url("/cb"))
        .await
        .expect(201);
    keeper.ends.say("b", how("fail"));
    until(async || receiver.count() == 1).await;
    let Outcome::Unsuccessful(failure) = receiver.take().outcome else {
        panic!("it failed");
    };
    assert_eq!(failure.message(), "no luck");
    assert_eq!(
        failure.details::<Value>().unwrap(),
        Some(json!({"code": 7}))
    );
}

#[tokio::test]
async fn c65_d85_a_completion_may_come_before_the_answer_to_the_start() {
    let keeper = Keeper::start().await;
    let receiver = Receiver::start().await;
    for n in 0..20 {
        let name = format!("a{n}");
        // The work ends as soon as it is begun.
        keeper.ends.say(&name, done(json!(n)));
        let started = keeper.start_current(&name, &receiver.url("/cb")).await;
        let token = started.expect(201).json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        until(async || receiver.count() == 1).await;
        assert_eq!(receiver.take().operation_token.unwrap().as_str(), token);
    }
}

#[tokio::test]
async fn d83_attempts_go_on_after_5xx_and_end_with_4xx() {
    for (answers, expected) in [
        (vec!["500 x", "503 x", "599 x", "200 OK"], 4),
        (vec!["500 x", "204 No Content"], 2),
        (vec!["400 x"], 1),
        (vec!["429 x"], 1),
        (vec!["404 x"], 1),
        (vec!["301 Moved"], 1),
    ] {
        let keeper = Keeper::start().await;
        let peer = answering(&answers).await;
        keeper.start_draft("a", &peer.url("/cb")).await.expect(201);
        keeper.ends.say("a", done(json!(1)));
        assert_eq!(attempts(&keeper, &peer).await, expected, "{answers:?}");
    }
}

#[tokio::test]
async fn c28_to_c47_attempts_go_on_as_the_error_has_it() {
    let retry = ["Nexus-Request-Retryable: true"];
    let never = ["Nexus-Request-Retryable: false"];
    for (answers, expected) in [
        (
            vec![
                response("429 x", &[], ""),
                response("408 x", &[], ""),
                response("520 x", &[], ""),
                response("200 OK", &[], ""),
            ],
            4,
        ),
        (vec![response("404 x", &[], "")], 1),
        (vec![response("501 x", &[], "")], 1),
        (
            vec![response("404 x", &retry, ""), response("200 OK", &[], "")],
            2,
        ),
        (vec![response("503 x", &never, "")], 1),
    ] {
        let keeper = Keeper::start().await;
        let peer = Peer::answering(answers).await;
        keeper
            .start_current("a", &peer.url("/cb"))
            .await
            .expect(201);
        keeper.ends.say("a", done(json!(1)));
        assert_eq!(attempts(&keeper, &peer).await, expected);
        // Each says whose it is.
        let requests = peer.requests();
        let token = |at: usize| {
            requests[at]
                .header("nexus-operation-token")
                .map(str::to_owned)
        };
        assert!(token(0).is_some() && token(0) == token(expected - 1));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let keeper = Keeper::start().await;
    let elsewhere = Receiver::start().await;
    let location = format!("Location: {}", elsewhere.url("/cb"));
    for status in ["301 x", "302 x", "307 x", "308 x"] {
        let peer = Peer::answering([response(status, &[&location], "")]).await;
        keeper
            .start_current(status, &peer.url("/cb"))
            .await
            .expect(201);
        keeper.ends.say(status, done(json!(1)));
        assert_eq!(attempts(&keeper, &peer).await, 1);
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_called_when_it_is_back() {
    let keeper =
        Keeper::with(|builder| builder.delivery(quick().breaker(3, Duration::from_millis(50))))
            .await;
    let address = nobody();
    for n in 0..20 {
        let name = format!("a{n}");
        keeper
            .start_current(&name, &format!("http://{address}/cb"))
            .await
            .expect(201);
        keeper.ends.say(&name, done(json!(n)));
    }
    // Another receiver hears nothing of that.
    let receiver = Receiver::start().await;
    keeper
        .start_current("b", &receiver.url("/cb"))
        .await
        .expect(201);
    keeper.ends.say("b", done(json!(1)));
    until(async || receiver.count() == 1).await;
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 20).await;
    let back = Late::at(address).await;
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 0).await;
    assert_eq!(back.count(), 20);
}

#[tokio::test]
async fn a_delivery_is_given_up_in_the_end() {
    let policy = quick().give_up_after(Duration::from_millis(200));
    let keeper = Keeper::with(|builder| builder.delivery(policy)).await;
    let peer = answering(&["500 x"]).await;
    keeper.start_draft("a", &peer.url("/cb")).await.expect(201);
    keeper.ends.say("a", done(json!(1)));
    assert!(attempts(&keeper, &peer).await > 1);
    assert_eq!(keeper.result("a").await.expect(200).json(), json!(1));
}

#[tokio::test]
async fn d34_the_callback_of_a_repeated_start_is_called_as_well() {
    let keeper = Keeper::start().await;
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    keeper.start_draft("a", &first.url("/cb")).await.expect(201);
    for _ in 0..2 {
        keeper
            .start_draft("a", &second.url("/cb"))
            .await
            .expect(201);
    }
    keeper.ends.say("a", done(json!(1)));
    until(async || first.count() == 1 && second.count() == 1).await;
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 0).await;
    // D25: a result that is given at once is not delivered besides.
    keeper
        .start_draft("a", &first.url("/other"))
        .await
        .expect(200);
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it() {
    let patient = quick().longest_pause(Duration::from_secs(60));
    let keeper = Keeper::with(|builder| builder.delivery(patient)).await;
    let answers = [
        response("503 x", &["Retry-After: 1"], ""),
        response("200 OK", &[], ""),
    ];
    let peer = Peer::answering(answers).await;
    keeper
        .start_current("a", &peer.url("/cb"))
        .await
        .expect(201);
    keeper.ends.say("a", done(json!(1)));
    until(async || peer.requests().len() == 1).await;
    let since = Instant::now();
    assert_eq!(attempts(&keeper, &peer).await, 2);
    assert!(since.elapsed() > Duration::from_millis(900));
}

#[tokio::test]
async fn a_transport_that_panics_costs_an_attempt_and_no_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let transport = axum::Router::new().fallback(move || {
        let is_first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move { assert!(!is_first, "once") }
    });
    let keeper = Keeper::with(|builder| {
        builder
            .transport(HttpTransport::from_service(transport))
            .delivery(quick().per_destination(1))
    })
    .await;
    let started = keeper.start_current("a", "http://receiver.example/cb");
    started.await.expect(201);
    keeper.ends.say("a", done(json!(1)));
    until(async || calls.load(Ordering::Relaxed) == 2).await;
    until(async || keeper.operations.statistics().await.unwrap().deliveries == 0).await;
}
