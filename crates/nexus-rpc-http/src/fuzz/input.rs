//! Where inputs come from.

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};

/// Longest input in bytes, beyond what servers take in a line of a header.
const MAX_LENGTH: usize = 32 * 1024;

/// A change of a valid value.
#[derive(Debug, Clone)]
enum Mutation {
    /// Puts a piece of the grammar in.
    Insert(Index, &'static str),
    /// Puts it in place of what is there.
    Overwrite(Index, &'static str),
    Byte(Index, u8),
    Remove(Index, Index),
    /// Says a part again, many times.
    Repeat(Index, Index, usize),
    Append(&'static str),
}

/// Bytes: one of `seeds` as it is or changed with some of `pieces`, only `pieces`, or anything.
pub(super) fn bytes(
    seeds: &'static [&'static str],
    pieces: &'static [&'static str],
) -> impl Strategy<Value = Bytes> {
    let seed = prop::sample::select(seeds);
    let mutations = prop::collection::vec(mutation(pieces), 0..6);
    let changed = (seed, mutations).prop_map(|(seed, mutations)| {
        let mut bytes = seed.as_bytes().to_vec();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
            bytes.truncate(MAX_LENGTH);
        }
        bytes
    });
    let pieces = prop::collection::vec(prop::sample::select(pieces), 0..24);
    prop_oneof![
        6 => changed,
        2 => pieces.prop_map(|pieces| pieces.concat().into_bytes()),
        1 => any::<String>().prop_map(String::into_bytes),
        1 => any::<Vec<u8>>(),
    ]
    // They are printed as text where they are text.
    .prop_map(Bytes::from)
}

/// The same as text.
pub(super) fn text(
    seeds: &'static [&'static str],
    pieces: &'static [&'static str],
) -> impl Strategy<Value = String> {
    bytes(seeds, pieces).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn mutation(pieces: &'static [&'static str]) -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    let piece = move || prop::sample::select(pieces);
    prop_oneof![
        3 => (at(), piece()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        3 => (at(), piece()).prop_map(|(at, piece)| Mutation::Overwrite(at, piece)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        2 => (at(), at()).prop_map(|(from, to)| Mutation::Remove(from, to)),
        1 => (at(), at(), 1usize..400).prop_map(|(from, to, times)| Mutation::Repeat(from, to, times)),
        1 => piece().prop_map(Mutation::Append),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match self {
            Self::Insert(at, piece) => {
                let at = place(at);
                bytes.splice(at..at, piece.bytes());
            }
            Self::Overwrite(at, piece) => {
                let at = place(at);
                let end = bytes.len().min(at + piece.len());
                bytes.splice(at..end, piece.bytes());
            }
            Self::Byte(at, byte) => {
                let at = place(at);
                let end = bytes.len().min(at + 1);
                bytes.splice(at..end, [*byte]);
            }
            Self::Remove(from, to) => {
                let (from, to) = (place(from), place(to));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Repeat(from, to, times) => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                let times = (*times).min(MAX_LENGTH / part.len().max(1));
                let at = from.max(to);
                bytes.splice(at..at, part.repeat(times));
            }
            Self::Append(piece) => bytes.extend(piece.bytes()),
        }
    }
}
