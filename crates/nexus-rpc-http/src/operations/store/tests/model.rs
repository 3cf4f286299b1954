//! The store in a file does what the store in memory does, whatever is asked of it, also across restarts.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Call {
    Create {
        operation: u8,
        host: Option<u8>,
        other_input: bool,
        of_caller: bool,
    },
    Claim(usize),
    Release(u8),
    Cancel(u8),
    Complete(u8),
    ClaimDeliveries {
        limit: usize,
        per_destination: usize,
        busy: Option<u8>,
    },
    Settle {
        nth: usize,
        how: u8,
    },
    Postpone {
        host: u8,
        by: u64,
    },
    Purge(usize),
    Restart,
}

fn call() -> impl Strategy<Value = Call> {
    let operation = 0..6u8;
    let host = 0..3u8;
    prop_oneof![
        4 => (operation.clone(), proptest::option::of(host.clone()), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(operation, host, other_input, of_caller)| Call::Create { operation, host, other_input, of_caller }),
        3 => (0..4usize).prop_map(Call::Claim),
        1 => operation.clone().prop_map(Call::Release),
        1 => operation.clone().prop_map(Call::Cancel),
        4 => operation.prop_map(Call::Complete),
        4 => (0..4usize, 0..3usize, proptest::option::of(host.clone()))
            .prop_map(|(limit, per_destination, busy)| Call::ClaimDeliveries { limit, per_destination, busy }),
        4 => (0..4usize, 0..3u8).prop_map(|(nth, how)| Call::Settle { nth, how }),
        1 => (host, 0..100u64).prop_map(|(host, by)| Call::Postpone { host, by }),
        1 => (0..3usize).prop_map(Call::Purge),
        1 => Just(Call::Restart),
    ]
}

/// What a store answers, as text, and the deliveries that it handed out.
async fn answer(
    store: &dyn OperationStore,
    call: &Call,
    now: u64,
    handed_out: &mut Vec<DeliveryId>,
) -> String {
    let host = |host: u8| format!("h{host}");
    match *call {
        Call::Create {
            operation,
            host: callback,
            other_input,
            of_caller,
        } => {
            let mut new = NewOperation {
                token_of_caller: of_caller,
                callback: callback.map(|n| target(&host(n))),
                started_at: at(now),
                ..new(&operation.to_string())
            };
            if !of_caller {
                // Each start has a token of its own; the request id tells.
                new.key = key(&format!("{operation}-{now}"));
            }
            if other_input {
                new.input = Content::empty();
            }
            format!("{:?}", store.create(new, 4).await)
        }
        Call::Claim(limit) => format!("{:?}", store.claim(limit).await),
        Call::Release(n) => format!("{:?}", store.release(key(&n.to_string())).await),
        Call::Cancel(n) => {
            let key = key(&n.to_string());
            format!("{:?}", store.cancel(key, cancellation(now)).await)
        }
        Call::Complete(n) => {
            let key = key(&n.to_string());
            format!("{:?}", store.complete(key, success(now)).await)
        }
        Call::ClaimDeliveries {
            limit,
            per_destination,
            busy,
        } => {
            let claim = DeliveryClaim {
                now: at(now),
                limit,
                per_destination,
                in_flight: busy
                    .map(|n| (format!("http://h{n}"), 1))
                    .into_iter()
                    .collect(),
            };
            let due = store.claim_deliveries(claim).await;
            handed_out.extend(
                due.iter()
                    .flat_map(|due| due.deliveries.iter().map(|d| d.id)),
            );
            format!("{due:?}")
        }
        Call::Settle { nth, how } => {
            let Some(&id) = handed_out.get(nth) else {
                return String::new();
            };
            let later = at(now + 30);
            let settlement = match how {
                0 => Settlement::Done,
                1 => Settlement::Failed { retry_at: later },
                _ => Settlement::Deferred { until: later },
            };
            handed_out.remove(nth);
            format!("{:?}", store.settle(id, settlement).await)
        }
        Call::Postpone { host: n, by } => {
            let destination = format!("http://{}", host(n));
            format!("{:?}", store.postpone(destination, at(now + by)).await)
        }
        Call::Purge(limit) => format!("{:?}", store.purge(at(now), limit).await),
        Call::Restart => {
            handed_out.clear();
            format!("{:?}", store.recover(at(now)).await)
        }
    }
}

async fn compare(calls: &[Call]) -> Result<(), TestCaseError> {
    let file = TempFile::new();
    let memory = MemoryStore::new();
    let mut stored = RedbStore::open(&file.0).unwrap();
    let (mut of_memory, mut of_file) = (Vec::new(), Vec::new());
    for (n, call) in calls.iter().enumerate() {
        let now = 10 * n as u64;
        if matches!(call, Call::Restart) {
            drop(stored);
            stored = RedbStore::open(&file.0).unwrap();
        }
        let expected = answer(&memory, call, now, &mut of_memory).await;
        let found = answer(&stored, call, now, &mut of_file).await;
        prop_assert_eq!(found, expected, "call {} of {:?}", n, calls);
        let expected = memory.statistics().await.unwrap();
        prop_assert_eq!(stored.statistics().await.unwrap(), expected);
        for n in 0..6u8 {
            let key = key(&n.to_string());
            let expected = memory.get(key.clone()).await.unwrap();
            prop_assert_eq!(stored.get(key).await.unwrap(), expected);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_stores_answer_alike(calls in prop::collection::vec(call(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(&calls))?;
    }
}
