// As much of node:test as the tests use: they run one after the other, once run() is called.
const tests = [];
const afters = [];

export class NotHere extends Error {} // what only Node can do

export const test = (name, ...rest) => void tests.push({ name, body: rest.at(-1) });
export const after = (hook) => void afters.push(hook);

// {name, error?, skipped?} of each. `tidy` is called after each: a browser has six connections to a server, and an app that
// polls has up to two of them.
export async function run(tidy) {
  const results = [];
  for (const { name, body } of tests) {
    const hooks = [];
    try {
      await body({ after: (hook) => hooks.push(hook), diagnostic: () => {} });
      results.push({ name });
    } catch (error) {
      results.push(error instanceof NotHere ? { name, skipped: error.message } : { name, error: `${error?.stack ?? error}` });
    }
    for (const hook of hooks) await hook();
    await tidy();
  }
  for (const hook of afters) await hook();
  return results;
}
