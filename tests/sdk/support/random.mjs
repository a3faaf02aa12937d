// What TEST_SEED says. Without it each plain run is the same run, so that it says of a change whether that is right; a long
// one (HEARTH_LONG) draws a seed, and looks for what no seed has shown yet.
export function seedOfRun() {
  if (process.env.TEST_SEED !== undefined) return Number(process.env.TEST_SEED);
  return process.env.HEARTH_LONG ? Math.floor(Math.random() * 2 ** 31) : 1;
}

// Numbers that a seed decides, so that a run can be repeated (mulberry32).
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  // 0 ≤ number < end.
  below(end) {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % end;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}
