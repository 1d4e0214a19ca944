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
