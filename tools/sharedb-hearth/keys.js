// Names of ShareDB (collections, documents, versions) as keys of the tree, and back.
//
//   name     as it is, but for % . $ # [ ] / and control characters, and a digit or "-" at its beginning: those are %XX.
//            The empty name is "%".
//   version  "v" and ten digits, so that the order of keys is that of versions
//
// So no key looks like a number: JavaScript and the tree agree on the order of keys, and no object becomes a list.
//
// A key has at most 768 bytes; a longer name is refused.
'use strict';

const kKeyBytesMax = 768;
const kVersionDigits = 10;
const kVersionMax = 10 ** kVersionDigits - 1;
const kTaken = /^[-0-9]|[%.$#[\]/\u0000-\u001f\u007f]/g; // one byte each in UTF-8
const kLoneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function keyOf(name) {
  if (typeof name !== 'string') throw new TypeError('sharedb-hearth: collections and ids are texts');
  if (name === '') return '%';
  if (kLoneSurrogate.test(name)) throw new RangeError('sharedb-hearth: a name has half a surrogate pair');
  const key = name.replace(kTaken, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0'));
  if (Buffer.byteLength(key) > kKeyBytesMax) throw new RangeError(`sharedb-hearth: a name has more than ${kKeyBytesMax} bytes`);
  return key;
}

function nameOf(key) {
  if (key === '%') return '';
  return key.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

function keyOfVersion(version) {
  if (!Number.isInteger(version) || version < 0 || version > kVersionMax) throw new RangeError(`sharedb-hearth: no version: ${version}`);
  return 'v' + String(version).padStart(kVersionDigits, '0');
}

const versionOf = (key) => Number(key.slice(1));

module.exports = { keyOf, nameOf, keyOfVersion, versionOf, kVersionMax };
