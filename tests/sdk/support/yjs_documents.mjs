// Random Yjs documents: a few replicas that edit, hear of each other now and then, and write down each update.
import * as Y from 'yjs';

const keys = ['a', 'b', 'title', 'é', '😀', '', '10', '2'];
const values = [null, true, false, 0, -1, 1.5, 0.1, 2 ** 31, -(2 ** 40), 1e300, '', 'text', 'é😀', [], {}, [1, [2, { x: null }]], { k: 'v', n: { m: [1] } },
  undefined, new Uint8Array([1, 2, 255]), new Uint8Array(0)];
const words = ['a', 'bc', 'hello', ' ', 'é', '😀', 'x😀y', '\n', 'ﬀ', '\uf000'];
const formats = [{ bold: true }, { bold: null }, { italic: true, bold: null }, { link: { href: 'u', n: 1 } }, { link: null }, { color: 'red' }, { color: null }];

export const roots = { text: 'text', rich: 'delta', map: 'map', list: 'array', xml: 'xml' };

export function declare(doc) {
  doc.getText('text');
  doc.getText('rich');
  doc.getMap('map');
  doc.getArray('list');
  doc.getXmlFragment('xml');
  return doc;
}

// Neighbours of equal attributes as one: where yjs cuts depends on who has tidied up, which is no part of the document.
export function joined(delta) {
  const ops = [];
  let isText = false; // the last one: a text within the text is none of its letters
  for (const op of delta) {
    const wasText = isText;
    isText = typeof op.insert === 'string';
    const insert = isText ? op.insert : plain(op.insert);
    const attributes = op.attributes && Object.keys(op.attributes).length ? JSON.parse(JSON.stringify(op.attributes)) : undefined;
    const last = ops.at(-1);
    if (wasText && isText && sorted(last.attributes) === sorted(attributes)) last.insert += insert;
    else ops.push(attributes ? { insert, attributes } : { insert });
  }
  return ops;
}

export function sorted(value) { // JSON with keys in order
  return JSON.stringify(value, (_, inner) => (inner && typeof inner === 'object' && !Array.isArray(inner)
    ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner));
}

function xmlText(type) {
  const text = new Y.XmlText();
  text.toDelta = () => joinedRaw(type.toDelta());
  return text.toString();
}

function joinedRaw(delta) {
  const ops = [];
  for (const op of delta) {
    const last = ops.at(-1);
    if (last && typeof last.insert === 'string' && typeof op.insert === 'string' && sorted(last.attributes ?? {}) === sorted(op.attributes ?? {})) last.insert += op.insert;
    else ops.push({ ...op });
  }
  return ops;
}

// As JSON, as toJSON() makes it; a document within is its guid, and formatted XML text is written without needless cuts.
export function plain(value) {
  if (value instanceof Y.Doc) return { guid: value.guid };
  if (value instanceof Y.XmlText) return xmlText(value);
  if (value instanceof Y.XmlHook) return plainMap(value);
  if (value instanceof Y.XmlElement) {
    const attributes = value.getAttributes();
    const text = Object.keys(attributes).sort().map((key) => ` ${key}="${attributes[key]}"`).join('');
    const name = value.nodeName.toLowerCase();
    return `<${name}${text}>${value.toArray().map((child) => xmlOf(child)).join('')}</${name}>`;
  }
  if (value instanceof Y.XmlFragment) return value.toArray().map((child) => xmlOf(child)).join('');
  if (value instanceof Y.Text) return value.toString();
  if (value instanceof Y.Map) return plainMap(value);
  if (value instanceof Y.Array) return value.toArray().map(plain);
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

const xmlOf = (child) => (child instanceof Y.XmlFragment || child instanceof Y.Text ? plain(child) : String(child));

function plainMap(map) {
  const object = {};
  map.forEach((value, key) => {
    const made = plain(value);
    if (made !== undefined) object[key] = made;
  });
  return object;
}

// All that can be seen of a document.
export const picture = (doc) => sorted(contentOf(doc));

export function contentOf(doc) {
  return {
    text: doc.getText('text').toString(),
    rich: joined(doc.getText('rich').toDelta()),
    map: plain(doc.getMap('map')),
    list: plain(doc.getArray('list')),
    xml: plain(doc.getXmlFragment('xml')),
  };
}

const unitsOf = (text) => text.toDelta().flatMap(({ insert }) => (typeof insert === 'string' ? insert.split('') : ['']));

// Never within a character of two units: there replicas of yjs itself come apart.
function index(random, units) {
  let at = random.below(units.length + 1);
  if (at < units.length && units[at] >= '\udc00' && units[at] <= '\udfff') at += 1;
  return at;
}

function span(random, units) {
  const [start, end] = [index(random, units), index(random, units)].sort((a, b) => a - b);
  return [start, Math.min(end, start + 8) === end ? end - start : 0];
}

function editText(random, text, isRich, keepsTyping) {
  const units = unitsOf(text);
  const choice = random.below(isRich ? 10 : 5);
  if (choice < 3) {
    if (keepsTyping) for (let i = 0, at = index(random, units); i < 5; i += 1, at += 1) text.insert(at, 'v');
    else text.insert(index(random, units), random.pick(words), random.below(4) && !isRich ? undefined : isRich && random.below(2) ? random.pick(formats) : undefined);
  } else if (choice < 5) {
    const [start, length] = span(random, units);
    if (length) text.delete(start, length);
  } else if (choice < 8) {
    const [start, length] = span(random, units);
    if (length) text.format(start, length, random.pick(formats));
  } else if (choice === 8) {
    text.insertEmbed(index(random, units), random.pick([{ image: 'u' }, { n: [1] }]), random.below(2) ? random.pick(formats) : {});
  } else {
    text.setAttribute(random.pick(keys), random.pick(values.slice(0, 10)));
  }
}

function newValue(random, depth) {
  switch (random.below(depth > 3 ? 6 : 12)) {
    case 6: return new Y.Map([[random.pick(keys), random.pick(values)]]);
    case 7: return Y.Array.from([random.pick(values.slice(0, 15)), 1]);
    case 8: return new Y.Text(random.pick(words));
    case 9: return newXml(random);
    case 10: return new Y.Doc({ guid: `doc-${random.below(1000)}`, meta: random.below(2) ? { m: 1 } : undefined });
    case 11: return new Y.Map();
    default: return random.pick(values);
  }
}

function newXml(random) {
  switch (random.below(5)) {
    case 0: return new Y.XmlText(random.pick(words));
    case 1: {
      const hook = new Y.XmlHook('hook');
      hook.set('k', 1);
      return hook;
    }
    default: {
      const element = new Y.XmlElement(random.pick(['p', 'DIV', 'h1']));
      element.setAttribute(random.pick(['class', 'id', 'x']), random.pick(['1', 'two', 3, null, true, [1, 2]]));
      return element;
    }
  }
}

function editList(random, list, depth) {
  if (list.length && random.below(3) === 0) {
    const at = random.below(list.length);
    list.delete(at, 1 + random.below(Math.min(3, list.length - at)));
  } else {
    const at = random.below(list.length + 1);
    const count = 1 + random.below(3);
    list.insert(at, Array.from({ length: count }, () => { // JSON.stringify has no undefined in lists
      const value = newValue(random, depth);
      return value === undefined ? null : value;
    }));
  }
}

function editMap(random, map, depth) {
  if (random.below(4) === 0) map.delete(random.pick(keys));
  else map.set(random.pick(keys), newValue(random, depth));
}

function editXml(random, xml) {
  if (xml instanceof Y.XmlElement && random.below(3) === 0) {
    if (random.below(3)) xml.setAttribute(random.pick(['class', 'id', 'ü']), random.pick(['1', 'b', 2.5, false]));
    else xml.removeAttribute('class');
  } else if (xml.length && random.below(4) === 0) {
    xml.delete(random.below(xml.length), 1);
  } else {
    xml.insert(random.below(xml.length + 1), [newXml(random)]);
  }
}

function edit(random, type, depth) {
  if (type instanceof Y.XmlText) editText(random, type, true);
  else if (type instanceof Y.Text) editText(random, type, type.doc.share.get('text') !== type, random.below(4) === 0);
  else if (type instanceof Y.XmlFragment) editXml(random, type);
  else if (type instanceof Y.Map) editMap(random, type, depth);
  else editList(random, type, depth);
}

const inside = (type) => (type instanceof Y.Text ? [] : type instanceof Y.Map ? [...type.values()] : type.toArray()).filter((value) => value instanceof Y.AbstractType);

// Some type of the document, deeper with luck.
function place(random, doc) {
  let type = random.pick([doc.getText('text'), doc.getText('rich'), doc.getMap('map'), doc.getArray('list'), doc.getXmlFragment('xml')]);
  let depth = 0;
  for (let within = inside(type); within.length && random.below(3); within = inside(type)) {
    type = random.pick(within);
    depth += 1;
  }
  return [type, depth];
}

// `updates`: each that was made, in the order in which they were; `moments`: states of replicas on the way; `last`: a replica that has all.
export function history(random, { replicas = 3, steps = 60 } = {}) {
  const updates = [];
  const updatesV2 = [];
  const moments = [];
  const docs = Array.from({ length: replicas }, (_, i) => {
    const doc = declare(new Y.Doc());
    doc.clientID = i === 0 && random.below(2) ? 1 + random.below(200) : random.below(2 ** 32);
    doc.on('update', (update, origin) => { if (origin !== 'sync') updates.push(update); });
    doc.on('updateV2', (update, origin) => { if (origin !== 'sync') updatesV2.push(update); });
    return doc;
  });
  const undos = docs.map((doc) => new Y.UndoManager([doc.getText('text'), doc.getText('rich'), doc.getMap('map'), doc.getArray('list')], { captureTimeout: 0 }));
  const sync = (from, to) => Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'sync');
  for (let step = 0; step < steps; step += 1) {
    const who = random.below(replicas);
    const chance = random.below(20);
    if (chance === 0) undos[who].undo();
    else if (chance === 1) undos[who].redo();
    else if (chance < 4) sync(docs[random.below(replicas)], docs[who]);
    else if (chance === 4) moments.push(Y.encodeStateAsUpdate(docs[who]));
    else if (chance === 5) docs[who].transact(() => { for (let i = 0; i < 3; i += 1) edit(random, ...place(random, docs[who])); });
    else edit(random, ...place(random, docs[who]));
  }
  // What yjs tidies up on its own while it syncs is an update as well, with the origin of what it tidied after.
  for (let round = 0; round < 2; round += 1) for (const from of docs) for (const to of docs) if (from !== to) sync(from, to);
  updates.push(Y.encodeStateAsUpdate(docs[0]));
  updatesV2.push(Y.encodeStateAsUpdateV2(docs[0]));
  undos.forEach((undo) => undo.destroy());
  return { updates, updatesV2, moments, last: docs[0], docs };
}
