// Waits until `look()` gives what is expected; what it gave last is in the message when it never does.
import assert from 'node:assert/strict';
import { patience } from './soon.mjs';

export async function expectSoon(look, expected, limit = patience) {
  for (const end = Date.now() + limit; ; ) {
    const found = await look();
    try {
      assert.deepEqual(found, expected);
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
