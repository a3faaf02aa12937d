// ShareDB's own tests of a database, for mocha: each test has a place of its own in the tree.
'use strict';

require('sharedb/test/setup');
const HearthDB = require(process.env.SHAREDB_HEARTH);

let count = 0;
require('sharedb/test/db')({
  create: (callback) => callback(null, new HearthDB({ url: process.env.HEARTH_URL, namespace: 'suite', path: `t${++count}` })),
  getQuery: ({ query, sort }) => ({ filter: query, sort }),
});
