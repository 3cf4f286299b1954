use std::{
    pin::{Pin, pin},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use nexus_rpc::{HandlerError, content::BoxError};
use tokio::time::timeout;

use super::Refusal;

/// How much of a body that is too large is received only to be thrown away, in bytes.
const DRAINED: usize = 16 * 1024 * 1024;
/// How long each part of it is waited for.
const PATIENCE: Duration = Duration::from_millis(250);

/// Reads a body up to `limit` bytes, however it is framed.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes, Refusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let read = if body.size_hint().lower() > limit as u64 {
        None
    } else {
        match collect(Limited::new(body.as_mut(), limit)).await {
            Ok(collected) => Some(collected),
            Err(error) if error.is::<LengthLimitError>() => None,
            Err(error) => {
                return Err(
                    HandlerError::bad_request("the body of the request broke off")
                        .with_source(error)
                        .into(),
                );
            }
        }
    };
    match read {
        Some(read) => Ok(read),
        None => {
            // Rare, and larger than all the rest.
            Box::pin(drain(body)).await;
            Err(Refusal::body_too_large(limit))
        }
    }
}

async fn collect<B: Body + Unpin>(mut body: B) -> Result<Bytes, B::Error> {
    // Nearly every body is one frame, which need not be copied.
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        // Trailers say nothing here.
        let Ok(mut data) = frame?.into_data() else {
            continue;
        };
        if first.is_empty() {
            first = data.copy_to_bytes(data.remaining());
        } else {
            more.put(data);
        }
    }
    if more.is_empty() {
        return Ok(first);
    }
    Ok([first, more.freeze()].concat().into())
}

/// Throws away what still comes of a body, within reason. A sender whose connection is closed while it writes gets no answer to read:
/// it knows of a broken pipe, and tries again what cannot succeed.
async fn drain<B: Body>(mut body: Pin<&mut B>) {
    let mut left = DRAINED;
    while let Ok(Some(Ok(frame))) = timeout(PATIENCE, body.frame()).await {
        let size = frame.data_ref().map_or(0, Buf::remaining);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => break,
        }
    }
}
