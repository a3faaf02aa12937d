// A machine's clock that can be set: programs that are started with `environment` see it, and see it change. By Debian's
// libfaketime; what counts how long something takes goes on as it does.
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class MachineClock {
  #folder = mkdtempSync(join(tmpdir(), 'hearth-clock-'));
  #seconds = 0;

  constructor(after) {
    after(() => rmSync(this.#folder, { recursive: true, force: true }));
    this.set(0);
  }

  // That many seconds ahead of the true time.
  set(seconds) {
    this.#seconds = seconds;
    writeFileSync(this.#file('next'), `${seconds < 0 ? '' : '+'}${seconds}\n`);
    renameSync(this.#file('next'), this.#file('now')); // nobody reads half of it
  }

  // Milliseconds since the epoch.
  now() {
    return Date.now() + this.#seconds * 1000;
  }

  get environment() {
    const of = (arch) => join('/usr/lib', arch, 'faketime', 'libfaketimeMT.so.1');
    const library = readdirSync('/usr/lib').map(of).find((file) => existsSync(file));
    if (!library) throw new Error('no libfaketime here: tools/setup tests installs it');
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file('now'),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:verify_asan_link_order=0`,
    };
  }

  #file(name) {
    return join(this.#folder, name);
  }
}
