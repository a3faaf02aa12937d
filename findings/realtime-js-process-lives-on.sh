#!/bin/sh
# A Node process that has used @supabase/realtime-js 2.119.1 lives ten seconds longer than its last line, although the client was
# disconnected and the server has closed the connection at once: disconnect() sets a timer for a server that does not
# answer, and nothing clears it when the server does.
#
# Seen with @supabase/realtime-js 2.119.1 and ws 8.18.3 (npm), Node 20:
#   closed after 0.0 s
#   the process ended after 10.0 s
#
# A script that lists, writes and ends (a cron job, a serverless function that is billed by time) pays for these ten seconds;
# process.exit() ends it at once. Exit 0: seen again (more than 5 s); 1: it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --silent @supabase/realtime-js@2.119.1 ws@8.18.3
cat > try.cjs <<'JS'
const { RealtimeClient } = require('@supabase/realtime-js');
const ws = require('ws');
const server = new ws.WebSocketServer({ host: '127.0.0.1', port: 0 }, () => {
  const url = `ws://127.0.0.1:${server.address().port}/socket`;
  const client = new RealtimeClient(url, { params: { apikey: 'any' }, transport: ws });
  client.connect();
  server.once('connection', (socket) => {
    socket.on('message', () => {});
    setTimeout(() => {
      const start = Date.now();
      const since = () => ((Date.now() - start) / 1000).toFixed(1);
      socket.on('close', () => {
        console.log(`closed after ${since()} s`);
        server.close();
      });
      process.on('exit', () => {
        console.log(`the process ended after ${since()} s`);
        process.exitCode = Number(since()) > 5 ? 0 : 1;
      });
      client.disconnect();
    }, 200);
  });
});
JS
node try.cjs
