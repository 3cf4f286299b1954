//! What an open operation costs, by how many there are: memory while it waits, file, processor and time for each start and completion.
//!
//! ```text
//! cargo run --release -p nexus-rpc-http --example open_operations -- [--counts 1000,10000,100000,1000000] [--sample 20000]
//! ```
//!
//! Each count gets a store of its own. `start`s are requests to the server, without a network; a completion is all from the store to the
//! store: taking the operation out, running its work (none), keeping its result. `--sample` of both are measured, by turns, so that about
//! as many are open all the while. Opening is that of the file after a crash. Memory is what the process has for itself, be it in RAM or
//! swapped out. It reads `/proc`, hence Linux only.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::Full;
use nexus_rpc::{Operation, Service, ServiceRegistry};
use nexus_rpc_http::{NexusHttpService, Operations, async_operation, operations::RedbStore};
use tokio::sync::Semaphore;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const JOB: Operation<String, usize> = Operation::new("bench", "job");
/// Starts on their way at the same time, and work that may run at the same time.
const CONCURRENCY: usize = 512;
const INPUT: &str =
    r#""an order of three cups of tea, two of them with milk, to be brought to the fourth floor""#;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let sample: usize = value("--sample").unwrap_or("20000").parse()?;
    let counts = value("--counts").unwrap_or("1000,10000,100000,1000000");
    println!("For each open operation: bytes of memory (RssAnon + VmSwap) and of the file.");
    println!("For each start and each completion: µs, and µs of processor time.\n");
    println!(
        "{:>9} | {:>8} {:>8} | {:>10} {:>10} | {:>10} {:>10} | {:>10}",
        "open", "B memory", "B file", "µs/start", "CPU", "µs/compl.", "CPU", "ms opening"
    );
    for count in counts.split(',') {
        measure(count.trim().parse()?, sample).await?;
    }
    Ok(())
}

struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn measure(open: usize, sample: usize) -> Result<()> {
    let file =
        File(std::env::temp_dir().join(format!("nexus-bench-{}.redb", uuid::Uuid::new_v4())));
    // Work ends when it gets a permit.
    let gate = Arc::new(Semaphore::new(0));
    let operations = Operations::builder(RedbStore::open(&file.0)?)
        .max_running(CONCURRENCY)
        .open()
        .await?;
    let service = serve(&operations, gate.clone())?;
    // What the cache and the allocator take once is not the operations'.
    start(&service, sample).await?;
    gate.add_permits(sample);
    until_ended(&operations, sample).await?;

    let before = memory()?;
    start(&service, open).await?;
    let used = memory()?.saturating_sub(before);
    let bytes = std::fs::metadata(&file.0)?.len();

    // What a crash leaves is the file as it is now.
    let crashed = File(file.0.with_extension("crashed"));
    copy_at_rest(&file.0, &crashed.0).await?;
    let begun = Instant::now();
    drop(RedbStore::open(&crashed.0)?);
    let opening = begun.elapsed().as_millis();

    let (mut starts, mut completions) = (Meter::default(), Meter::default());
    let mut measured = 0;
    while measured < sample {
        let count = open.min(sample - measured);
        completions.start()?;
        gate.add_permits(count);
        measured += count;
        until_ended(&operations, sample + measured).await?;
        completions.stop()?;
        starts.start()?;
        start(&service, count).await?;
        starts.stop()?;
    }
    let (starts, completions) = (starts.per(measured), completions.per(measured));
    println!(
        "{open:>9} | {:>8} {:>8} | {:>10.1} {:>10.1} | {:>10.1} {:>10.1} | {opening:>10}",
        used / open as u64,
        bytes / open as u64,
        starts.0,
        starts.1,
        completions.0,
        completions.1
    );
    operations.shutdown(Duration::ZERO).await;
    Ok(())
}

/// Copies a file between two writes to it: half of one would be no crash but damage.
async fn copy_at_rest(from: &Path, to: &Path) -> Result<()> {
    loop {
        let before = std::fs::metadata(from)?.modified()?;
        std::fs::copy(from, to)?;
        let rested = before.elapsed().unwrap_or_default() > Duration::from_millis(50);
        if rested && std::fs::metadata(from)?.modified()? == before {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn serve(operations: &Operations, gate: Arc<Semaphore>) -> Result<NexusHttpService> {
    let job = async_operation(move |_, input: String| {
        let gate = gate.clone();
        async move {
            gate.acquire().await?.forget();
            Ok(input.len())
        }
    });
    let mut registry = ServiceRegistry::new();
    registry.register(Service::builder("bench").operation(JOB, job).build()?)?;
    Ok(NexusHttpService::builder(registry)
        .operations(operations)
        .build()?)
}

async fn start(service: &NexusHttpService, count: usize) -> Result<()> {
    let starts = (0..count).map(|_| async {
        let request = Request::post("/bench/job")
            .header("content-type", "application/json")
            .header("nexus-request-id", uuid::Uuid::new_v4().to_string())
            .body(Full::new(Bytes::from_static(INPUT.as_bytes())))?;
        match service.answer(request).await.status() {
            StatusCode::CREATED => Ok(()),
            status => Err(format!("a start was answered with {status}").into()),
        }
    });
    stream::iter(starts)
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

async fn until_ended(operations: &Operations, count: usize) -> Result<()> {
    while operations.statistics().await?.ended < count as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Time and processor time of what is between a start and a stop.
#[derive(Default)]
struct Meter {
    time: Duration,
    processor: Duration,
    running: Option<(Instant, Duration)>,
}

impl Meter {
    fn start(&mut self) -> Result<()> {
        self.running = Some((Instant::now(), processor()?));
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        if let Some((began, used)) = self.running.take() {
            self.time += began.elapsed();
            self.processor += processor()? - used;
        }
        Ok(())
    }

    /// Microseconds for each of `count`.
    fn per(&self, count: usize) -> (f64, f64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        (each(self.time), each(self.processor))
    }
}

/// Processor time of this process, from Linux.
fn processor() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    // USER_HZ is 100 on every platform of Linux.
    Ok(Duration::from_millis(ticks * 10))
}

/// Memory that is this process's own, in bytes, from Linux: in RAM, and swapped out.
fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let bytes = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let line = line.ok_or_else(|| format!("no {name} in /proc/self/status"))?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
    };
    Ok(bytes("RssAnon:")? + bytes("VmSwap:")?)
}
