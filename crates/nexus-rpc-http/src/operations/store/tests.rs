//! The contract, run against every store.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nexus_rpc::{
    Content, Failure, Headers, Link, OperationState, OperationToken, context::Callback,
};

use super::*;
use crate::{
    Dialect, OperationFailure, Outcome,
    operations::{CallbackTarget, Ended},
};

#[cfg(feature = "redb")]
pub(super) mod file;
#[cfg(feature = "redb")]
mod model;

#[cfg(feature = "redb")]
use file::TempFile;

pub(super) fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

pub(super) fn key(token: &str) -> OperationKey {
    OperationKey {
        tenant: "tenant".into(),
        service: "svc".into(),
        operation: "op".into(),
        token: OperationToken::new(token).unwrap(),
    }
}

pub(super) fn target(host: &str) -> CallbackTarget {
    CallbackTarget {
        dialect: Dialect::Current,
        callback: Callback {
            url: format!("http://{host}/cb?token=1"),
            headers: Headers::from_iter([("token", "secret")]),
        },
        destination: format!("http://{host}"),
    }
}

pub(super) fn new(token: &str) -> NewOperation {
    NewOperation {
        key: key(token),
        token_of_caller: false,
        request_id: format!("request of {token}"),
        input: Content::new("application/json", format!("\"{token}\"")),
        headers: Headers::from_iter([("x-a", "1")]),
        links: vec![Link::new("temporal:///a", "my.Type")],
        callback: Some(target("a")),
        started_at: at(1000),
    }
}

pub(super) fn success(millis: u64) -> End {
    let mut content = Content::new("application/json", "7");
    content.headers.insert("language", "de");
    End {
        ended: Ended {
            outcome: Outcome::Succeeded(content),
            at: at(millis),
            links: vec![Link::new("http://b", "b")],
        },
        keep_until: at(millis + 1000),
    }
}

pub(super) fn cancellation(millis: u64) -> End {
    let failure = Failure {
        cause: Some(Box::new(Failure::new("why"))),
        ..Failure::new("canceled")
    };
    let mut end = success(millis);
    end.ended.outcome = Outcome::Unsuccessful(OperationFailure::canceled(failure));
    end
}

pub(super) fn deliveries(millis: u64) -> DeliveryClaim {
    DeliveryClaim {
        now: at(millis),
        limit: 100,
        per_destination: 100,
        in_flight: HashMap::new(),
    }
}

/// Runs each test against both stores.
macro_rules! contract {
    ($($(#[$doc:meta])* async fn $name:ident($store:ident) $body:block)*) => {
        mod in_memory {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                super::$name(&MemoryStore::new()).await;
            })*
        }
        #[cfg(feature = "redb")]
        mod in_file {
            use super::*;
            $(#[tokio::test]
            async fn $name() {
                let file = TempFile::new();
                super::$name(&RedbStore::open(&file.0).unwrap()).await;
            })*
        }
        $($(#[$doc])* async fn $name($store: &dyn OperationStore) $body)*
    };
}

contract! {
    async fn an_operation_goes_its_way(store) {
        assert_eq!(store.create(new("a"), 10).await.unwrap(), Created::New);
        let record = store.get(key("a")).await.unwrap().unwrap();
        assert_eq!((record.attempt, record.state()), (0, OperationState::Running));
        assert_eq!(record.headers, new("a").headers);
        assert_eq!(record.links, new("a").links);

        let claimed = store.claim(10).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].record.attempt, 1);
        assert_eq!(claimed[0].input, new("a").input);
        assert_eq!(store.claim(10).await.unwrap(), []);

        assert_eq!(store.complete(key("a"), success(2000)).await.unwrap(), Completed::Ended);
        assert_eq!(store.complete(key("a"), cancellation(2001)).await.unwrap(), Completed::AlreadyEnded);
        assert_eq!(store.complete(key("b"), success(2000)).await.unwrap(), Completed::Unknown);
        let record = store.get(key("a")).await.unwrap().unwrap();
        assert_eq!(record.end, Some(success(2000).ended));

        let due = store.claim_deliveries(deliveries(2000)).await.unwrap();
        let [delivery] = &due.deliveries[..] else { panic!("{due:?}") };
        assert_eq!(delivery.end, success(2000).ended);
        assert_eq!(delivery.target, target("a"));
        assert_eq!(delivery.started_at, at(1000));
        assert_eq!(delivery.token.as_str(), "a");
        assert_eq!(due.next, None);
        store.settle(delivery.id, Settlement::Done).await.unwrap();
        let statistics = store.statistics().await.unwrap();
        assert_eq!(statistics, StoreStatistics { ended: 1, ..StoreStatistics::default() });
    }

    async fn other_names_are_other_operations(store) {
        store.create(new("a"), 10).await.unwrap();
        for change in [
            |key: &mut OperationKey| key.tenant = "t".into(),
            |key: &mut OperationKey| key.service = "s".into(),
            |key: &mut OperationKey| key.operation = "o".into(),
            // The same letters in a row.
            |key: &mut OperationKey| { key.service = "sv".into(); key.operation = "cop".into(); },
        ] {
            let mut other = new("a");
            change(&mut other.key);
            assert_eq!(store.get(other.key.clone()).await.unwrap(), None);
            assert_eq!(store.create(other, 10).await.unwrap(), Created::New);
        }
    }

    async fn a_repeated_start_is_known_by_its_request_id(store) {
        store.create(new("a"), 10).await.unwrap();
        let repeated = NewOperation { key: key("b"), request_id: "request of a".into(), ..new("a") };
        let Created::Existing(record) = store.create(repeated.clone(), 10).await.unwrap() else { panic!() };
        assert_eq!(record.key, key("a"));
        assert_eq!(store.get(key("b")).await.unwrap(), None);
        let other = NewOperation { input: Content::empty(), ..repeated.clone() };
        assert_eq!(store.create(other, 10).await.unwrap(), Created::Conflict);
        // Content headers count as well.
        let other = NewOperation { input: Content::new("text/plain", "\"a\""), ..repeated.clone() };
        assert_eq!(store.create(other, 10).await.unwrap(), Created::Conflict);
        // Also when it has ended, and the input is gone.
        store.complete(key("a"), success(1)).await.unwrap();
        let Created::Existing(record) = store.create(repeated, 0).await.unwrap() else { panic!() };
        assert_eq!(record.end, Some(success(1).ended));
    }

    async fn a_token_of_the_callers_is_what_a_start_is_known_by(store) {
        let mine = |request: &str| NewOperation {
            token_of_caller: true,
            request_id: request.into(),
            ..new("mine")
        };
        assert_eq!(store.create(mine("1"), 10).await.unwrap(), Created::New);
        assert!(matches!(store.create(mine("2"), 10).await.unwrap(), Created::Existing(_)));
        let other = NewOperation { input: Content::empty(), ..mine("1") };
        assert_eq!(store.create(other, 10).await.unwrap(), Created::Conflict);
        // The same request id with another token is another operation.
        let other = NewOperation { key: key("other"), ..mine("1") };
        assert_eq!(store.create(other, 10).await.unwrap(), Created::New);
    }

    async fn callbacks_are_added_while_it_goes_on(store) {
        store.create(new("a"), 10).await.unwrap();
        let with = |host: &str| NewOperation { callback: Some(target(host)), ..new("a") };
        for host in ["a", "b", "b", "c"] {
            assert!(matches!(store.create(with(host), 10).await.unwrap(), Created::Existing(_)));
        }
        store.complete(key("a"), success(1)).await.unwrap();
        store.create(with("d"), 10).await.unwrap();
        let due = store.claim_deliveries(deliveries(1)).await.unwrap();
        let mut urls: Vec<_> = due.deliveries.iter().map(|d| d.target.destination.as_str()).collect();
        urls.sort_unstable();
        assert_eq!(urls, ["http://a", "http://b", "http://c"]);
    }

    async fn callbacks_are_not_without_number(store) {
        store.create(new("a"), 10).await.unwrap();
        let with = |n: usize| NewOperation { callback: Some(target(&n.to_string())), ..new("a") };
        for n in 1..digest::MAX_CALLBACKS {
            assert!(matches!(store.create(with(n), 10).await.unwrap(), Created::Existing(_)));
        }
        assert_eq!(store.create(with(99), 10).await.unwrap(), Created::Full);
    }

    async fn open_operations_are_counted(store) {
        store.create(new("a"), 2).await.unwrap();
        store.create(new("b"), 2).await.unwrap();
        store.claim(1).await.unwrap();
        assert_eq!(store.create(new("c"), 2).await.unwrap(), Created::Full);
        assert_eq!(store.get(key("c")).await.unwrap(), None);
        assert!(matches!(store.create(new("a"), 2).await.unwrap(), Created::Existing(_)));
        store.complete(key("b"), success(1)).await.unwrap();
        assert_eq!(store.create(new("c"), 2).await.unwrap(), Created::New);
    }

    async fn the_oldest_comes_first(store) {
        for token in ["x", "c", "a", "b"] {
            store.create(new(token), 10).await.unwrap();
        }
        let mut tokens = Vec::new();
        for limit in [0, 2, 5] {
            for claimed in store.claim(limit).await.unwrap() {
                tokens.push(claimed.record.key.token.into_string());
            }
        }
        assert_eq!(tokens, ["x", "c", "a", "b"]);
    }

    async fn what_was_handed_out_comes_again_after_recovery(store) {
        store.create(new("a"), 10).await.unwrap();
        store.create(new("b"), 10).await.unwrap();
        store.claim(2).await.unwrap();
        store.complete(key("b"), success(1)).await.unwrap();
        let first = store.claim_deliveries(deliveries(1)).await.unwrap();
        assert_eq!(store.claim_deliveries(deliveries(1)).await.unwrap(), DueDeliveries::default());
        store.recover(at(5)).await.unwrap();
        let claimed = store.claim(2).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(claimed[0].record.attempt, 2);
        assert_eq!(claimed[0].input, new("a").input);
        assert_eq!(store.claim_deliveries(deliveries(4)).await.unwrap().next, Some(at(5)));
        let second = store.claim_deliveries(deliveries(5)).await.unwrap();
        assert_eq!(second, first);
    }

    async fn work_can_be_put_back(store) {
        store.create(new("a"), 10).await.unwrap();
        store.create(new("b"), 10).await.unwrap();
        store.release(key("a")).await.unwrap();
        store.claim(1).await.unwrap();
        for _ in 0..2 {
            store.release(key("a")).await.unwrap();
        }
        store.release(key("c")).await.unwrap();
        let claimed = store.claim(1).await.unwrap();
        assert_eq!(claimed[0].record.key, key("a"));
        assert_eq!((claimed[0].record.attempt, claimed[0].record.interruptions), (2, 1));
        store.complete(key("a"), success(1)).await.unwrap();
        store.release(key("a")).await.unwrap();
        assert_eq!(store.claim(9).await.unwrap().len(), 1);
    }

    async fn one_that_has_not_begun_ends_when_it_is_canceled(store) {
        store.create(new("a"), 10).await.unwrap();
        assert_eq!(store.cancel(key("a"), cancellation(3)).await.unwrap(), Canceled::Ended);
        assert_eq!(store.claim(10).await.unwrap(), []);
        assert_eq!(store.get(key("a")).await.unwrap().unwrap().end, Some(cancellation(3).ended));
        assert_eq!(store.claim_deliveries(deliveries(3)).await.unwrap().deliveries.len(), 1);
        assert_eq!(store.cancel(key("a"), cancellation(4)).await.unwrap(), Canceled::AlreadyEnded);
        assert_eq!(store.cancel(key("b"), cancellation(4)).await.unwrap(), Canceled::Unknown);
    }

    async fn one_that_has_begun_ends_as_it_likes(store) {
        store.create(new("a"), 10).await.unwrap();
        store.claim(1).await.unwrap();
        for _ in 0..2 {
            assert_eq!(store.cancel(key("a"), cancellation(3)).await.unwrap(), Canceled::Requested);
        }
        let record = store.get(key("a")).await.unwrap().unwrap();
        assert!(record.cancel_requested && record.end.is_none());
        // Whoever takes it up again knows.
        store.recover(at(0)).await.unwrap();
        assert_eq!(store.cancel(key("a"), cancellation(3)).await.unwrap(), Canceled::Requested);
        assert!(store.claim(1).await.unwrap()[0].record.cancel_requested);
        store.complete(key("a"), success(4)).await.unwrap();
        assert_eq!(store.get(key("a")).await.unwrap().unwrap().state(), OperationState::Succeeded);
    }

    async fn deliveries_wait_for_their_time(store) {
        store.create(new("a"), 10).await.unwrap();
        store.complete(key("a"), success(10)).await.unwrap();
        assert_eq!(store.claim_deliveries(deliveries(9)).await.unwrap(), DueDeliveries { next: Some(at(10)), ..DueDeliveries::default() });
        let id = store.claim_deliveries(deliveries(10)).await.unwrap().deliveries[0].id;
        store.settle(id, Settlement::Failed { retry_at: at(20) }).await.unwrap();
        // It was settled already.
        store.settle(id, Settlement::Done).await.unwrap();
        assert_eq!(store.claim_deliveries(deliveries(19)).await.unwrap().next, Some(at(20)));
        let due = store.claim_deliveries(deliveries(20)).await.unwrap();
        assert_eq!(due.deliveries[0].failures, 1);
        store.settle(id, Settlement::Deferred { until: at(30) }).await.unwrap();
        let due = store.claim_deliveries(deliveries(30)).await.unwrap();
        assert_eq!(due.deliveries[0].failures, 1);
    }

    async fn a_busy_destination_holds_up_no_other(store) {
        for n in 0..5 {
            let callback = Some(target("busy"));
            store.create(NewOperation { callback, ..new(&format!("a{n}")) }, 10).await.unwrap();
            store.complete(key(&format!("a{n}")), success(n)).await.unwrap();
        }
        store.create(NewOperation { callback: Some(target("idle")), ..new("b") }, 10).await.unwrap();
        store.complete(key("b"), success(9)).await.unwrap();
        let claim = |busy: usize, limit| DeliveryClaim {
            per_destination: 2,
            limit,
            in_flight: HashMap::from([("http://busy".to_owned(), busy)]),
            ..deliveries(9)
        };
        let hosts = |due: &DueDeliveries| due.deliveries.iter().map(|d| (d.target.destination.clone(), d.token.as_str().to_owned())).collect::<Vec<_>>();
        let due = store.claim_deliveries(claim(usize::MAX, 10)).await.unwrap();
        assert_eq!(hosts(&due), [("http://idle".into(), "b".into())]);
        assert_eq!(due.next, None);
        let due = store.claim_deliveries(claim(1, 10)).await.unwrap();
        assert_eq!(hosts(&due), [("http://busy".into(), "a0".into())]);
        let due = store.claim_deliveries(claim(0, 1)).await.unwrap();
        assert_eq!(hosts(&due), [("http://busy".into(), "a1".into())]);
        assert_eq!(due.next, Some(at(2)));
        let due = store.claim_deliveries(claim(0, 10)).await.unwrap();
        assert_eq!(due.deliveries.len(), 2);
        assert_eq!(due.next, None);
    }

    async fn a_destination_can_be_put_off_as_a_whole(store) {
        for n in 0..3 {
            store.create(new(&format!("a{n}")), 10).await.unwrap();
        }
        store.postpone("http://a".into(), at(50)).await.unwrap();
        store.complete(key("a0"), success(1)).await.unwrap();
        store.postpone("http://a".into(), at(100)).await.unwrap();
        // One that comes later waits with the others.
        store.complete(key("a1"), success(2)).await.unwrap();
        assert_eq!(store.claim_deliveries(deliveries(99)).await.unwrap(), DueDeliveries { next: Some(at(100)), ..DueDeliveries::default() });
        assert_eq!(store.claim_deliveries(deliveries(100)).await.unwrap().deliveries.len(), 2);
        store.complete(key("a2"), success(3)).await.unwrap();
        assert_eq!(store.claim_deliveries(deliveries(3)).await.unwrap().deliveries.len(), 1);
    }

    async fn finished_ones_are_forgotten_in_time(store) {
        store.create(new("a"), 10).await.unwrap();
        store.create(NewOperation { callback: None, ..new("b") }, 10).await.unwrap();
        store.create(new("c"), 10).await.unwrap();
        store.complete(key("a"), success(0)).await.unwrap();
        store.complete(key("b"), success(0)).await.unwrap();
        assert_eq!(store.purge(at(999), 10).await.unwrap(), 0);
        assert_eq!(store.purge(at(1000), 1).await.unwrap(), 1);
        assert_eq!(store.purge(at(1000), 10).await.unwrap(), 1);
        assert_eq!(store.get(key("b")).await.unwrap(), None);
        // Its callback has not been called yet.
        assert!(store.get(key("a")).await.unwrap().is_some());
        let due = store.claim_deliveries(deliveries(0)).await.unwrap();
        store.settle(due.deliveries[0].id, Settlement::Done).await.unwrap();
        assert_eq!(store.purge(at(1000 + digest::KEEP_LONGER), 10).await.unwrap(), 1);
        assert_eq!(store.get(key("a")).await.unwrap(), None);
        assert!(store.get(key("c")).await.unwrap().is_some());
        // Nothing of them is left: they can be started anew.
        let again = NewOperation { key: key("a2"), ..new("a") };
        assert_eq!(store.create(again, 10).await.unwrap(), Created::New);
    }

    async fn an_empty_result_is_empty(store) {
        store.create(new("a"), 10).await.unwrap();
        let mut end = success(1);
        end.ended.outcome = Outcome::Succeeded(Content::empty());
        store.complete(key("a"), end.clone()).await.unwrap();
        assert_eq!(store.get(key("a")).await.unwrap().unwrap().end, Some(end.ended));
    }
}
