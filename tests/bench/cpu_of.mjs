// Processor time of a process, user and system over all its threads.
import { readFileSync } from 'node:fs';

const ticksOfSecond = 100; // of /proc: USER_HZ, which Linux fixes

// Seconds that it has had.
export function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksOfSecond;
}

// Until it has nothing left to do behind what was written: files that are put together, say.
export async function rest(pid) {
  for (let before = -1, now = cpuOf(pid); now !== before; ) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
    now = cpuOf(pid);
  }
}
