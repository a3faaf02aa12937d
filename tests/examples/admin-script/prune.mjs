// Removes the messages of the chat that are older than some days, as an admin: node prune.mjs [DAYS]
const server = process.env.HEARTH_URL ?? 'http://127.0.0.1:9000';
const token = process.env.HEARTH_TOKEN ?? 'owner'; // `owner` is the admin of a development server
const days = Number(process.argv[2] ?? 30);
const batch = 500;

async function ask(method, path, query, body) {
  const response = await fetch(`${server}${path}.json?${new URLSearchParams({ ns: 'chat', ...query })}`, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${answer.error}`);
  return answer;
}

if (!(days >= 0)) throw new Error('usage: node prune.mjs [DAYS]');
const before = Date.now() - days * 24 * 60 * 60 * 1000;

// The index on `sent` (rules.json of the chat) finds the oldest messages, however many there are.
const oldest = { orderBy: '"sent"', endAt: `${before}`, limitToFirst: `${batch}` };
let total = 0;
for (;;) {
  const keys = Object.keys((await ask('GET', '/messages', oldest)) ?? {});
  if (keys.length === 0) break;
  // One update of several paths is one commit: a script that is killed has counted exactly what it removed.
  const update = Object.fromEntries(keys.map((key) => [`messages/${key}`, null]));
  await ask('PATCH', '/', {}, { ...update, pruned: { '.sv': { increment: keys.length } } });
  total += keys.length;
}
console.log(`removed ${total} messages; ${(await ask('GET', '/pruned')) ?? 0} so far`);
