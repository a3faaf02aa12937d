// `tools/cluster bench`: an engine of its own, what it compares, and nothing left of it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts } from './support/cluster.mjs';
import { program } from './support/server.mjs';

const skip = existsSync('/usr/lib/postgresql/15/bin/initdb') ? false : 'no PostgreSQL 15 here: tools/setup cluster';
const tool = fileURLToPath(new URL('../../tools/cluster', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hearth-cluster-bench-'));
chmodSync(folder, 0o755); // where tests run as root, engines are another user's
after(() => rmSync(folder, { recursive: true, force: true }));

test('a node is compared with a bare client of its engine and with a single server', { timeout: 240_000, skip }, async () => {
  const env = { ...process.env, HEARTH_BIN: program, HEARTH_CLUSTER_FOLDER: join(folder, 'all'), HEARTH_ENGINE_PORT: `${(await freePorts()) + 201}` };
  const words = ['bench', '--json', '--time', '1', '--rounds', '1', '--shards', '4', '--window', '8', '--followers', '1'];
  const { stdout } = await promisify(execFile)(tool, words, { env });
  const [{ scenario, settings, figures }] = JSON.parse(stdout);
  assert.equal(scenario, 'cluster');
  assert.equal(settings.shards, '4');
  const ratios = ['one_put_per_shard_of_bare', 'pipelined_cpu_of_aim'];
  for (const name of [...ratios, 'bare_batches_per_s', 'single_cpu_us_per_put', 'get_relayed_p50_ms', 'put_relayed_p50_ms']) {
    assert.ok(figures[name] > 0, `${name}: ${figures[name]}`);
  }
  // Each put was a batch of its own, or one of those that were under way; a round has at most one batch of each shard.
  assert.ok(figures.pipelined_puts_per_batch > 1 && figures.pipelined_puts_per_batch <= 8, `${figures.pipelined_puts_per_batch}`);
  assert.ok(figures.one_put_per_shard_batches_per_round <= 4, `${figures.one_put_per_shard_batches_per_round}`);
  assert.deepEqual(readdirSync(folder), [], 'what is left of it');
});
