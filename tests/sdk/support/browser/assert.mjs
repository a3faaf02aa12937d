// As much of node:assert/strict as the tests use.
export class AssertionError extends Error {}

const show = (value) => JSON.stringify(value)?.slice(0, 2000) ?? String(value);

function fail(message, found, wanted) {
  throw new AssertionError(`${message ?? 'not as it should be'}: found ${show(found)}, wanted ${show(wanted)}`);
}

// The order of members counts for nothing.
function equals(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equals(a[key], b[key]));
}

export default {
  ok: (value, message) => value || fail(message, value, true),
  equal: (found, wanted, message) => Object.is(found, wanted) || fail(message, found, wanted),
  deepEqual: (found, wanted, message) => equals(found, wanted) || fail(message, found, wanted),
  match: (text, pattern, message) => pattern.test(text) || fail(message, text, `${pattern}`),
  async rejects(promise, wanted) {
    let error;
    try {
      await (typeof promise === 'function' ? promise() : promise);
    } catch (caught) {
      error = caught;
    }
    if (error === undefined) fail('nothing was thrown', undefined, wanted);
    if (wanted instanceof RegExp && !wanted.test(`${error}`)) fail('another error', `${error}`, `${wanted}`);
    if (typeof wanted === 'function' && wanted(error) !== true) fail('another error', `${error}`, 'what the check wants');
    if (wanted?.code && error.code !== wanted.code) fail('another error', error.code, wanted.code);
    if (wanted?.message instanceof RegExp && !wanted.message.test(error.message)) fail('another error', error.message, `${wanted.message}`);
  },
};
