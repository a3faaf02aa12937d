// What is asked of webhooks (net/webhooks/api.h).
import { admin, namespace } from './api.js';

export const ask = async (action, body) =>
  (
    await admin('POST', `/.webhooks${action}.json`, {
      query: { ns: namespace.value },
      body: JSON.stringify(body),
    })
  ).value;

// What came of an attempt, in words.
export const outcome = ({ status, failure, ms }) =>
  status === undefined ? `no answer: ${failure}` : `it answered ${status} in ${ms} ms`;
