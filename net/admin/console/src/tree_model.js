// What the tree shows, as far as it has been looked at. A node of a million children is never read as a whole:
//
//   rows      0 ··· 199 │ 200 ······················ 999,799 │ 999,800 ··· 999,999
//   blocks    [ block ]   [          gap          ]            [ block ]
//
// A List holds blocks of up to kBlock children, in order, and gaps between them. The size of a gap is an estimate: what
// the server measures of the node, where it may tell, less what is loaded. A gap that is scrolled into is filled from
// its near end; one that is jumped into gets a block in its middle, at a key that is guessed from the keys at both ends
// (path.js, keyBetween). So each step costs the server the keys that it answers and no more. Blocks far from what is
// seen become gaps again, which bounds what the page holds.
//
// Blocks that are seen are asked for again every second, by the ETag of what was answered: 304 where nothing changed.
import { signal } from '@preact/signals';
import { data, peek } from './api.js';
import { behindPrefix, compareKeys, keyBetween, Raw } from './path.js';
import { size } from './tree_actions.js';

export const kBlock = 200;
const kListMax = 4_000; // children of one node that the page holds
const kUnknown = 10_000; // rows of a gap where nobody can count
const kPause = 5_000; // after a refusal, until the same is asked again

export class Node {
  constructor(path, kind) {
    this.path = path;
    this.key = path[path.length - 1];
    this.kind = kind; // 'leaf', 'cut' (a long text), 'object', 'nothing'; 'unknown' until it is read
    this.isOpen = false;
    this.list = null;
    this.flash = null;
    this.height = 1;
  }
  get id() {
    return `/${this.path.join('/')}`;
  }
  // Takes what a peek says; whether that is something else than before.
  take(value) {
    const before = `${this.kind} ${String(this.value)} ${typeof this.value} ${this.priority} ${this.bytes}`;
    const isObject = value !== null && typeof value === 'object' && !(value instanceof Raw);
    this.priority = isObject ? value['.priority'] : undefined;
    this.value = undefined;
    this.bytes = undefined;
    if (!isObject) {
      this.kind = value === null ? 'nothing' : 'leaf';
      this.value = value;
    } else if ('.value' in value) {
      this.kind = 'leaf';
      this.value = value['.value'];
    } else if ('.cut' in value) {
      this.kind = 'cut';
      this.bytes = value['.cut'];
    } else {
      this.kind = 'object';
      this.first = Object.keys(value).find((key) => key !== '.priority');
    }
    if (this.kind !== 'object') {
      this.isOpen = false;
      this.list = null;
    }
    return before !== `${this.kind} ${String(this.value)} ${typeof this.value} ${this.priority} ${this.bytes}`;
  }
  mark(what, by) {
    this.flash = { at: Date.now(), what, ...by };
  }
}

export class List {
  constructor(tree, node, prefix = '') {
    this.tree = tree;
    this.node = node;
    this.prefix = prefix;
    this.blocks = []; // { nodes, etag } or { gap: true, rows }
    this.total = undefined; // how many children there are; undefined: nobody knows
    this.isAbout = false; // that is an estimate
    this.is = 'loading'; // 'ready', or 'failed' with `error`
    this.isFilling = false;
    this.failedAt = 0;
  }

  // The bounds of a request, from and upto being keys or null for an open end. `how`: whether they belong to it.
  #query(from, upto, { isFromIn = false, isUptoIn = false, last = false, limit = kBlock } = {}) {
    const query = { orderBy: '"$key"', [last ? 'limitToLast' : 'limitToFirst']: limit };
    const text = this.prefix !== '' && !/^-?\d+$/.test(this.prefix);
    if (from !== null) query[isFromIn ? 'startAt' : 'startAfter'] = JSON.stringify(from);
    else if (this.prefix !== '') query.startAt = JSON.stringify(this.prefix);
    if (upto !== null) query[isUptoIn ? 'endAt' : 'endBefore'] = JSON.stringify(upto);
    else if (text) query.endAt = JSON.stringify(behindPrefix(this.prefix));
    return query;
  }

  #nodesOf(value, known) {
    if (value === null || typeof value !== 'object') return [];
    const keys = Object.keys(value)
      .filter((key) => key !== '.priority' && key !== '.value')
      .sort(compareKeys);
    return keys.map((key) => {
      const node = known?.get(key) ?? new Node([...this.node.path, key], 'unknown');
      const isNew = node.kind === 'unknown';
      const changed = node.take(value[key]);
      if (known !== undefined && changed) node.mark(isNew ? 'added' : 'changed');
      return node;
    });
  }

  async #fetch(query, headers) {
    const answer = await peek(this.node.path, query, headers, this.tree.signal);
    ++this.tree.requests;
    return answer;
  }

  async load() {
    try {
      const answer = await this.#fetch(this.#query(null, null));
      const nodes = this.#nodesOf(answer.value);
      this.blocks = nodes.length > 0 ? [{ nodes, etag: undefined }] : [];
      this.is = 'ready';
      if (nodes.length === kBlock) {
        this.blocks.push({ gap: true, rows: kUnknown });
        this.#estimate();
      } else {
        this.total = nodes.length;
      }
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.fail(error);
    }
    this.tree.changed();
  }

  // What was seen is shown no longer: the right to see it may be what is gone.
  fail(error) {
    this.is = 'failed';
    this.error = error;
    this.blocks = [];
    this.failedAt = Date.now();
  }
  get isPaused() {
    return Date.now() < this.failedAt + kPause;
  }

  // About how many there are. Counting a million would cost the server seconds; what it measures of a path (`hearth
  // stats`) has a bound. It counts children as far as it goes, and estimates leaves: those are the children, where all
  // that are seen are leaves.
  async #estimate() {
    if (this.prefix !== '') return;
    const measured = await size(this.node.path);
    ++this.tree.requests;
    if (measured === undefined) return;
    const areLeaves = this.blocks.every((block) => block.gap || block.nodes.every((node) => node.kind === 'leaf'));
    this.isAbout = !measured.allChildren;
    this.total = Math.max(this.loaded + 1, measured.allChildren || !areLeaves ? measured.children : measured.leaves);
    this.#level();
    this.tree.changed();
  }

  get loaded() {
    return this.blocks.reduce((sum, block) => sum + (block.gap ? 0 : block.nodes.length), 0);
  }

  // Gaps together are what the count leaves; each keeps its share.
  #level() {
    const gaps = this.blocks.filter((block) => block.gap);
    if (gaps.length === 0) {
      this.total = this.loaded;
      this.isAbout = false;
      return;
    }
    if (this.total === undefined) return;
    const all = gaps.reduce((sum, gap) => sum + gap.rows, 0);
    const rest = Math.max(gaps.length, this.total - this.loaded);
    for (const gap of gaps) gap.rows = Math.max(1, Math.round((gap.rows / all) * rest));
  }

  // Fills the gap at that place of `blocks`, as seen `offset` rows behind its beginning.
  async fill(gap, offset) {
    if (this.isFilling || this.isPaused) return;
    this.isFilling = true;
    try {
      const at = this.blocks.indexOf(gap);
      if (at < 0) return;
      const before = this.blocks[at - 1];
      const behind = this.blocks[at + 1];
      const after = before === undefined ? null : before.nodes[before.nodes.length - 1].key;
      const upto = behind === undefined ? null : behind.nodes[0].key;
      const isEnd = gap.rows - offset <= kBlock;
      let guess;
      if (offset > kBlock && !isEnd) {
        const sample = [...(before?.nodes ?? []), ...(behind?.nodes ?? [])].map((node) => node.key);
        guess = keyBetween(after, upto, offset / gap.rows, sample);
      }
      const isForward =
        guess === undefined && !(isEnd && offset > kBlock) && (offset <= kBlock || offset < gap.rows / 2);
      const query =
        guess !== undefined
          ? this.#query(guess, upto, { isFromIn: true })
          : this.#query(after, upto, { last: !isForward });
      let nodes = this.#nodesOf((await this.#fetch(query)).value);
      if (guess !== undefined && nodes.length === 0) {
        // Nothing stands behind the guess: what there is ends before it.
        guess = undefined;
        nodes = this.#nodesOf((await this.#fetch(this.#query(after, upto, { last: true }))).value);
      }
      const place = this.blocks.indexOf(gap);
      if (place < 0) return;
      const isWhole = nodes.length < kBlock;
      const rest = Math.max(1, gap.rows - nodes.length);
      const block = nodes.length > 0 ? [{ nodes, etag: undefined }] : [];
      const gapOf = (rows) => ({ gap: true, rows: Math.max(1, Math.round(rows)) });
      let between;
      if (guess !== undefined) {
        between = isWhole
          ? [gapOf(rest), ...block]
          : [gapOf(offset), ...block, gapOf(gap.rows - offset - nodes.length)];
      } else if (isWhole) {
        between = block;
      } else {
        between = isForward ? [...block, gapOf(rest)] : [gapOf(rest), ...block];
      }
      this.blocks.splice(place, 1, ...between);
      this.#level();
      this.#evict(block[0]);
    } catch (error) {
      if (error.name !== 'AbortError') {
        this.failedAt = Date.now();
        this.tree.failed(error);
      }
    } finally {
      this.isFilling = false;
      this.tree.changed();
    }
  }

  // Of more than kListMax children those go that are furthest from the newest block, unless one of them is open.
  #evict(newest) {
    while (this.loaded > kListMax) {
      const here = this.blocks.indexOf(newest);
      let furthest = -1;
      for (let i = 0; i < this.blocks.length; ++i) {
        const block = this.blocks[i];
        if (block.gap || i === here || block.nodes.some((node) => node.isOpen)) continue;
        if (furthest < 0 || Math.abs(i - here) > Math.abs(furthest - here)) furthest = i;
      }
      if (furthest < 0) return;
      this.blocks[furthest] = { gap: true, rows: this.blocks[furthest].nodes.length };
      for (let i = this.blocks.length - 1; i > 0; --i) {
        if (!this.blocks[i].gap || !this.blocks[i - 1].gap) continue;
        this.blocks[i - 1].rows += this.blocks[i].rows;
        this.blocks.splice(i, 1);
      }
    }
  }

  // Asks for a block again: its range reaches from behind the block before it up to its own end.
  async refresh(block) {
    const at = this.blocks.indexOf(block);
    if (at < 0 || block.nodes.length === 0) return;
    const before = this.blocks[at - 1];
    const behind = this.blocks[at + 1];
    const own = { first: block.nodes[0].key, last: block.nodes[block.nodes.length - 1].key };
    const isFromIn = before !== undefined && before.gap === true;
    const from = before === undefined ? null : isFromIn ? own.first : before.nodes[before.nodes.length - 1].key;
    const upto = behind === undefined ? null : own.last;
    const query = this.#query(from, upto, { isFromIn, isUptoIn: true, limit: 2 * kBlock });
    const bounds = JSON.stringify(query);
    const headers = block.etag !== undefined && block.bounds === bounds ? { 'If-None-Match': block.etag } : {};
    const answer = await this.#fetch(query, headers);
    if (answer.status === 304 || this.blocks[at] !== block) return;
    const isFirstLook = block.etag === undefined;
    const known = new Map(block.nodes.map((node) => [node.key, node]));
    const nodes = this.#nodesOf(answer.value, known);
    if (this.total !== undefined) this.total += nodes.length - block.nodes.length;
    const isOther = nodes.length !== block.nodes.length || nodes.some((node) => node.flash?.at > Date.now() - 100);
    block.nodes = nodes;
    block.etag = answer.etag;
    block.bounds = bounds;
    if (nodes.length === 0) this.blocks.splice(at, 1);
    if (nodes.length === 2 * kBlock && behind === undefined) this.blocks.push({ gap: true, rows: 1 });
    this.#level();
    if (isOther || isFirstLook) this.tree.changed();
  }
}

export class Tree {
  version = signal(0);
  requests = 0;

  constructor(path, failed) {
    this.failed = failed;
    this.ending = new AbortController();
    this.signal = this.ending.signal;
    this.root = new Node(path, 'unknown');
    this.root.isOpen = true;
    this.load();
  }

  end() {
    this.ending.abort();
  }

  changed() {
    this.measure(this.root);
    this.version.value += 1;
  }

  async load() {
    const { root } = this;
    root.list = new List(this, root);
    root.kind = 'object';
    this.changed();
    await root.list.load();
    await this.#lookAtRoot();
  }

  // A place without children is a leaf, or there is nothing.
  async #lookAtRoot() {
    const { root } = this;
    if (root.list?.is !== 'ready' || root.list.blocks.length > 0 || root.list.prefix !== '') return;
    try {
      const { value } = await data('GET', root.path, { query: { format: 'export' }, signal: this.signal });
      const list = root.list;
      root.take(
        value === null || (typeof value === 'object' && !('.value' in value) && !(value instanceof Raw)) ? null : value,
      );
      if (root.kind === 'nothing') {
        root.isOpen = true;
        root.list = list;
      }
      this.changed();
    } catch (error) {
      if (error.name !== 'AbortError') this.failed(error);
    }
  }

  async open(node) {
    if (node.kind !== 'object' && node !== this.root) return;
    node.isOpen = true;
    if (node.list === null || node.list.is === 'failed') {
      node.list = new List(this, node);
      this.changed();
      await node.list.load();
    } else {
      this.changed();
    }
  }
  close(node) {
    node.isOpen = false;
    this.changed();
  }
  async search(node, prefix) {
    node.isOpen = true;
    node.list = new List(this, node, prefix);
    this.changed();
    await node.list.load();
  }

  measure(node) {
    node.height = 1;
    if (!node.isOpen || node.list === null) return;
    const { list } = node;
    if (list.is !== 'ready' || list.blocks.length === 0) {
      node.height = 2;
      return;
    }
    for (const block of list.blocks) {
      if (block.gap) {
        node.height += block.rows;
        continue;
      }
      block.height = 0;
      for (const child of block.nodes) {
        this.measure(child);
        block.height += child.height;
      }
      node.height += block.height;
    }
  }

  get height() {
    return this.root.height;
  }

  // The rows from `first` on, `count` of them: { node, depth, place, size }, { gap, offset, list, depth } or { note, list, depth }.
  // `place`: which of its siblings a node is, from 1; undefined behind a gap. `size`: of how many; -1: nobody knows.
  rows(first, count) {
    const found = [];
    const upto = first + count;
    const walk = (node, at, depth, place, size) => {
      if (at >= upto || at + node.height <= first) return;
      if (at >= first) found.push({ index: at, node, depth, place, size });
      let row = at + 1;
      if (node.height === 1) return;
      const { list } = node;
      if (list.is !== 'ready' || list.blocks.length === 0) {
        if (row >= first && row < upto) found.push({ index: row, note: true, list, depth: depth + 1 });
        return;
      }
      const all = list.total === undefined || list.isAbout ? -1 : list.total;
      let before = 0;
      for (const block of list.blocks) {
        const height = block.gap ? block.rows : block.height;
        if (row >= upto) return;
        if (row + height > first) {
          if (block.gap) {
            for (let i = Math.max(row, first); i < Math.min(row + height, upto); ++i) {
              found.push({ index: i, gap: block, offset: i - row, list, depth: depth + 1 });
            }
          } else {
            let child = row;
            let i = before;
            for (const one of block.nodes) {
              walk(one, child, depth + 1, Number.isNaN(++i) ? undefined : i, all);
              child += one.height;
              if (child >= upto) break;
            }
          }
        }
        before += block.gap ? NaN : block.nodes.length;
        row += height;
      }
    };
    walk(this.root, 0, 0, 1, 1);
    return found;
  }

  // The row of a node, as far as it is loaded; -1: it is not.
  indexOf(wanted) {
    let result = -1;
    const walk = (node, at) => {
      if (node === wanted) {
        result = at;
        return true;
      }
      if (!node.isOpen || node.list?.is !== 'ready') return false;
      let row = at + 1;
      for (const block of node.list.blocks) {
        if (block.gap) {
          row += block.rows;
          continue;
        }
        for (const child of block.nodes) {
          if (walk(child, row)) return true;
          row += child.height;
        }
      }
      return false;
    };
    walk(this.root, 0);
    return result;
  }

  // The blocks that hold what is seen: for those of them that are of lists, [list, block] once each.
  seen(rows) {
    const found = new Map();
    for (const { node } of rows) {
      if (node === undefined || node === this.root) continue;
      const parent = this.find(node.path.slice(0, -1));
      const block = parent?.list?.blocks.find((one) => !one.gap && one.nodes.includes(node));
      if (block !== undefined) found.set(block, parent.list);
    }
    return found;
  }

  // The node at a path, if it is loaded.
  find(path) {
    if (path.length < this.root.path.length) return undefined;
    let node = this.root;
    for (let i = this.root.path.length; i < path.length; ++i) {
      node = node?.list?.blocks.flatMap((block) => block.nodes ?? []).find((child) => child.key === path[i]);
      if (node === undefined) return undefined;
    }
    return node;
  }

  // What is seen, once more.
  async refresh(rows) {
    const { root } = this;
    if (root.kind !== 'object' || (root.list?.is === 'ready' && root.list.blocks.length === 0)) {
      const answer = await peek(root.path, { orderBy: '"$key"', limitToFirst: 1 }, {}, this.signal);
      ++this.requests;
      if (answer.value !== null) await this.load();
      else await this.#lookAtRoot();
      return;
    }
    for (const { list, note } of rows) {
      if (!note || list.is !== 'failed' || list.isPaused) continue;
      list.failedAt = Date.now();
      list.is = 'ready';
      await list.load();
    }
    for (const [block, list] of this.seen(rows)) {
      try {
        await list.refresh(block);
      } catch (error) {
        if (error.status !== 401 && error.status !== 403) throw error;
        list.fail(error);
        this.changed();
      }
    }
    if (root.list?.is === 'ready' && root.list.blocks.length === 0) await this.#lookAtRoot();
  }

  // Somebody changed what is at that path: the nearest row that is shown flashes.
  mark(path, by) {
    for (let length = path.length; length >= this.root.path.length; --length) {
      const node = this.find(path.slice(0, length));
      if (node === undefined) continue;
      node.mark('changed', by);
      this.changed();
      return;
    }
  }
}
