// The reference of leak.test.mjs: one tenant's rows, groups and rules, and from them who is to hear what. It knows nothing
// of the server.
//
//   commit(changes) ─▶ each row's listener     the new value; "cancelled" when it may not read any more, and then nothing
//                  └─▶ each channel's binding  the row, if its filter holds and its reader may read the row
export const users = ['ada', 'ben', 'cyd', 'dan'];
export const groups = ['g0', 'g1', 'g2'];
export const tables = ['rows', 'more'];
export const keys = Array.from({ length: 12 }, (_, i) => `r${i}`);

// What a row's rule may be made of. `who`: {uid, level}, null for nobody. A row that is not there is undefined.
const clauses = [
  { text: "data.child('public').val() === true", holds: (row) => row?.public === true },
  { text: "auth != null && data.child('owner').val() === auth.uid", holds: (row, who) => who !== null && row?.owner === who.uid },
  {
    text: "auth != null && data.child('group').isString() && root.child('groups/' + data.child('group').val() + '/' + auth.uid).exists()",
    holds: (row, who, tenant) => who !== null && row?.group !== undefined && tenant.roleOf(row.group, who) !== undefined,
  },
  {
    text: "auth != null && auth.token.level >= 0 && data.child('n').isNumber() && auth.token.level > data.child('n').val()",
    holds: (row, who) => who !== null && row?.n !== undefined && who.level > row.n,
  },
  { text: '!data.exists()', holds: (row) => row === undefined },
];

export function randomRule(random) {
  const chosen = clauses.filter(() => random.below(2) === 0);
  if (chosen.length === 0) chosen.push(random.pick(clauses));
  const hides = random.below(2) === 0;
  const any = chosen.map(({ text }) => `(${text})`).join(' || ');
  return {
    text: hides ? `data.child('hidden').val() !== true && (${any})` : any,
    holds: (row, who, tenant) => !(hides && row?.hidden === true) && chosen.some(({ holds }) => holds(row, who, tenant)),
  };
}

export function rulesOf(rule) {
  const member = (path) => ({ '.read': `auth != null && root.child('groups/${path}/' + auth.uid).exists()`, '.write': `auth != null && root.child('groups/${path}/' + auth.uid).val() === 'writer'` });
  return {
    rules: {
      rows: { $row: { '.read': rule.text } },
      more: { $row: { '.read': rule.text } },
      own: { $uid: { '.read': 'auth != null && auth.uid === $uid' } },
      mark: { '.read': true },
      channels: Object.fromEntries(groups.map((group) => [group, member(group)])),
      notes: Object.fromEntries(groups.map((group) => [group, member(group)])),
    },
  };
}

export function randomRow(random, write) {
  const row = { owner: random.pick(users), n: random.below(10), w: write };
  if (random.below(2) === 0) row.group = random.pick(groups);
  if (random.below(3) === 0) row.public = random.below(2) === 0;
  if (random.below(4) === 0) row.hidden = random.below(2) === 0;
  return row;
}

// A binding to changes of rows: {event, table, filter, select} as the client takes them, and `wants(row)`.
export function randomBinding(random) {
  const binding = { event: random.pick(['*', '*', 'INSERT', 'UPDATE', 'DELETE']), table: random.pick(['rows', 'rows', 'more', '*']) };
  const [user, group, n] = [random.pick(users), random.pick(groups), random.below(10)];
  const filters = [
    [undefined, () => true],
    [`owner=eq.${user}`, (row) => row.owner === user],
    [`owner=neq.${user}`, (row) => row.owner !== undefined && row.owner !== user],
    [`n=gt.${n}`, (row) => row.n > n],
    [`n=lte.${n}`, (row) => row.n <= n],
    [`n=in.(${n},${(n + 3) % 10})`, (row) => row.n === n || row.n === (n + 3) % 10],
    [`group=eq.${group}`, (row) => row.group === group],
    [`group=neq.${group},n=lt.${n}`, (row) => row.group !== undefined && row.group !== group && row.n < n],
    ['public=eq.true', (row) => row.public === true],
    [`id=eq.${keys[n]}`, (row, key) => key === keys[n]],
  ];
  const [filter, wants] = random.pick(filters);
  if (filter) binding.filter = filter;
  if (binding.table !== '*' && random.below(4) === 0) binding.select = ['id', 'owner'];
  return { binding, wants };
}

export class Tenant {
  rows = Object.fromEntries(tables.map((table) => [table, {}]));
  groups = Object.fromEntries(groups.map((group) => [group, {}]));
  rule;
  readers = new Set(); // of one row's value: {who, table, key, isLive, expected}
  channels = new Set(); // {who, topic, isPrivate, bindings, isLive, expected, present, hearsItself, hearsBytes}
  documents = new Set(); // {who, group, isLive, expected}
  accepted = Object.fromEntries(groups.map((group) => [group, []])); // edits of the documents

  roleOf(group, who) {
    return who === null ? undefined : this.groups[group][who.uid];
  }
  mayRead(row, who) {
    return this.rule.holds(row, who, this);
  }

  // `before` judges what was; rows are replaced, never changed.
  #judge(reader, changed) {
    const row = this.rows[reader.table][reader.key];
    if (!this.mayRead(row, reader.who)) {
      reader.isLive = false;
      reader.expected.push('cancelled');
    } else if (changed?.some(({ table, key }) => table === reader.table && key === reader.key)) {
      reader.expected.push(row ?? null);
    }
  }

  // `changed`: [{table, key, after}] of one commit; undefined: the row goes.
  commit(changed) {
    const all = changed
      .map((one) => ({ ...one, before: this.rows[one.table][one.key] }))
      .filter(({ before, after }) => JSON.stringify(sorted(before)) !== JSON.stringify(sorted(after)));
    const shown = new Map(all.map((one) => [one, new Map()]));
    for (const one of all) {
      for (const channel of this.channels) shown.get(one).set(channel, this.mayRead(one.before, channel.who));
    }
    for (const { table, key, after } of all) {
      if (after === undefined) delete this.rows[table][key];
      else this.rows[table][key] = after;
    }
    for (const reader of this.readers) if (reader.isLive) this.#judge(reader, all);
    for (const one of all) {
      for (const channel of this.channels) if (channel.isLive) this.#tellRow(channel, one, shown.get(one).get(channel));
    }
  }

  #tellRow(channel, { table, key, before, after }, showsBefore) {
    const kind = before === undefined ? 'INSERT' : after === undefined ? 'DELETE' : 'UPDATE';
    if (after === undefined ? !showsBefore : !this.mayRead(after, channel.who)) return;
    for (const [number, { binding, wants }] of channel.bindings.entries()) {
      if (binding.event !== '*' && binding.event !== kind) continue;
      if (binding.table !== '*' && binding.table !== table) continue;
      if (!wants(after ?? before, key)) continue;
      const shape = (row) => {
        const whole = { id: key, ...row };
        return binding.select ? Object.fromEntries(Object.entries(whole).filter(([name]) => binding.select.includes(name))) : whole;
      };
      channel.expected.push({ number, table, kind, now: after ? shape(after) : {}, old: before ? shape(showsBefore ? before : {}) : {} });
    }
  }

  changeRule(rule) {
    this.rule = rule;
    for (const reader of this.readers) if (reader.isLive) this.#judge(reader);
  }

  // role: 'writer', 'reader' or undefined.
  changeRole(group, uid, role) {
    if (role) this.groups[group][uid] = role;
    else delete this.groups[group][uid];
    for (const reader of this.readers) if (reader.isLive) this.#judge(reader);
    for (const place of [...this.channels, ...this.documents]) this.#judgePlace(place);
  }

  #judgePlace(place) {
    if (!place.isLive || place.who?.isAdmin || !place.isPrivate) return;
    const role = this.roleOf(place.group, place.who);
    if (role !== 'writer') place.isSure = false; // whether what it says of itself is still seen
    if (role === undefined) {
      place.isLive = false;
      place.present = undefined;
      place.kept = this.accepted[place.group]?.length; // edits that a document had then
    }
  }

  // As if a client's user changed.
  changeUser(listener, who) {
    listener.who = who;
    if (listener.key) this.#judge(listener);
    else this.#judgePlace(listener);
  }

  // False: it may not speak.
  say(speaker, event, payload, { topic = speaker.topic, isPrivate = speaker.isPrivate, isBytes = false } = {}) {
    if (speaker.isPrivate && this.roleOf(speaker.group, speaker.who) !== 'writer' && !speaker.who?.isAdmin) return false;
    for (const channel of this.channels) {
      if (!channel.isLive || channel.topic !== topic || channel.isPrivate !== isPrivate) continue;
      if (channel === speaker && !channel.hearsItself) continue;
      if (isBytes && !channel.hearsBytes) continue;
      channel.expected.push({ said: event, payload });
    }
    return true;
  }

  presentWith(channel) {
    const all = [...this.channels].filter((other) => other.isLive && other.topic === channel.topic && other.isPrivate === channel.isPrivate && other.present !== undefined);
    return Object.fromEntries(all.map((other) => [other.presenceKey, other.present]).sort());
  }
}

export function sorted(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
