//! Both ways between this implementation and others: the peers are programs in Go, which play the other side.

mod calling;
mod completing;
mod fixture;
mod serving;
