//! Operations of the peer that go on.

use nexus_rpc::{HandlerErrorType, OperationToken};
use nexus_rpc_http::{ClientError, StartOptions, StartedOperation};
use serde_json::json;

use crate::fixture::{JOB, Peer, TOKENS, client, links, with_each_peer};

with_each_peer!(
    a_job_gives_its_token_and_can_be_canceled,
    an_unknown_token_is_not_found
);

async fn a_job_gives_its_token_and_can_be_canceled(peer: Peer) {
    let (mut handler, address) = peer.handler().await;
    for token in TOKENS {
        let options = links()
            .into_iter()
            .fold(StartOptions::new(), StartOptions::link);
        let started = client(&address)
            .start(JOB, json!({"token": token}), options)
            .await;
        let StartedOperation::Pending(job) = started.unwrap() else {
            panic!("it goes on");
        };
        assert_eq!(job.token().as_str(), token);
        assert_eq!(job.links(), links());

        job.with_header("X-Why", "enough").cancel().await.unwrap();
        let canceled = handler.line().await;
        assert_eq!(canceled["token"], token);
        assert_eq!(canceled["headers"]["x-why"], "enough");
    }
}

async fn an_unknown_token_is_not_found(peer: Peer) {
    let (_handler, address) = peer.handler().await;
    let token = OperationToken::new("unknown").unwrap();
    let job = client(&address).handle(JOB, token).unwrap();
    let Err(ClientError::Handler(error)) = job.cancel().await else {
        panic!("there is no such job");
    };
    assert_eq!(error.error_type(), &HandlerErrorType::NotFound);
}
