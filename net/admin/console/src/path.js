// Paths and keys as the database has them. Pure.
import { whyNoJson } from './json_error.js';

// "/rooms/tea" → ["rooms", "tea"].
export const parsePath = (text) => text.split('/').filter((key) => key !== '');
export const textOf = (path) => '/' + path.join('/');
// In a URL: each key by itself, so that "ü/?#%" in one of them means nothing.
export const urlOf = (path) => '/' + path.map(encodeURIComponent).join('/');

// Why a key cannot be one; "" if it can.
export function whyNoKey(key) {
  if (key === '') return 'A key has at least one character.';
  const bad = /[.#$[\]/\u0000-\u001f\u007f]/u.exec(key);
  if (bad)
    return `A key may not have ${bad[0] < ' ' || bad[0] === '\u007f' ? 'a control character' : `“${bad[0]}”`} in it.`;
  if (new TextEncoder().encode(key).length > 768) return 'A key has at most 768 bytes.';
  return '';
}

// Of an integer key as the SDKs see it ("-5", "007"); undefined: it is a text.
function integerOf(key) {
  if (!/^-?\d{1,10}$/.test(key)) return undefined;
  const number = Number(key);
  return number >= -2147483648 && number <= 2147483647 ? number : undefined;
}

// The order of siblings: integers first, by their value; then texts by their UTF-16 units, as JavaScript compares.
export function compareKeys(a, b) {
  if (a === b) return 0;
  const x = integerOf(a);
  const y = integerOf(b);
  if (x !== undefined && y !== undefined) return x - y || a.length - b.length;
  if (x !== undefined) return -1;
  if (y !== undefined) return 1;
  return a < b ? -1 : 1;
}

// A key that is about `fraction` of the way from `after` to `before`, to look for children there. Keys of one node
// mostly differ in some last characters of one alphabet (digits, hex, push ids): `sample` are keys that are known, and
// their characters stand for it. It need not be a key that exists, but it lies strictly behind `after`; undefined:
// there is no such.
export function keyBetween(after, before, fraction, sample) {
  const low = after === null ? undefined : integerOf(after);
  const high = before === null ? undefined : integerOf(before);
  if (low !== undefined && high !== undefined) {
    const between = Math.floor(low + (high - low) * fraction);
    return between > low && between < high ? String(between) : undefined;
  }
  if (low !== undefined) return undefined;
  const a = after ?? '';
  let shared = 0;
  if (before !== null) while (shared < a.length && a[shared] === before[shared]) ++shared;
  const units = new Set();
  for (const key of sample) for (const unit of key.slice(shared)) if (unit.length === 1) units.add(unit);
  for (const unit of a.slice(shared) + (before ?? '').slice(shared)) units.add(unit);
  const alphabet = [...units].sort();
  if (alphabet.length < 2) return undefined;
  // Both as fractions in that alphabet, to twelve places; the place between them is written in it again.
  const digits = (text, otherwise) =>
    Array.from({ length: 12 }, (_, i) => (i < text.length ? Math.max(0, alphabet.indexOf(text[i])) : otherwise));
  const from = digits(a.slice(shared), 0);
  const upto = before === null ? digits('', alphabet.length - 1) : digits(before.slice(shared), 0);
  const base = alphabet.length;
  const number = (places) => places.reduce((sum, place, i) => sum + place / base ** (i + 1), 0);
  let rest = number(from) + (number(upto) - number(from)) * fraction;
  let text = a.slice(0, shared);
  for (let i = 0; i < 12 && rest > 0; ++i) {
    rest *= base;
    const place = Math.min(base - 1, Math.floor(rest + 1e-9));
    text += alphabet[place];
    rest -= place;
  }
  return compareKeys(text, a) > 0 && (before === null || compareKeys(text, before) < 0) ? text : undefined;
}

// The first key behind all that begin with `prefix`, in the order of texts.
export const behindPrefix = (prefix) => prefix + '\uf8ff';

// What a leaf is: "text", "number", "boolean" or "nothing".
export function typeOf(value) {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'object') return 'object';
  return typeof value === 'string' ? 'text' : typeof value;
}

// What a person has typed as that type. Throws an Error whose message is for them.
export function valueFrom(text, type) {
  if (type === 'text') return text;
  if (type === 'nothing') return null;
  if (type === 'boolean') {
    if (text !== 'true' && text !== 'false') throw new Error('A boolean is true or false.');
    return text === 'true';
  }
  if (type === 'number') {
    const number = Number(text);
    if (text.trim() === '' || !Number.isFinite(number)) throw new Error('That is not a number.');
    // What a double cannot hold goes as it was typed (Raw).
    return Number.isInteger(number) && !Number.isSafeInteger(number) && /^-?\d+$/.test(text.trim())
      ? new Raw(text.trim())
      : number;
  }
  try {
    return parseJson(text);
  } catch (error) {
    throw new Error(`That is not JSON: ${whyNoJson(text) || error.message}.`);
  }
}

// A number that JavaScript would round: its digits.
export class Raw {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

// JSON in which integers beyond 2^53 stay what they are. Only when there is one is the text looked through by hand.
export function parseJson(text) {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  JSON.parse(text); // the checks and messages of the browser
  let marked = '';
  let at = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)) {
    const token = match[0];
    const isRounded = token[0] !== '"' && /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
    const isLookalike = token.startsWith('"\\u0000');
    if (!isRounded && !isLookalike) continue;
    marked += text.slice(at, match.index) + (isRounded ? `"\\u0000${token}"` : `"\\u0000${token.slice(1)}`);
    at = match.index + token.length;
  }
  marked += text.slice(at);
  return JSON.parse(marked, (_, value) => {
    if (typeof value !== 'string' || value[0] !== '\u0000') return value;
    return value[1] === '\u0000' ? value.slice(1) : new Raw(value.slice(1));
  });
}

export function toJson(value, indent = 0) {
  const raws = [];
  const text = JSON.stringify(
    value,
    (_, one) => {
      if (!(one instanceof Raw)) return one;
      raws.push(one.text);
      return `\u0001raw\u0001${raws.length - 1}\u0001`;
    },
    indent,
  );
  return raws.length === 0 ? text : text.replace(/"\\u0001raw\\u0001(\d+)\\u0001"/g, (_, i) => raws[i]);
}
