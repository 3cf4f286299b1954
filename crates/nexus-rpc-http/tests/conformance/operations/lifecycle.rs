//! From the start to the end, and after it.

use nexus_rpc_http::{Dialect, NexusHttpClient, StartOptions};

use super::*;

#[tokio::test]
async fn d12_d16_d17_the_operation_is_known_by_the_callers_id_or_a_new_one() {
    let keeper = Keeper::start().await;
    let started = keeper.job("mine").await.expect(201).json();
    assert_eq!(
        started,
        json!({"operationId": "mine", "callbackUrlSupported": false})
    );
    let path = format!("{DRAFT}/job");
    let ids = [
        keeper.post(&path, json!({"name": "x"})).await,
        keeper.post(&path, json!({"name": "x"})).await,
    ];
    let [a, b] = ids.map(|started| started.expect(201).json()["operationId"].to_string());
    assert_ne!(a, b);
    // Hard to guess, and made of characters that need no escape.
    assert!(
        a.len() >= 22
            && a.trim_matches('"')
                .bytes()
                .all(|b| b.is_ascii_alphanumeric())
    );
}

#[tokio::test]
async fn c18_a_start_is_answered_with_a_token() {
    let keeper = Keeper::start().await;
    let started = keeper
        .post("/svc/job", json!({"name": "a"}))
        .await
        .expect(201)
        .json();
    assert_eq!(started["state"], "running");
    let token = started["token"].as_str().unwrap();
    assert_eq!(keeper.state(token).await, "running");
    // An input that cannot be read is refused before anything is kept.
    let malformed = Wire::post("/svc/job").header("Content-Type", "application/json");
    keeper.send(malformed.body("{")).await.expect(400);
    assert_eq!(keeper.operations.statistics().await.unwrap().ended, 0);
}

#[tokio::test]
async fn d33_d60_a_result_stays_whether_or_not_there_was_a_callback() {
    let keeper = Keeper::start().await;
    let receiver = Receiver::start().await;
    keeper
        .start_draft("a", &receiver.url("/cb"))
        .await
        .expect(201);
    keeper.ends.say("a", done(json!({"tea": 1})));
    until(async || receiver.count() == 1).await;
    for _ in 0..3 {
        let result = keeper.result("a").await.expect(200);
        assert_eq!(result.json(), json!({"tea": 1}));
        assert_eq!(result.header("nexus-operation-state"), Some("succeeded"));
    }
    assert_eq!(keeper.state("a").await, "succeeded");
}

#[tokio::test]
async fn d34_a_repeated_start_is_answered_with_the_present_state() {
    let keeper = Keeper::start().await;
    for _ in 0..2 {
        let started = keeper.job("a").await.expect(201).json();
        assert_eq!(started["operationId"], "a");
    }
    keeper
        .post(&format!("{DRAFT}/job/a"), json!({"name": "b"}))
        .await
        .expect(409);
    keeper.until_running(1).await;
    keeper.ends.say("a", done(json!(7)));
    keeper.result("a").await.expect(200);
    assert_eq!(keeper.job("a").await.expect(200).json(), json!(7));
    keeper
        .post(&format!("{DRAFT}/job/a"), json!({"name": "b"}))
        .await
        .expect(409);
    for (name, end, status) in [("b", "empty", 204), ("c", "fail", 482)] {
        keeper.job(name).await.expect(201);
        keeper.ends.say(name, how(end));
        keeper.result(name).await.expect(status);
        keeper.job(name).await.expect(status);
    }
}

#[tokio::test]
async fn cx1_a_repeated_start_is_known_by_its_request_id() {
    let keeper = Keeper::start().await;
    let start = async |request_id: &str, name: &str| {
        let request = Wire::post("/svc/job")
            .header("Content-Type", "application/json")
            .header("Nexus-Request-Id", request_id);
        keeper
            .send(request.body(json!({"name": name}).to_string()))
            .await
    };
    let first = start("r1", "a").await.expect(201).json();
    assert_eq!(start("r1", "a").await.expect(201).json(), first);
    assert_ne!(start("r2", "a").await.expect(201).json(), first);
    start("r1", "b").await.expect(409);
    keeper.ends.say("a", done(json!(7)));
    keeper.result(first["token"].as_str().unwrap()).await;
    assert_eq!(start("r1", "a").await.expect(200).json(), json!(7));
}

#[tokio::test]
async fn d35_an_inline_result_leaves_nothing_to_address() {
    let keeper = Keeper::start().await;
    let path = format!("{DRAFT}/echo/a");
    keeper.post(&path, json!(1)).await.expect(200);
    let status = keeper.get(&path).await.status();
    assert!((400..500).contains(&status), "{status}");
    let nothing = keeper.operations.statistics().await.unwrap();
    assert_eq!((nothing.waiting, nothing.running, nothing.ended), (0, 0, 0));
}

#[tokio::test]
async fn d38_to_d42_cancel() {
    let keeper = Keeper::start().await;
    keeper.cancel("unknown").await.expect(404);
    keeper.job("a").await.expect(201);
    keeper.until_running(1).await;
    // The work ends as it likes; this one as it is asked to.
    for _ in 0..3 {
        keeper.cancel("a").await.expect(202);
    }
    let result = keeper.result("a").await.expect(482);
    assert_eq!(result.header("nexus-operation-state"), Some("canceled"));
    assert_eq!(result.json(), json!({"message": "as asked"}));
    keeper.cancel("a").await.expect(202);
    assert_eq!(keeper.state("a").await, "canceled");
}

#[tokio::test]
async fn d40_canceled_work_may_succeed() {
    let keeper = Keeper::start().await;
    let input = json!({"name": "a", "stubborn": true});
    keeper
        .post(&format!("{DRAFT}/job/a"), input)
        .await
        .expect(201);
    keeper.until_running(1).await;
    keeper.cancel("a").await.expect(202);
    assert_eq!(keeper.state("a").await, "running");
    keeper.ends.say("a", how("context"));
    let context = keeper.result("a").await.expect(200).json();
    assert_eq!(context["canceled"], true);
    keeper.cancel("a").await.expect(202);
    assert_eq!(keeper.state("a").await, "succeeded");
}

#[tokio::test]
async fn work_beyond_the_limit_waits_and_is_canceled_without_being_begun() {
    let keeper = Keeper::with(|builder| builder.max_running(1)).await;
    keeper.job("a").await.expect(201);
    keeper.until_running(1).await;
    for name in ["b", "c"] {
        keeper.job(name).await.expect(201);
    }
    let statistics = keeper.operations.statistics().await.unwrap();
    assert_eq!((statistics.waiting, statistics.running), (2, 1));
    assert_eq!(keeper.state("b").await, "running");
    keeper.cancel("b").await.expect(202);
    let result = keeper.result("b").await.expect(482);
    assert_eq!(result.header("nexus-operation-state"), Some("canceled"));
    keeper.ends.say("c", done(json!(1)));
    keeper.ends.say("a", done(json!(2)));
    assert_eq!(keeper.result("c").await.expect(200).json(), json!(1));
}

#[tokio::test]
async fn d46_to_d51_results_of_running_operations() {
    let keeper = Keeper::start().await;
    keeper.job("a").await.expect(201);
    let path = format!("{DRAFT}/job/a/result");
    let running = keeper.get(&path).await.expect(204);
    assert_eq!(running.header("nexus-operation-state"), Some("running"));
    let soon = jiff::Timestamp::now() + Duration::from_millis(60);
    keeper
        .get(&format!("{path}?wait_deadline={soon:.3}"))
        .await
        .expect(408);
    // D57: a deadline that is over.
    let past = format!("{path}?wait_deadline=2001-01-01T00:00:00Z");
    keeper.get(&past).await.expect(408);
    keeper.ends.say("a", how("empty"));
    let result = keeper.result("a").await.expect(204);
    assert_eq!(result.header("nexus-operation-state"), Some("succeeded"));
    keeper.get(&past).await.expect(204);
}

#[tokio::test]
async fn d54_all_who_wait_hear_of_the_end_at_once() {
    let keeper = Keeper::start().await;
    keeper.job("a").await.expect(201);
    let since = Instant::now();
    let waiting = futures_util::future::join_all((0..20).map(|_| keeper.result("a")));
    let ending = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        keeper.ends.say("a", done(json!(7)));
    };
    let (results, ()) = tokio::join!(waiting, ending);
    for result in results {
        assert_eq!(result.expect(200).json(), json!(7));
    }
    assert!(since.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn d53_d67_what_is_unknown_or_forgotten_is_not_found() {
    let keeper = Keeper::with(|builder| builder.retention(Duration::from_millis(300))).await;
    let paths = ["a", "a/result"].map(|path| format!("{DRAFT}/job/{path}"));
    for path in &paths {
        keeper.get(path).await.expect(404);
    }
    keeper.job("a").await.expect(201);
    keeper.ends.say("a", done(json!(7)));
    keeper.result("a").await.expect(200);
    until(async || keeper.get(&paths[0]).await.status() == 404).await;
    keeper.get(&paths[1]).await.expect(404);
    keeper.cancel("a").await.expect(404);
}

#[tokio::test]
async fn d64_d65_info_is_the_state() {
    let keeper = Keeper::start().await;
    for (name, end, state) in [
        ("a", done(json!(1)), "succeeded"),
        ("b", how("fail"), "failed"),
    ] {
        keeper.job(name).await.expect(201);
        assert_eq!(keeper.state(name).await, "running");
        keeper.ends.say(name, end);
        keeper.result(name).await;
        let info = keeper.get(&format!("{DRAFT}/job/{name}")).await.expect(200);
        assert_eq!(info.json(), json!({ "state": state }));
    }
}

#[tokio::test]
async fn failures_show_what_the_work_meant_to_show() {
    let keeper = Keeper::start().await;
    for (name, message) in [
        ("fail", "no luck"),
        ("reject", "no such cup"),
        ("error", "internal handler error"),
        ("panic", "internal handler error"),
    ] {
        keeper.job(name).await.expect(201);
        keeper.ends.say(name, how(name));
        let result = keeper.result(name).await.expect(482);
        assert_eq!(result.header("nexus-operation-state"), Some("failed"));
        assert_eq!(result.json()["message"], message);
        assert!(!result.text().contains("secret"), "{}", result.text());
    }
    // The details are as the operation's error has them, also after they were kept.
    let details = &keeper.result("fail").await.json()["details"];
    assert_eq!(details["data"], r#"{"code":7}"#);
}

#[tokio::test]
async fn the_work_knows_of_its_start() {
    let keeper = Keeper::start().await;
    keeper.ends.say("a", how("context"));
    let request = Wire::post("/svc/job")
        .header("Content-Type", "application/json")
        .header("Nexus-Request-Id", "r1")
        .header("X-A", "1")
        .header("Authorization", "secret")
        .header("Operation-Timeout", "1500ms")
        .header("Nexus-Link", r#"<http://caller/>; type="my.Caller""#);
    let started = keeper
        .send(request.body(r#"{"name": "a"}"#))
        .await
        .expect(201)
        .json();
    let token = started["token"].as_str().unwrap();
    assert_eq!(
        keeper.result(token).await.expect(200).json(),
        json!({
            "token": token, "request_id": "r1", "attempt": 1, "canceled": false, "header": "1",
            "authorization": null, "links": ["http://caller/"], "deadline": 1500,
        })
    );
}

#[tokio::test]
async fn tenants_do_not_meet() {
    let keeper = Keeper::with(|builder| {
        builder.tenant(|ctx| ctx.headers().get("x-tenant").unwrap_or_default().to_owned())
    })
    .await;
    let start = async |tenant: &str, name: &str| {
        let request = Wire::post(&format!("{DRAFT}/job/a"))
            .header("Content-Type", "application/json")
            .header("X-Tenant", tenant);
        keeper
            .send(request.body(json!({"name": name}).to_string()))
            .await
    };
    start("one", "a").await.expect(201);
    start("two", "b").await.expect(201);
    start("two", "a").await.expect(409);
    keeper.get(&format!("{DRAFT}/job/a")).await.expect(404);
    keeper.cancel("a").await.expect(404);
}

#[tokio::test]
async fn too_many_open_operations_are_refused() {
    let keeper = Keeper::with(|builder| builder.max_open(1)).await;
    keeper.job("a").await.expect(201);
    // 5xx: the caller may come back.
    keeper.job("b").await.expect(503);
    keeper
        .post("/svc/job", json!({"name": "b"}))
        .await
        .expect(429);
    keeper.job("a").await.expect(201);
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_keep_them() {
    let service = NexusHttpService::builder(registry(&Ends::new()))
        .build()
        .unwrap();
    let (address, task) = serve(axum::Router::new().fallback_service(service)).await;
    let request = Wire::post("/svc/job").header("Content-Type", "application/json");
    let answer = exchange(address, &request.body("{}").bytes()).await;
    assert_eq!(answer.status(), 501);
    task.abort();
}

/// What the server was built with reaches work that goes on after the request as it reaches the answer to one.
#[tokio::test]
async fn extensions_of_the_server_reach_the_work() {
    struct Region(&'static str);

    let region = async_operation(async |ctx: AsyncOperationContext, (): ()| {
        Ok(ctx.extension::<Region>().ok_or("no region")?.0.to_owned())
    });
    let service = Service::builder("svc")
        .operation(Operation::<(), String>::new("svc", "region"), region)
        .build()
        .unwrap();
    let mut registry = ServiceRegistry::new();
    registry.register(service).unwrap();
    let operations = Operations::open(MemoryStore::new()).await.unwrap();
    let service = NexusHttpService::builder(registry)
        .operations(&operations)
        .extension(Region("eu-central"))
        .build()
        .unwrap();
    let (address, _task) = serve(axum::Router::new().fallback_service(service)).await;

    let client = NexusHttpClient::builder(format!("http://{address}"))
        .dialect(Dialect::Draft)
        .build()
        .unwrap();
    let operation = Operation::<(), String>::new("svc", "region");
    let region = client.execute(operation, (), StartOptions::new());
    assert_eq!(region.await.unwrap(), "eu-central");
    operations.shutdown(Duration::ZERO).await;
}

/// Work that was left by the process before waits for its handler, in whichever order the servers are built.
#[tokio::test]
async fn two_servers_share_the_operations() {
    let (store, ends) = (MemoryStore::new(), Ends::new());
    let keeper = Keeper::over(Operations::builder(store.clone()), ends.clone()).await;
    keeper.job("a").await.expect(201);
    keeper.until_running(1).await;
    keeper.operations.shutdown(Duration::ZERO).await;
    drop(keeper);

    let operations = Operations::open(store).await.unwrap();
    let mut other = ServiceRegistry::new();
    let echo = sync_operation(async |_ctx, value: Value| Ok(value));
    let service = Service::builder("other").operation(Operation::new("other", "echo"), echo);
    other.register(service.build().unwrap()).unwrap();
    let first = NexusHttpService::builder(other).operations(&operations);
    let _first = first.build().unwrap();
    until(async || operations.statistics().await.unwrap().running == 1).await;

    let second = NexusHttpService::builder(registry(&ends)).operations(&operations);
    let (address, task) =
        serve(axum::Router::new().fallback_service(second.build().unwrap())).await;
    let keeper = Keeper {
        address,
        ends,
        operations,
        task,
    };
    keeper.ends.say("a", how("context"));
    let context = keeper.result("a").await.expect(200).json();
    assert_eq!(context["token"], "a");
}

#[tokio::test]
async fn no_limit_is_a_limit_too() {
    let (ends, receiver) = (Ends::new(), Receiver::start().await);
    let operations = Operations::builder(MemoryStore::new())
        .delivery(quick().concurrency(usize::MAX).per_destination(usize::MAX))
        .max_running(usize::MAX)
        .max_open(usize::MAX)
        .retention(Duration::MAX);
    let operations = operations.open().await.unwrap();
    let service = NexusHttpService::builder(registry(&ends))
        .operations(&operations)
        .max_request_timeout(Duration::MAX)
        .max_wait(Duration::MAX)
        .max_concurrent_waits(usize::MAX);
    let (address, task) =
        serve(axum::Router::new().fallback_service(service.build().unwrap())).await;
    let keeper = Keeper {
        address,
        ends,
        operations,
        task,
    };
    keeper
        .start_draft("a", &receiver.url("/cb"))
        .await
        .expect(201);
    keeper.ends.say("a", done(json!(7)));
    assert_eq!(keeper.result("a").await.expect(200).json(), json!(7));
    until(async || receiver.count() == 1).await;
}
