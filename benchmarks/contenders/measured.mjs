// What the contenders on Node share: the clocks, as in common/worker.py.

export const secondsNow = () => Number(process.hrtime.bigint()) / 1e9;

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

// Measure some work, which gives how often it was done.
export async function measured(work) {
  const before = cpu();
  const start = secondsNow();
  const count = await work();
  return { count, seconds: secondsNow() - start, cpu: cpu() - before };
}

// By how many bytes this process grows while some work is done; garbage does not count. Node has to run with
// --expose-gc. "live" is what the engine itself counts, without what it keeps for later.
export async function grown(work) {
  const size = () => {
    globalThis.gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { bytes: rss, live: heapUsed + external };
  };
  const before = size();
  await work();
  const after = size();
  return { bytes: after.bytes - before.bytes, live: after.live - before.live };
}
